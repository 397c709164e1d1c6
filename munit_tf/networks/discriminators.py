"""Discriminators: an image [N,H,W,3] in [-1, 1] -> maps of logits."""

import keras

from munit_tf.networks.convolutions import Conv, dcgan_normal
from munit_tf.networks.layers import ConvBlock, downsample


class MultiScaleDiscriminator(keras.layers.Layer):
    """The same architecture, with weights of its own, at full, half, quarter, ... resolution.

    MUNIT, section 5.1, after Wang et al. 2018 (pix2pixHD).

    Args:
        dim: channels after the first convolution.
        num_layers: stride-2 convolutions per scale; each but the first doubles the channels.
        num_scales: how many resolutions.
        norm: "none", "instance", "layer" (from the second convolution on) or "spectral" (of every kernel).
        activation: see `ConvBlock`.
        padding_mode: "reflect" or "zero".
    """

    def __init__(self, dim, num_layers, num_scales, norm, activation, padding_mode):
        super().__init__()
        self.norm = norm
        self.common = dict(activation=activation, padding_mode=padding_mode, initializer=dcgan_normal)
        self.scales = [self.make_layers(dim, num_layers) for _ in range(num_scales)]

    def make_layers(self, dim, num_layers):
        """The layers of one scale, with a last one of one channel."""
        return [
            *(self.make_block(dim * 2**i, stride=2, first=i == 0) for i in range(num_layers)),
            Conv(1, 1, initializer=dcgan_normal, spectral_norm=self.norm == "spectral"),
        ]

    def make_block(self, filters, stride, first):
        """A 4x4 convolution with padding 1."""
        norm = "none" if first and self.norm != "spectral" else self.norm
        return ConvBlock(filters, 4, stride, 1, norm, **self.common)

    def call(self, images, training=False):
        """images [N,H,W,3] -> a list of [N,h,w,1], one map of logits per scale."""
        maps = []
        for i, scale in enumerate(self.scales):
            x = images = downsample(images) if i else images
            for layer in scale:
                x = layer(x, training=training)
            maps.append(x)
        return maps


class PatchDiscriminator(MultiScaleDiscriminator):
    """The discriminator of pix2pix (Isola et al. 2017), whose every logit sees a patch of the image.

    After the stride-2 convolutions come two 4x4 ones of stride 1, the first with twice the channels, the
    second with one. At one scale with 3 layers a patch has 70x70 pixels. Channels double up to 8 dim.
    """

    def make_layers(self, dim, num_layers):
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


class ContentDiscriminator(keras.layers.Layer):
    """Content code -> logits: which domain is it from? DRIT's (Lee et al. 2018), with logits of its own maps.

    Args:
        channels: of the content code, and of every layer.
        num_layers: 7x7 stride-2 convolutions with instance norm.
    """

    def __init__(self, channels, num_layers):
        super().__init__()
        self.convs = [
            ConvBlock(channels, 7, 2, 3, "instance", "lrelu", initializer=dcgan_normal)
            for _ in range(num_layers)
        ]
        self.head = Conv(1, 1, initializer=dcgan_normal)

    def call(self, content, training=False):
        """content [N,h,w,C] -> a list of one map of logits [N,h',w',1]."""
        x = content
        for conv in self.convs:
            x = conv(x, training=training)
        return [self.head(x)]


def smallest_content_size(num_layers):
    """The least height or width of a content code that a ContentDiscriminator can take."""
    # A 7x7 convolution with a border of 3 needs 4 pixels to reflect.
    return 2 ** (num_layers + 1)


def smallest_size(num_layers, num_scales):
    """The least height or width, in pixels, that every scale can take."""
    # A 4x4 stride-2 convolution with a border of 1 halves, and needs 2 pixels to reflect.
    return 2 ** (num_layers + num_scales - 1)


def smallest_patch_size(num_layers, num_scales):
    """The same for a PatchDiscriminator."""
    # The two convolutions of stride 1 take a pixel each, and an instance norm needs more than one pixel.
    return 3 * 2 ** (num_layers + num_scales - 1)
