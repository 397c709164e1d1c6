"""Convolutions, resampling, spectral normalization and initial weights."""

import numpy as np
import pytest
import tensorflow as tf

from munit_tf import keras_compat
from munit_tf.networks.convolutions import Conv, dcgan_normal, he_normal
from munit_tf.networks.layers import ConvBlock, PReLU, downsample


@pytest.mark.parametrize(
    "mode, expected",
    # A 3x3 kernel of ones over 1..4 in a 2x2 image, its border mirrored without the edge, or zero.
    [("reflect", [27, 24, 21, 18]), ("zero", [10, 10, 10, 10])],
)
def test_conv_pads_on_every_side(mode, expected):
    conv = Conv(1, 3, padding=1, padding_mode=mode)
    x = np.array([1, 2, 3, 4], "float32").reshape(1, 2, 2, 1)
    conv.build(x.shape)
    conv.kernel.assign(np.ones((3, 3, 1, 1)))
    conv.bias.assign([0.0])
    np.testing.assert_array_equal(conv(x).numpy().ravel(), expected)
    conv.bias.assign([0.5])
    np.testing.assert_array_equal(conv(x).numpy().ravel(), np.array(expected) + 0.5)


@pytest.mark.parametrize("mode", ["reflect", "zero"])
@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("size", [(2, 2), (2, 5), (7, 4)])
def test_upsampled_conv_is_a_conv_of_repeated_pixels(mode, kernel_size, size, policy):
    policy("float64")
    options = 3, kernel_size, 1, kernel_size // 2
    plain, fast = (Conv(*options, padding_mode=mode, upsample=upsample) for upsample in (False, True))
    random = np.random.default_rng(0)
    x = tf.constant(random.standard_normal((2, *size, 4)))
    weights = tf.constant(random.standard_normal((2, 2 * size[0], 2 * size[1], 3)))
    plain.build(x.shape), fast.build(x.shape)
    fast.kernel.assign(plain.kernel)
    fast.bias.assign([1.0, 2.0, 3.0]), plain.bias.assign([1.0, 2.0, 3.0])
    results = []
    for layer, resize in ((plain, lambda x: tf.repeat(tf.repeat(x, 2, 1), 2, 2)), (fast, tf.identity)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(resize(x))
            loss = tf.reduce_sum(y * weights)
        kernel, bias = (keras_compat.tf_variable(variable) for variable in (layer.kernel, layer.bias))
        results.append([y, *tape.gradient(loss, [x, kernel, bias])])
    for expected, actual in zip(*results):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "norm, counts",
    [("none", True), ("layer", True), ("spectral", True), ("instance", False), ("adaptive", False)],
)
@pytest.mark.parametrize("upsample", [False, True])
def test_a_bias_before_an_instance_norm_is_neither_added_nor_learnt(norm, counts, upsample):
    """Where it is taken away again; it stays a weight, as in the authors' checkpoints."""
    block = ConvBlock(2, 3, 1, 1, norm, "none", upsample=upsample)
    x = tf.random.stateless_normal((1, 4, 4, 3), [1, 2])
    modulation = (tf.fill((1, 1, 1, 2), 3.0), tf.fill((1, 1, 1, 2), 0.5)) if norm == "adaptive" else ()
    before = block(x, *modulation)
    kernel, bias = (keras_compat.tf_variable(variable) for variable in (block.conv.kernel, block.conv.bias))
    assert kernel.trainable and bias.trainable == counts
    bias.assign([-8.0, 8.0])
    assert np.array_equal(block(x, *modulation), before) != counts


def test_upsampling_is_available_for_two_kernels_only():
    with pytest.raises(ValueError, match="kernel of 7 with stride 1 and padding 3"):
        Conv(1, 7, 1, 3, upsample=True)(tf.zeros([1, 8, 8, 1]))


def test_downsample_begins_outside_and_does_not_count_padding():
    """Windows of a 4x4 image begin at -1: the first holds rows 0 to 1, the second rows 1 to 3."""
    x = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    image = x[0, :, :, 0]
    expected = [image[:2, :2].mean(), image[:2, 1:].mean(), image[1:, :2].mean(), image[1:, 1:].mean()]
    np.testing.assert_allclose(downsample(tf.constant(x)).numpy().ravel(), expected, rtol=1e-6)


@pytest.mark.parametrize("size", [5, 6, 7])
def test_downsample_halves_upwards(size):
    assert downsample(tf.zeros([1, size, size, 1])).shape[1:3] == ((size + 1) // 2,) * 2


def test_spectral_norm_divides_by_the_largest_singular_value():
    conv = Conv(6, 3, spectral_norm=True)
    x = tf.zeros([1, 8, 8, 4])
    conv.build(x.shape)
    kernel = np.random.default_rng(0).standard_normal((3, 3, 4, 6)).astype("float32")
    conv.kernel.assign(kernel)
    for _ in range(60):
        conv(x, training=True)
    largest = np.linalg.svd(kernel.reshape(-1, 6), compute_uv=False)[0]
    probe = np.random.default_rng(1).standard_normal((1, 3, 3, 4)).astype("float32")
    expected = (probe[0, ..., np.newaxis] * kernel).sum(axis=(0, 1, 2)) / largest
    np.testing.assert_allclose(conv(probe).numpy().ravel(), expected, rtol=1e-4)
    np.testing.assert_array_equal(np.asarray(conv.kernel), kernel)  # The weight is not overwritten.


def test_spectral_norm_iterates_in_training_only():
    conv = Conv(6, 3, spectral_norm=True)
    x = tf.zeros([1, 8, 8, 4])
    conv(x)
    before = conv.singular_vector.numpy()
    conv(x)
    np.testing.assert_array_equal(conv.singular_vector.numpy(), before)
    conv(x, training=True)
    assert np.abs(conv.singular_vector.numpy() - before).max() > 1e-3


def test_spectral_norms_gradient_passes_through_the_singular_value():
    """A kernel's gradient is at right angles to it, since its length does not matter any more."""
    conv = Conv(3, 1, spectral_norm=True)
    conv.build((None, 4, 4, 3))
    for _ in range(100):
        conv(tf.zeros([1, 4, 4, 3]), training=True)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(conv(tf.random.stateless_normal([1, 4, 4, 3], [0, 0])))
    kernel = np.asarray(conv.kernel)
    gradient = tape.gradient(loss, conv.trainable_variables)[0].numpy()
    assert abs((gradient * kernel).sum()) < 1e-3 * np.linalg.norm(gradient) * np.linalg.norm(kernel)


@pytest.mark.parametrize(
    "initializer, std", [(he_normal(), (2 / (3 * 3 * 64)) ** 0.5), (dcgan_normal(), 0.02)]
)
def test_initial_kernels_are_normal_and_not_truncated(initializer, std):
    kernel = np.asarray(initializer((3, 3, 64, 256)))
    assert kernel.std() == pytest.approx(std, rel=0.01)
    assert np.abs(kernel).max() > 4 * std  # Truncation would leave nothing beyond two standard deviations.


def test_prelu_starts_with_a_slope_of_a_quarter():
    np.testing.assert_allclose(PReLU()(tf.constant([-2.0, 0.0, 3.0])).numpy(), [-0.5, 0, 3])


@pytest.mark.parametrize(
    "activation, expected",
    [
        ("none", -1),
        ("relu", 0),
        ("lrelu", -0.2),
        ("prelu", -0.25),
        ("selu", -1.1113307),
        ("tanh", -0.7615942),
    ],
)
def test_activations(activation, expected):
    block = ConvBlock(1, 1, 1, 0, "none", activation)
    block.conv.build((None, 1, 1, 1))
    block.conv.kernel.assign([[[[1.0]]]])
    assert block(tf.constant([[[[-1.0]]]])).numpy().item() == pytest.approx(expected, rel=1e-6)
