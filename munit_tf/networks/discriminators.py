"""Discriminators: an image [N,H,W,3] in [-1, 1] -> maps of logits."""

import keras

from munit_tf.networks.layers import Conv, ConvBlock, dcgan_normal, downsample


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
        common = dict(activation=activation, padding_mode=padding_mode)
        spectral = norm == "spectral"
        self.scales = []
        for _ in range(num_scales):
            blocks = [
                ConvBlock(
                    dim * 2**i,
                    4,
                    2,
                    1,
                    norm if i or spectral else "none",
                    initializer=dcgan_normal(),
                    **common,
                )
                for i in range(num_layers)
            ]
            self.scales.append([*blocks, Conv(1, 1, initializer=dcgan_normal(), spectral_norm=spectral)])

    def call(self, images, training=False):
        """images [N,H,W,3] -> a list of [N,h,w,1], one map of logits per scale."""
        maps = []
        for i, scale in enumerate(self.scales):
            x = images = downsample(images) if i else images
            for layer in scale:
                x = layer(x, training=training)
            maps.append(x)
        return maps


def smallest_size(num_layers, num_scales):
    """The least height or width, in pixels, that every scale can take."""
    # A 4x4 stride-2 convolution with a border of 1 halves, and needs 2 pixels to reflect.
    return 2 ** (num_layers + num_scales - 1)
