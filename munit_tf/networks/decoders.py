"""Decoders: features, optionally a style code -> an image [N,H,W,3] in [-1, 1].

Common arguments:
    dim: channels before the last convolution.
    num_upsample: d, number of times that the resolution is doubled.
    num_res_blocks: residual blocks at the lowest resolution.
    activation: see `ConvBlock`.
    padding_mode: "reflect" or "zero".
"""

import tensorflow as tf

from munit_tf.keras_compat import CompositeLayer
from munit_tf.networks.layers import (
    ConvBlock,
    ResidualBlock,
    StyledResidualBlocks,
    concat_style,
    run_all,
    run_residual,
)


class Decoder(CompositeLayer):
    """Residual blocks with instance norm, then upsampling as in MUNIT's decoder."""

    def __init__(
        self, dim: int, num_upsample: int, num_res_blocks: int, activation: str, padding_mode: str
    ) -> None:
        super().__init__()
        self.res_blocks = [
            ResidualBlock(dim * 2**num_upsample, "instance", activation, padding_mode)
            for _ in range(num_res_blocks)
        ]
        self.convs, self.to_image = _upsampling(dim, num_upsample, activation, padding_mode)
        self.padding_mode = padding_mode

    def call(self, features: tf.Tensor) -> tf.Tensor:
        """features [N, H / 2^d, W / 2^d, 2^d dim] -> images [N,H,W,3]."""
        x = run_residual(self.res_blocks, features, self.padding_mode)
        return run_all([*self.convs, self.to_image], x)


class AdaINDecoder(StyledResidualBlocks):
    """Residual blocks with AdaIN, then upsampling. An MLP computes the scales and offsets from the style.

    MUNIT, section 5.1. `mlp_dim` is the width of the MLP's two hidden layers.
    """

    def __init__(
        self,
        dim: int,
        num_upsample: int,
        num_res_blocks: int,
        mlp_dim: int,
        activation: str,
        padding_mode: str,
    ) -> None:
        super().__init__(dim * 2**num_upsample, num_res_blocks, mlp_dim, activation, padding_mode)
        self.convs, self.to_image = _upsampling(dim, num_upsample, activation, padding_mode)

    def call(self, content: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
        """content [N, H / 2^d, W / 2^d, 2^d dim], style [N, style_dim] -> images [N,H,W,3]."""
        return run_all([*self.convs, self.to_image], super().call(content, style))


class ConcatDecoder(CompositeLayer):
    """DRIT's decoder: the layers of `Decoder`, with the style code concatenated to their inputs.

    Lee et al. 2018. Instance norm in the residual blocks cancels the style code, the layer norm of the
    upsampling does not. `style_dim` is the length of a style code.
    """

    def __init__(
        self,
        dim: int,
        num_upsample: int,
        num_res_blocks: int,
        style_dim: int,
        activation: str,
        padding_mode: str,
    ) -> None:
        super().__init__()
        self.res_blocks = [
            ResidualBlock(dim * 2**num_upsample + style_dim, "instance", activation, padding_mode)
            for _ in range(num_res_blocks)
        ]
        self.convs, self.to_image = _upsampling(dim, num_upsample, activation, padding_mode)
        self.padding_mode = padding_mode

    def call(self, content: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
        """content [N, H / 2^d, W / 2^d, 2^d dim], style [N,style_dim] -> images [N,H,W,3]."""
        x = run_residual(self.res_blocks, concat_style(content, style), self.padding_mode)
        for conv in self.convs:
            x = conv(concat_style(x, style))
        return self.to_image(concat_style(x, style))


def _upsampling(dim, num_upsample, activation, padding_mode):
    """The convolutions that double the resolution, and the last one, whose output is the image."""
    convs = [
        ConvBlock(
            dim * 2**i, 5, 1, 2, "layer", activation=activation, padding_mode=padding_mode, upsample=True
        )
        for i in reversed(range(num_upsample))
    ]
    return convs, ConvBlock(3, 7, 1, 3, norm="none", activation="tanh", padding_mode=padding_mode)
