"""Generators that take an image, and what they hear of a code."""

import numpy as np
import pytest
import tensorflow as tf

from munit_tf.networks.decoders import ConcatDecoder
from munit_tf.networks.generators import ResNetGenerator, UNet
from munit_tf.networks.layers import concat_style

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 16, 24, 3)).astype("float32")
CODES = [np.full((2, 2), value, "float32") for value in (-1, 1)]


def test_code_is_at_every_pixel():
    x = concat_style(tf.zeros([2, 3, 4, 5]), tf.constant([[1.0, 2.0], [3.0, 4.0]]))
    assert x.shape == (2, 3, 4, 7)
    np.testing.assert_array_equal(x[..., :5].numpy(), 0)
    np.testing.assert_array_equal(x[1, 2, 3, 5:].numpy(), [3, 4])
    np.testing.assert_array_equal(x[0, 0, 0, 5:].numpy(), [1, 2])


def differences(network, inputs):
    """Largest difference that the code makes; the output's shape is the images'."""
    outputs = [network(inputs, code).numpy() for code in CODES]
    assert outputs[0].shape == IMAGES.shape and np.abs(outputs).max() <= 1
    return np.abs(outputs[0] - outputs[1]).max()


@pytest.mark.parametrize("num_downsample", [1, 2, 3])
def test_unet_hears_the_style(num_downsample):
    assert differences(UNet(4, num_downsample, "relu", "zero"), IMAGES) > 1e-3


def test_resnet_generator_hears_noise_only_without_the_first_norm():
    common = dict(activation="relu", padding_mode="reflect")
    assert differences(ResNetGenerator(4, 1, 1, **common, noisy=True), IMAGES) > 1e-3
    assert differences(ResNetGenerator(4, 1, 1, **common, noisy=False), IMAGES) < 1e-4


@pytest.mark.parametrize("num_upsample", [0, 2])
def test_concat_decoder_hears_the_style(num_upsample):
    scale = 2**num_upsample
    content = np.random.default_rng(0).standard_normal((2, 16 // scale, 24 // scale, 4 * scale))
    decoder = ConcatDecoder(4, num_upsample, 1, 2, "relu", "reflect")
    assert differences(decoder, content.astype("float32")) > 1e-3


def test_unet_of_256_pixels_comes_down_to_one():
    network = UNet(1, 8, "relu", "zero")
    network(tf.zeros([1, 256, 256, 3]), tf.zeros([1, 2]))
    widths = [conv.conv.kernel.shape[-1] for conv in network.down_convs]
    assert widths == [1, 2, 4, 8, 8, 8, 8, 8]
    # Every layer of the downsampling path gets the style: its input has two more channels.
    assert [conv.conv.kernel.shape[2] for conv in network.down_convs] == [
        3 + 2,
        *(w + 2 for w in widths[:-1]),
    ]
