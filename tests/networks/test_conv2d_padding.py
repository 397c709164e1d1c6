"""Borders are tf.pad's."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from munit_tf.networks import graph_target
from munit_tf.networks.conv2d.padding import pad


@pytest.mark.parametrize(
    "border, padding, more", [("REFLECT", 1, 1), ("REFLECT", 3, 1), ("SYMMETRIC", 1, 0), ("CONSTANT", 2, 1)]
)
@pytest.mark.parametrize("channels", [3, 64])
@pytest.mark.parametrize("known", [True, False])
def test_as_tensorflow_has_them(border, padding, more, channels, known):
    x = tf.random.stateless_normal((2, 5, 6, channels), [1, 2])
    dy = tf.random.stateless_normal((2, 5 + more + 2 * padding, 6 + 2 * padding, channels), [1, 3])
    results = []
    for portable in (False, True):

        def function(x, portable=portable):
            with graph_target.portable() if portable else contextlib.nullcontext():
                return pad(x, padding, border, more=(more, 0))

        if not known:
            function = tf.function(function, input_signature=[tf.TensorSpec([None, None, None, channels])])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        results.append([y, tape.gradient(y, x, dy)])
    expected = tf.pad(x, [[0, 0], [padding, padding + more], [padding, padding], [0, 0]], border)
    np.testing.assert_array_equal(results[0][0], expected)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=0, atol=1e-5)
