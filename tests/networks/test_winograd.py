"""Winograd's convolutions are convolutions."""

import numpy as np
import pytest
import tensorflow as tf

from munit_tf.networks import graph_target
from munit_tf.networks.conv2d import conv2d, winograd


def random(*shape, seed=0, dtype="float64"):
    return tf.random.stateless_normal(shape, [1, seed], dtype=dtype)


def plain(x, kernel, border):
    return tf.nn.conv2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], border), kernel, 1, "VALID")


def with_gradients(function, x, kernel, dy):
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        y = function(x, kernel)
    return [y, *tape.gradient(y, [x, kernel], dy)]


@pytest.mark.parametrize("border", ["REFLECT", "SYMMETRIC"])
@pytest.mark.parametrize("size", [(2, 2), (3, 5), (4, 8), (9, 6)])
@pytest.mark.parametrize("known", [True, False])
def test_results_and_gradients(border, size, known):
    x, kernel, dy = random(2, *size, 3), random(3, 3, 3, 5, seed=1), random(2, *size, 5, seed=2)

    def convolve(x, kernel):
        return winograd.convolve(x, kernel, border)

    if not known:
        like = tf.TensorSpec([None, None, None, 3], tf.float64)
        convolve = tf.function(convolve, input_signature=[like, tf.TensorSpec(kernel.shape, tf.float64)])
    expected = with_gradients(lambda x, kernel: plain(x, kernel, border), x, kernel, dy)
    for actual, wanted in zip(with_gradients(convolve, x, kernel, dy), expected):
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=1e-11)


def test_second_derivatives():
    x, kernel = random(2, 4, 7, 3), random(3, 3, 3, 5, seed=1)
    results = []
    for function in (winograd.convolve, plain):
        with tf.GradientTape() as outer:
            outer.watch([x, kernel])
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(function(x, kernel, "REFLECT") ** 2)
            penalty = tf.reduce_sum(inner.gradient(y, x) ** 2)
        results.append([penalty, *outer.gradient(penalty, [x, kernel])])
    for actual, wanted in zip(*results):
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=1e-10 * np.abs(wanted).max())


def test_float32_rounds_hardly_more_than_the_direct_sum():
    x, kernel = tf.nn.relu(random(1, 16, 16, 256)), random(3, 3, 256, 64, seed=1) / 48
    exact = plain(x, kernel, "REFLECT")
    narrow = tf.cast(x, tf.float32), tf.cast(kernel, tf.float32)
    errors = [
        np.sqrt(np.mean((function(*narrow, "REFLECT") - exact.numpy()) ** 2)) / np.std(exact)
        for function in (winograd.convolve, plain)
    ]
    assert errors[0] < 2e-6 and errors[1] < 1e-6


def test_where_it_is_taken():
    x, kernel = random(1, 16, 16, 64, dtype="float32"), random(3, 3, 64, 64, dtype="float32")

    def operations(x, kernel, padding_mode="reflect"):
        traced = tf.function(lambda: conv2d(x, kernel, 1, 1, padding_mode)).get_concrete_function()
        return {operation.type for operation in traced.graph.get_operations()}

    assert "Conv2D" not in operations(x, kernel)
    assert "Conv2D" in operations(x, kernel, padding_mode="zero")
    assert "Conv2D" in operations(x, kernel[..., :32])
    assert "Conv2D" in operations(x[:, :8], kernel)
    assert "Conv2D" in operations(tf.cast(x, tf.bfloat16), tf.cast(kernel, tf.bfloat16))
    with graph_target.portable():
        assert "Conv2D" in operations(x, kernel)


@pytest.mark.parametrize("size", [(8, 8), (9, 6), (6, 11)])
@pytest.mark.parametrize("known", [True, False])
def test_few_filters_in_phases(size, known):
    x, kernel, dy = random(2, *size, 8), random(7, 7, 8, 3, seed=1), random(2, *size, 3, seed=2)

    def convolve(x, kernel):
        return conv2d(x, kernel, 1, 3, "reflect")

    with graph_target.portable():
        expected = with_gradients(convolve, x, kernel, dy)
    if not known:
        like = tf.TensorSpec([None, None, None, 8], tf.float64)
        convolve = tf.function(convolve, input_signature=[like, tf.TensorSpec(kernel.shape, tf.float64)])
    for actual, wanted in zip(with_gradients(convolve, x, kernel, dy), expected):
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=1e-11)


@pytest.mark.parametrize("kernel_size, channels", [(3, 64), (7, 3)])
def test_too_few_pixels_to_reflect_are_refused(kernel_size, channels):
    """As tf.pad refuses them, which is not always asked."""
    padding = kernel_size // 2
    x, kernel = random(1, 8, padding, 64), random(kernel_size, kernel_size, 64, channels)
    with pytest.raises(ValueError, match=f"8x{padding} pixels is too small for a reflected border"):
        conv2d(x, kernel, 1, padding, "reflect")
