"""The normalizations, against numbers worked out by hand and against the usual variants."""

import numpy as np
import pytest
import tensorflow as tf

from munit_tf import keras_compat
from munit_tf.networks import graph_target
from munit_tf.networks.normalization import LayerNorm, adaptive_instance_norm, instance_norm


def layer_norm(gamma, beta, channels):
    layer = LayerNorm()
    layer.build((None, None, None, channels))
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    return layer


def test_layer_norm_by_hand():
    """mean 2.5, unbiased std sqrt(5/3): (1 - 2.5) / (1.2909944 + 1e-5) = -1.161886."""
    x = np.array([1, 2, 3, 4], "float32").reshape(1, 2, 2, 1)
    y = layer_norm([2.0], [0.5], 1)(x).numpy().ravel()
    np.testing.assert_allclose(
        y, 0.5 + 2 * np.array([-1.16188597, -0.38729532, 0.38729532, 1.16188597]), rtol=3e-6
    )


def test_layer_norm_adds_epsilon_outside_the_root(policy):
    """With std 1e-3 the usual form, sqrt(var + 1e-5), would give a third of these values."""
    policy("float64")
    x = np.random.default_rng(0).standard_normal((2, 4, 4, 3)) * 1e-3
    y = layer_norm(np.ones(3), np.zeros(3), 3)(x).numpy()
    std = x.reshape(2, -1).std(axis=1, ddof=1).reshape(2, 1, 1, 1)
    mean = x.reshape(2, -1).mean(axis=1).reshape(2, 1, 1, 1)
    np.testing.assert_allclose(y, (x - mean) / (std + 1e-5), rtol=1e-9)
    biased = x.reshape(2, -1).std(axis=1).reshape(2, 1, 1, 1)
    assert np.abs(y - (x - mean) / (biased + 1e-5)).max() > 1e-3
    assert np.abs(y - (x - mean) / np.sqrt(std**2 + 1e-5)).max() > 1


def test_layer_norm_starts_as_the_authors_does():
    layer = LayerNorm()
    layer.build((None, None, None, 2000))
    gamma = np.asarray(layer.gamma)
    assert 0 <= gamma.min() < 0.01 and 0.99 < gamma.max() < 1
    assert gamma.mean() == pytest.approx(0.5, abs=0.03)
    assert not np.asarray(layer.beta).any()


@pytest.mark.parametrize("norm", ["instance", "adaptive"])
def test_instance_norms_have_epsilon_1e_5_inside_the_root(norm, policy):
    """With variance 1e-5 the result has variance 1/2; with Keras' 1e-3 it would have 1/101."""
    policy("float64")
    x = np.array([1, -1, 1, -1], float).reshape(1, 2, 2, 1) * 1e-5**0.5
    if norm == "instance":
        y = instance_norm(tf.constant(x)).numpy()
    else:
        y = adaptive_instance_norm(tf.constant(x), tf.ones([1, 1, 1, 1]), tf.zeros([1, 1, 1, 1])).numpy()
    np.testing.assert_allclose(y.ravel(), np.array([1, -1, 1, -1]) / 2**0.5, rtol=1e-6)


def test_adaptive_instance_norm_by_hand():
    x = tf.constant([1.0, 3.0, 1.0, 3.0], shape=(1, 2, 2, 1))
    y = adaptive_instance_norm(x, tf.constant([[[[5.0]]]]), tf.constant([[[[7.0]]]]))
    np.testing.assert_allclose(y.numpy().ravel(), [2, 12, 2, 12], rtol=1e-4)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_statistics_of_half_precision_maps_are_exact(dtype):
    """A mean of 20 with std 1: statistics in bfloat16 would be off by ones."""
    x = tf.cast(tf.random.stateless_normal((1, 32, 32, 4), [1, 2]) + 20, dtype)
    wide = tf.cast(x, tf.float32)
    y = adaptive_instance_norm(x, tf.ones([1, 1, 1, 4]), tf.zeros([1, 1, 1, 4]))
    expected = adaptive_instance_norm(wide, tf.ones([1, 1, 1, 4]), tf.zeros([1, 1, 1, 4]))
    assert y.dtype == dtype
    np.testing.assert_allclose(tf.cast(y, tf.float32).numpy(), expected.numpy(), rtol=0.01, atol=0.01)


def test_addons_instance_norm_is_the_same():
    addons = pytest.importorskip("tensorflow_addons", reason="made for TensorFlow up to 2.15")
    x = tf.random.stateless_normal((2, 5, 4, 3), [1, 2]) * 3 + 7
    expected = addons.layers.InstanceNormalization(epsilon=1e-5, center=False, scale=False)(x)
    np.testing.assert_allclose(instance_norm(x), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("norm", ["adaptive", "layer"])
@pytest.mark.parametrize("dtype, atol", [("float64", 1e-12), ("float32", 1e-5)])
def test_gradients_are_those_of_the_formula(norm, count, dtype, atol, policy):
    """What is traced to be portable is the formula itself, which TensorFlow differentiates."""
    policy(dtype)
    x, dy = (tf.random.stateless_normal((count, 5, 4, 3), [1, i], dtype=dtype) * 2 + 1 for i in range(2))
    if norm == "layer":
        layer = layer_norm(np.arange(1.0, 4.0), np.ones(3), 3)
        function, parameters = layer, [keras_compat.tf_variable(v) for v in (layer.gamma, layer.beta)]
    else:
        parameters = [tf.random.stateless_normal((count, 1, 1, 3), [2, i], dtype=dtype) for i in range(2)]
        function = lambda x: adaptive_instance_norm(x, *parameters)  # noqa: E731

    def result():
        with tf.GradientTape() as tape:
            tape.watch([x, *parameters])
            y = function(x)
        return y, *tape.gradient(y, [x, *parameters], dy)

    with graph_target.portable():
        expected = result()
    for actual, wanted in zip(result(), expected):
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=atol)


def test_layer_norm_of_one_color_has_a_finite_gradient():
    x = tf.ones((1, 4, 4, 3))
    layer = layer_norm(np.ones(3), np.zeros(3), 3)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    assert np.isfinite(tape.gradient(y, x, tf.random.stateless_normal(x.shape, [1, 2]))).all()
