"""Encoders: an image [N,H,W,3] in [-1, 1] -> its content code or its style code."""

import keras
import tensorflow as tf

from munit_tf.networks.layers import ConvBlock, Dense, ResidualBlock

_STYLE_DOWNSAMPLINGS = 4


class ContentEncoder(keras.layers.Layer):
    """Image -> content code [N, H / 2^d, W / 2^d, 2^d dim] (MUNIT, section 5.1; instance norm throughout).

    Args:
        dim: channels after the first convolution.
        num_downsample: d, the number of stride-2 convolutions.
        num_res_blocks: residual blocks at the lowest resolution.
        activation: see `ConvBlock`.
        padding_mode: "reflect" or "zero".
    """

    def __init__(self, dim, num_downsample, num_res_blocks, activation, padding_mode):
        super().__init__()
        common = dict(norm="instance", activation=activation, padding_mode=padding_mode)
        self.convs = [ConvBlock(dim, 7, 1, 3, **common)]
        for _ in range(num_downsample):
            dim *= 2
            self.convs.append(ConvBlock(dim, 4, 2, 1, **common))
        self.res_blocks = [ResidualBlock(dim, **common) for _ in range(num_res_blocks)]

    def call(self, images):
        """images [N,H,W,3] -> content code."""
        x = images
        for block in [*self.convs, *self.res_blocks]:
            x = block(x)
        return x


class StyleEncoder(keras.layers.Layer):
    """Image -> style code [N, style_dim] (MUNIT, section 5.1).

    No normalisation: instance norm would remove the statistics that are the style. Four stride-2
    convolutions, however often the content encoder downsamples; then a global average pool.
    """

    def __init__(self, dim, style_dim, activation, padding_mode):
        super().__init__()
        common = dict(norm="none", activation=activation, padding_mode=padding_mode)
        self.convs = [ConvBlock(dim, 7, 1, 3, **common)]
        for i in range(_STYLE_DOWNSAMPLINGS):
            self.convs.append(ConvBlock(dim * min(2 ** (i + 1), 4), 4, 2, 1, **common))
        self.head = Dense(style_dim)

    def call(self, images):
        """images [N,H,W,3] -> style code [N, style_dim]."""
        x = images
        for block in self.convs:
            x = block(x)
        return self.head(tf.reduce_mean(x, axis=[1, 2]))
