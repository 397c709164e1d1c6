"""Generators: an image [N,H,W,3] in [-1, 1] -> an image of the other domain, at one go."""

import keras
import tensorflow as tf

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


class ResNetGenerator(keras.layers.Layer):
    """CycleGAN's generator (Zhu et al. 2017, appendix 7.2, after Johnson et al. 2016).

    Its upsampling is nearest-neighbour and a 3x3 convolution, where the paper has a convolution of stride
    1/2, which is known for checkerboard patterns (Odena et al. 2016).

    Args:
        dim: channels after the first convolution.
        num_downsample: stride-2 convolutions; as many times it doubles the resolution later.
        num_res_blocks: residual blocks at the lowest resolution.
        activation: see `ConvBlock`.
        padding_mode: "reflect" or "zero".
        noisy: it gets a noise vector. Then the first convolution has no instance norm, which would take
            the noise away (see `concat_style`).
    """

    def __init__(self, dim, num_downsample, num_res_blocks, activation, padding_mode, noisy):
        super().__init__()
        common = dict(activation=activation, padding_mode=padding_mode, initializer=dcgan_normal)
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

    def call(self, images, noise=None):
        """images [N,H,W,3], where it is noisy also noise [N,D] -> images [N,H,W,3]."""
        variation = variation_of(images, self.padding_mode)
        if noise is None:
            x = run_normalized(self.convs, images, self.padding_mode)
        else:
            x = run_all(self.convs, concat_style(images, noise), variation)
        x = run_residual(self.res_blocks, x, self.padding_mode)
        return run_all([*self.up_convs, self.to_image], x, variation)


class UNet(keras.layers.Layer):
    """BicycleGAN's generator: pix2pix's U-Net, with the style code in every layer of its way down.

    Zhu et al. 2017, section 4 and figure 3. Between the way down and the way up features of each resolution
    are handed across. Upsampling is nearest-neighbour and a 3x3 convolution.

    Args:
        dim: channels after the first convolution; they double up to 8 dim.
        num_downsample: stride-2 convolutions; as many times it doubles the resolution later.
        activation: see `ConvBlock`; on the way up. On the way down it is "lrelu".
        padding_mode: "reflect" or "zero".
    """

    def __init__(self, dim, num_downsample, activation, padding_mode):
        super().__init__()
        common = dict(padding_mode=padding_mode, initializer=dcgan_normal)
        widths = [dim * min(2**i, 8) for i in range(num_downsample)]
        # Without a norm the first layer hears of the style, and the last may see a single pixel.
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

    def call(self, images, style):
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
