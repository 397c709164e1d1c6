"""Outputs of a translator, in batches."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator

import numpy as np

from munit_tf.errors import InputError

Block = collections.namedtuple("Block", ["input_indices", "output_indices", "inputs", "outputs"])


def sample_outputs(
    translate: Callable[[np.ndarray, np.ndarray | None], np.ndarray],
    load_inputs: Callable[[list[int]], np.ndarray],
    num_inputs: int,
    num_outputs: int,
    styles: np.ndarray | None,
    batch_size: int,
) -> Iterator[Block]:
    """Generates several outputs of each of several inputs, in blocks of `batch_size`.

    Args:
        translate: function (images [N,H,W,3], styles [N,style_dim] or None) -> images [N,H,W,3].
        load_inputs: function of a list of indices -> images [N,H,W,3] in [-1, 1].
        num_inputs: number of inputs; their indices are 0, ..., num_inputs - 1.
        num_outputs: outputs per input.
        styles: [num_outputs, num_inputs, style_dim], or None for a translator without style.
        batch_size: images per block; only one block is in memory.

    Yields:
        Block of arrays: `outputs[j]` is output `output_indices[j]` of input `input_indices[j]`. The outputs
        of an input are consecutive and in order.

    Raises:
        InputError: an output has NaN or infinite values.
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


def in_batches(function: Callable[[list[int]], np.ndarray], count: int, batch_size: int) -> np.ndarray:
    """The concatenation of function(list of indices) over 0, ..., count - 1, `batch_size` at a time."""
    return np.concatenate([function(indices) for indices in batches_of_indices(count, batch_size)])


def batches_of_indices(count: int, batch_size: int) -> list[list[int]]:
    """0, ..., count - 1 in lists of `batch_size`; the last may be shorter."""
    return [list(range(start, min(start + batch_size, count))) for start in range(0, count, batch_size)]


def require_finite(values: np.ndarray, what: str) -> None:
    """Raises InputError if `values` has NaN or infinite values; `what` names them in the message."""
    if not np.all(np.isfinite(values)):
        raise InputError(
            f"{what} hold NaN or infinite values: training has diverged, or the weights are damaged"
        )
