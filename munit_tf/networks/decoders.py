"""Decoders: a content code and a style code -> an image [N,H,W,3] in [-1, 1]."""

import keras
import tensorflow as tf

from munit_tf.networks.layers import ConvBlock, Dense, ResidualBlock, make_activation, upsample


class AdaINDecoder(keras.layers.Layer):
    """Residual blocks with AdaIN, whose scales and offsets an MLP makes from the style; then upsampling.

    MUNIT, section 5.1.

    Args:
        dim: channels before the last convolution.
        num_upsample: how many times to double the resolution.
        num_res_blocks: residual blocks at the lowest resolution.
        mlp_dim: width of the MLP's two hidden layers.
        activation: see `ConvBlock`; also the MLP's.
        padding_mode: "reflect" or "zero".
    """

    def __init__(self, dim, num_upsample, num_res_blocks, mlp_dim, activation, padding_mode):
        super().__init__()
        common = dict(activation=activation, padding_mode=padding_mode)
        channels = dim * 2**num_upsample
        self.mlp = [Dense(mlp_dim), Dense(mlp_dim), Dense(num_res_blocks * 2 * 2 * channels)]
        self.mlp_activations = [make_activation(activation) for _ in self.mlp[:-1]]
        self.res_blocks = [ResidualBlock(channels, "adaptive", **common) for _ in range(num_res_blocks)]
        self.convs = [
            ConvBlock(dim * 2**i, 5, 1, 2, norm="layer", **common) for i in reversed(range(num_upsample))
        ]
        self.to_image = ConvBlock(3, 7, 1, 3, norm="none", activation="tanh", padding_mode=padding_mode)

    def call(self, content, style):
        """content [N, H / 2^d, W / 2^d, 2^d dim], style [N, style_dim] -> images [N,H,W,3]."""
        x = content
        parameters = self._adain_parameters(tf.cast(style, x.dtype))
        for i, block in enumerate(self.res_blocks):
            x = block(x, parameters[2 * i : 2 * i + 2])
        for conv in self.convs:
            x = conv(upsample(x))
        return self.to_image(x)

    def _adain_parameters(self, style):
        """[(scale, offset)], each [N,1,1,C], in the order of the AdaIN layers."""
        h = style
        for layer, activation in zip(self.mlp, self.mlp_activations):
            h = activation(layer(h))
        h = self.mlp[-1](h)[:, tf.newaxis, tf.newaxis, :]
        # The authors' order: for each layer first the offset, then the scale.
        pieces = tf.split(h, 4 * len(self.res_blocks), axis=-1)
        return list(zip(pieces[1::2], pieces[0::2]))
