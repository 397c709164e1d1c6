"""Blocks of outputs."""

import numpy as np
import pytest

from munit_tf.errors import InputError
from munit_tf.metrics.sampling import in_batches, sample_outputs

INPUTS = np.arange(3.0).reshape(3, 1, 1, 1) * np.ones((3, 2, 2, 3))


def load(indices):
    return INPUTS[indices]


@pytest.mark.parametrize("batch_size", [1, 4, 5, 100])
def test_every_output_of_every_input_comes_once_in_order(batch_size):
    styles = np.random.default_rng(0).standard_normal((5, 3, 2))
    sizes, pairs = [], []

    def translate(images, codes):
        sizes.append(len(images))
        return images + codes[:, :1, np.newaxis, np.newaxis]

    for block in sample_outputs(translate, load, 3, 5, styles, batch_size):
        for i, k, image, output in zip(*block):
            pairs.append((i, k))
            np.testing.assert_array_equal(image, INPUTS[i])
            np.testing.assert_allclose(output, INPUTS[i] + styles[k, i, 0], rtol=1e-6)
    assert pairs == [(i, k) for i in range(3) for k in range(5)]
    assert max(sizes) <= batch_size


def test_a_translator_without_style():
    blocks = list(sample_outputs(lambda images, codes: images * (codes is None), load, 3, 1, None, 2))
    np.testing.assert_array_equal(np.concatenate([block.outputs for block in blocks]), INPUTS)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_broken_outputs_are_an_error(value):
    with pytest.raises(InputError, match="NaN or infinite"):
        list(sample_outputs(lambda images, codes: np.full_like(images, value), load, 3, 1, None, 2))


def test_in_batches():
    assert in_batches(lambda indices: np.array(indices) ** 2, 5, 2).tolist() == [0, 1, 4, 9, 16]
