"""Padding of images that do not fit the networks."""

import numpy as np
import pytest

from munit_tf.networks import input_padding


@pytest.mark.parametrize(
    "height, width, multiple, least, padded",
    [
        (16, 20, 4, 16, (16, 20)),
        (17, 30, 4, 16, (20, 32)),
        (5, 33, 8, 16, (16, 40)),
        (1, 2, 4, 16, (16, 16)),
        (16, 16, 4, 18, (20, 20)),
    ],
)
def test_reflects_as_numpy_does_at_the_lower_right(height, width, multiple, least, padded):
    images = np.random.default_rng(0).uniform(-1, 1, (2, height, width, 3)).astype("float32")
    border = [(0, 0), (0, padded[0] - height), (0, padded[1] - width), (0, 0)]
    expected = np.pad(images, border, mode="reflect")
    np.testing.assert_array_equal(input_padding.pad_to_fit(images, multiple, least), expected)
