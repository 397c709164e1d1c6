"""Discriminators: an image [N,H,W,3] in [-1, 1] -> maps of logits."""

from typing import Any

import keras
import tensorflow as tf

from munit_tf.keras_compat import CompositeLayer
from munit_tf.networks.convolutions import Conv, dcgan_normal
from munit_tf.networks.layers import ConvBlock, downsample


class MultiScaleDiscriminator(CompositeLayer):
    """One network per resolution (full, half, quarter, ...), equal in architecture but not in weights.

    MUNIT, section 5.1, after Wang et al. 2018 (pix2pixHD).

    Args:
        dim: channels after the first convolution.
        num_layers: stride-2 convolutions per scale; all except the first double the channels.
        num_scales: number of resolutions.
        norm: "none", "instance", "layer" (from the second convolution on) or "spectral" (all kernels).
        activation: see `ConvBlock`.
        padding_mode: "reflect" or "zero".
    """

    def __init__(
        self, dim: int, num_layers: int, num_scales: int, norm: str, activation: str, padding_mode: str
    ) -> None:
        super().__init__()
        self.norm = norm
        self.common: dict[str, Any] = dict(
            activation=activation, padding_mode=padding_mode, initializer=dcgan_normal
        )
        self.scales = [self.make_layers(dim, num_layers) for _ in range(num_scales)]

    def make_layers(self, dim: int, num_layers: int) -> list[keras.layers.Layer]:
        """The layers of one scale; the last one has one channel."""
        return [
            *(self.make_block(dim * 2**i, stride=2, first=i == 0) for i in range(num_layers)),
            Conv(1, 1, initializer=dcgan_normal, spectral_norm=self.norm == "spectral"),
        ]

    def make_block(self, filters: int, stride: int, first: bool) -> ConvBlock:
        """A 4x4 convolution with padding 1."""
        norm = "none" if first and self.norm != "spectral" else self.norm
        return ConvBlock(filters, 4, stride, 1, norm, **self.common)

    def call(self, images: tf.Tensor, training: bool = False) -> list[tf.Tensor]:
        """images [N,H,W,3] -> a list of [N,h,w,1], one map of logits per scale."""
        maps = []
        for i, scale in enumerate(self.scales):
            x = images = downsample(images) if i else images
            for layer in scale:
                x = layer(x, training=training)
            maps.append(x)
        return maps


class PatchDiscriminator(MultiScaleDiscriminator):
    """The discriminator of pix2pix (Isola et al. 2017); each logit depends on a patch of the image.

    Two 4x4 convolutions with stride 1 follow the stride-2 convolutions, the first with twice the channels,
    the second with one channel. With 3 layers the patch at full resolution has 70x70 pixels. Channels
    double up to 8 dim.
    """

    def make_layers(self, dim: int, num_layers: int) -> list[keras.layers.Layer]:
        """See MultiScaleDiscriminator."""
        return [
            *(self.make_block(dim * min(2**i, 8), stride=2, first=i == 0) for i in range(num_layers)),
            self.make_block(dim * min(2**num_layers, 8), stride=1, first=False),
            Conv(
                1,
                4,
                padding=1,
                padding_mode=self.common["padding_mode"],
                initializer=dcgan_normal,
                spectral_norm=self.norm == "spectral",
            ),
        ]


class ContentDiscriminator(CompositeLayer):
    """DRIT's content discriminator: content code -> logits of its domain (Lee et al. 2018).

    Args:
        channels: channels of the content code and of every layer.
        num_layers: 7x7 stride-2 convolutions with instance norm.
    """

    def __init__(self, channels: int, num_layers: int) -> None:
        super().__init__()
        self.convs = [
            ConvBlock(channels, 7, 2, 3, "instance", "lrelu", initializer=dcgan_normal)
            for _ in range(num_layers)
        ]
        self.head = Conv(1, 1, initializer=dcgan_normal)

    def call(self, content: tf.Tensor, training: bool = False) -> list[tf.Tensor]:
        """content [N,h,w,C] -> a list with one map of logits [N,h',w',1]."""
        x = content
        for conv in self.convs:
            x = conv(x, training=training)
        return [self.head(x)]


def smallest_content_size(num_layers: int) -> int:
    """The smallest height or width of a content code for a ContentDiscriminator."""
    # A reflected border of 3 needs at least 4 pixels.
    return 2 ** (num_layers + 1)


def smallest_size(num_layers: int, num_scales: int) -> int:
    """The smallest height or width of images for a MultiScaleDiscriminator, in pixels."""
    # A 4x4 stride-2 convolution halves the size, and its reflected border of 1 needs at least 2 pixels.
    return 2 ** (num_layers + num_scales - 1)


def smallest_patch_size(num_layers: int, num_scales: int) -> int:
    """The smallest height or width of images for a PatchDiscriminator, in pixels."""
    # Each stride-1 convolution removes one pixel, and instance norm needs more than one pixel.
    return 3 * 2 ** (num_layers + num_scales - 1)
