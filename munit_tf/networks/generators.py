"""Generators: an image [N,H,W,3] in [-1, 1] -> an image of the other domain."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from munit_tf.keras_compat import CompositeLayer
from munit_tf.networks.convolutions import dcgan_normal
from munit_tf.networks.layers import (
    ConvBlock,
    ResidualBlock,
    concat_style,
    make_activation,
    run_all,
    run_normalized,
    run_residual,
)
from munit_tf.networks.normalization import variation_of


class ResNetGenerator(CompositeLayer):
    """CycleGAN's generator (Zhu et al. 2017, appendix 7.2, after Johnson et al. 2016).

    It upsamples by nearest-neighbor upsampling and a 3x3 convolution. The paper's transposed convolution
    produces checkerboard patterns (Odena et al. 2016).

    Args:
        dim: channels after the first convolution.
        num_downsample: number of stride-2 convolutions, and of upsampling layers.
        num_res_blocks: residual blocks at the lowest resolution.
        activation: see `ConvBlock`.
        padding_mode: "reflect" or "zero".
        noisy: whether it takes a noise vector. Then the first convolution has no instance norm, which
            would cancel the noise (see `concat_style`).
    """

    def __init__(
        self,
        dim: int,
        num_downsample: int,
        num_res_blocks: int,
        activation: str,
        padding_mode: str,
        noisy: bool,
    ) -> None:
        super().__init__()
        common: dict[str, Any] = dict(
            activation=activation, padding_mode=padding_mode, initializer=dcgan_normal
        )
        self.convs = [ConvBlock(dim, 7, 1, 3, "none" if noisy else "instance", **common)]
        for i in range(num_downsample):
            self.convs.append(ConvBlock(dim * 2 ** (i + 1), 3, 2, 1, "instance", **common))
        self.res_blocks = [
            ResidualBlock(dim * 2**num_downsample, "instance", **common) for _ in range(num_res_blocks)
        ]
        self.up_convs = [
            ConvBlock(dim * 2**i, 3, 1, 1, "instance", upsample=True, **common)
            for i in reversed(range(num_downsample))
        ]
        self.to_image = ConvBlock(3, 7, 1, 3, "none", **{**common, "activation": "tanh"})
        self.padding_mode = padding_mode

    def call(self, images: tf.Tensor, noise: tf.Tensor | None = None) -> tf.Tensor:
        """images [N,H,W,3], noise [N,D] if noisy -> images [N,H,W,3]."""
        variation = variation_of(images, self.padding_mode)
        if noise is None:
            x = run_normalized(self.convs, images, self.padding_mode)
        else:
            x = run_all(self.convs, concat_style(images, noise), variation)
        x = run_residual(self.res_blocks, x, self.padding_mode)
        return run_all([*self.up_convs, self.to_image], x, variation)


class UNet(CompositeLayer):
    """BicycleGAN's generator: pix2pix's U-Net with the style code in every downsampling layer.

    Zhu et al. 2017, section 4 and figure 3. Skip connections join layers of equal resolution. It upsamples by
    nearest-neighbor upsampling and a 3x3 convolution.

    Args:
        dim: channels after the first convolution; they double up to 8 dim.
        num_downsample: number of stride-2 convolutions, and of upsampling layers.
        activation: of the upsampling layers, see `ConvBlock`. The downsampling layers use "lrelu".
        padding_mode: "reflect" or "zero".
    """

    def __init__(self, dim: int, num_downsample: int, activation: str, padding_mode: str) -> None:
        super().__init__()
        common: dict[str, Any] = dict(padding_mode=padding_mode, initializer=dcgan_normal)
        widths = [dim * min(2**i, 8) for i in range(num_downsample)]
        # Instance norm would cancel the style in the first layer, and the last one may have a single pixel.
        norms = ["none", *["instance"] * (num_downsample - 2), "none"][:num_downsample]
        self.down_convs = [
            ConvBlock(width, 4, 2, 1, norm, "lrelu", **common) for width, norm in zip(widths, norms)
        ]
        self.activations = [make_activation(activation) for _ in widths]
        self.up_convs = [
            ConvBlock(width, 3, 1, 1, "instance", "none", upsample=True, **common)
            for width in reversed(widths[:-1])
        ]
        self.to_image = ConvBlock(3, 3, 1, 1, "none", "tanh", upsample=True, **common)
        self.padding_mode = padding_mode

    def call(self, images: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
        """images [N,H,W,3], style [N,style_dim] -> images [N,H,W,3]."""
        variation = variation_of(images, self.padding_mode)
        x, skipped = images, []
        for conv in self.down_convs:
            x = conv(concat_style(x, style), variation)
            skipped.append(x)
        skipped.pop()
        for activation, conv in zip(self.activations, self.up_convs):
            x = tf.concat([conv(activation(x), variation), skipped.pop()], axis=-1)
        return self.to_image(self.activations[-1](x))
