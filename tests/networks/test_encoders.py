"""Encoders that a style goes into, or that give a distribution of styles."""

import numpy as np
import pytest
import tensorflow as tf

from munit_tf.networks.decoders import AdaINDecoder, Decoder
from munit_tf.networks.encoders import (
    ConditionalEncoder,
    ContentEncoder,
    StyleEncoder,
    VariationalStyleEncoder,
)

COMMON = dict(activation="relu", padding_mode="reflect")


@pytest.fixture
def images():
    return tf.constant(np.random.default_rng(0).uniform(-1, 1, (2, 16, 24, 3)).astype("float32"))


def copy(source, target):
    """Sets each weight of `target` from the one of `source` at the same place."""
    for mine, theirs in zip(target.weights, source.weights):
        mine.assign(theirs)


def test_conditional_encoder_depends_on_the_style_and_has_features_of_the_contents_shape(images):
    encoder = ConditionalEncoder(4, 2, 1, 8, **COMMON)
    first, second = (encoder(images, tf.constant([style] * 2)) for style in ([0.5, -1.0], [-0.5, 1.0]))
    assert first.shape == (2, 4, 6, 16)
    assert float(tf.reduce_mean(tf.abs(first - second))) > 0.1


def test_a_style_tiled_onto_a_convolution_before_instance_norm_would_do_nothing(images):
    """Why it enters by AdaIN: a constant of each channel is what instance norm takes away."""
    encoder = ContentEncoder(4, 2, 1, "relu", "reflect")

    def encode(style):
        tiled = tf.broadcast_to(tf.reshape(style, [1, 1, 1, 2]), [2, 16, 24, 2])
        return encoder(tf.concat([images, tiled], axis=-1))

    np.testing.assert_allclose(encode([0.5, -1.0]), encode([-3.0, 2.0]), atol=1e-4)


def test_conditional_encoder_is_the_content_encoder_where_adain_does_nothing(images):
    """Scale 1 and offset 0 from the MLP's last layer, whatever the style."""
    content, conditional = ContentEncoder(4, 1, 2, **COMMON), ConditionalEncoder(4, 1, 2, 8, **COMMON)
    style = tf.constant([[1.0, -2.0]] * 2)
    content(images), conditional(images, style)
    for name in ("convs", "res_blocks"):
        for source, target in zip(getattr(content, name), getattr(conditional, name)):
            copy(source, target)
    conditional.mlp[-1].kernel.assign(tf.zeros_like(conditional.mlp[-1].kernel))
    # For each of four layers of 8 channels first the offsets, then the scales.
    conditional.mlp[-1].bias.assign(np.tile(np.repeat([0.0, 1.0], 8), 4))
    np.testing.assert_allclose(conditional(images, style), content(images), atol=1e-5)


def test_decoder_without_style_is_the_one_with_style_where_adain_does_nothing():
    features = tf.random.stateless_normal([2, 4, 6, 16], [0, 0])
    plain, styled = Decoder(4, 2, 1, **COMMON), AdaINDecoder(4, 2, 1, 8, **COMMON)
    style = tf.constant([[1.0, -2.0]] * 2)
    assert plain(features).shape == (2, 16, 24, 3)
    styled(features, style)
    for source, target in zip([*plain.res_blocks, *plain.convs], [*styled.res_blocks, *styled.convs]):
        copy(source, target)
    copy(plain.to_image, styled.to_image)
    styled.mlp[-1].kernel.assign(tf.zeros_like(styled.mlp[-1].kernel))
    styled.mlp[-1].bias.assign(np.tile(np.repeat([0.0, 1.0], 16), 2))
    np.testing.assert_allclose(styled(features, style), plain(features), atol=1e-5)


def test_variational_style_encoders_mean_is_the_style_encoders_code(images):
    plain, variational = StyleEncoder(4, 3, **COMMON), VariationalStyleEncoder(4, 3, **COMMON)
    plain(images)
    mean, log_variance = variational(images)
    assert mean.shape == log_variance.shape == (2, 3)
    for source, target in zip([*plain.convs, plain.head], [*variational.convs, variational.head]):
        copy(source, target)
    mean, unchanged = variational(images)
    np.testing.assert_allclose(mean, plain(images), atol=1e-6)
    assert np.abs(mean - unchanged).max() > 0.01
