"""Outputs of a translator, a batch at a time."""

import collections

import numpy as np

from munit_tf.errors import InputError

Block = collections.namedtuple("Block", ["input_indices", "output_indices", "inputs", "outputs"])


def sample_outputs(translate, load_inputs, num_inputs, num_outputs, styles, batch_size):
    """Several outputs of each of several inputs, in blocks of `batch_size`.

    Args:
        translate: function (images [N,H,W,3], styles [N,style_dim] or None) -> images [N,H,W,3].
        load_inputs: function of a list of indices -> images [N,H,W,3] in [-1, 1].
        num_inputs: inputs 0, ..., num_inputs - 1 are translated.
        num_outputs: outputs of each input.
        styles: [num_outputs, num_inputs, style_dim], or None for a translator without style.
        batch_size: images at once; all that is held.

    Yields:
        Block of arrays: output `output_indices[j]` of input `input_indices[j]` is `outputs[j]`. An
        input's outputs follow each other, in order.

    Raises:
        InputError: an output holds NaN or infinite values.
    """
    total = num_inputs * num_outputs
    for start in range(0, total, batch_size):
        places = np.arange(start, min(start + batch_size, total))
        input_indices, output_indices = places // num_outputs, places % num_outputs
        distinct, where = np.unique(input_indices, return_inverse=True)
        inputs = load_inputs(list(distinct))[where]
        codes = None if styles is None else styles[output_indices, input_indices]
        outputs = np.asarray(translate(inputs, codes), np.float32)
        require_finite(outputs, "translations")
        yield Block(input_indices, output_indices, inputs, outputs)


def in_batches(function, count, batch_size):
    """The concatenation of function(list of indices) over 0, ..., count - 1, `batch_size` at a time."""
    return np.concatenate([function(indices) for indices in batches_of_indices(count, batch_size)])


def batches_of_indices(count, batch_size):
    """Lists of indices, 0, ..., count - 1, `batch_size` in each but the last."""
    return [list(range(start, min(start + batch_size, count))) for start in range(0, count, batch_size)]


def require_finite(values, what):
    """Raises InputError where `values` holds NaN or infinite values."""
    if not np.all(np.isfinite(values)):
        raise InputError(
            f"{what} hold NaN or infinite values: training has diverged, or the weights are damaged"
        )
