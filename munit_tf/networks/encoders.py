"""Encoders: an image [N,H,W,3] in [-1, 1] -> its features or style code.

Common arguments:
    dim: channels after the first convolution.
    num_downsample: d, the number of stride-2 convolutions.
    num_res_blocks: residual blocks at the lowest resolution.
    activation: see `ConvBlock`.
    padding_mode: "reflect" or "zero".
"""

from typing import Any

import tensorflow as tf

from munit_tf.keras_compat import CompositeLayer
from munit_tf.networks.convolutions import InitializerFactory, he_normal
from munit_tf.networks.layers import (
    ConvBlock,
    Dense,
    ResidualBlock,
    StyledResidualBlocks,
    run_all,
    run_normalized,
    run_residual,
)

_STYLE_DOWNSAMPLINGS = 4


class ContentEncoder(CompositeLayer):
    """Image -> content code [N, H / 2^d, W / 2^d, 2^d dim] (MUNIT, section 5.1), with instance norm."""

    def __init__(
        self, dim: int, num_downsample: int, num_res_blocks: int, activation: str, padding_mode: str
    ) -> None:
        super().__init__()
        self.convs = _downsampling(dim, num_downsample, activation, padding_mode)
        self.res_blocks = [
            ResidualBlock(dim * 2**num_downsample, "instance", activation, padding_mode)
            for _ in range(num_res_blocks)
        ]
        self.padding_mode = padding_mode

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """images [N,H,W,3] -> content code."""
        x = run_normalized(self.convs, images, self.padding_mode)
        return run_residual(self.res_blocks, x, self.padding_mode)


class ConditionalEncoder(StyledResidualBlocks):
    """Image and style code -> features [N, H / 2^d, W / 2^d, 2^d dim].

    MISO's encoder; the details are assumed: MUNIT's content encoder with AdaIN in its residual blocks.
    Concatenating the style to the input of the first convolution would have no effect: it adds a
    constant to each channel, which instance norm cancels. `mlp_dim` is as for `AdaINDecoder`.
    """

    def __init__(
        self,
        dim: int,
        num_downsample: int,
        num_res_blocks: int,
        mlp_dim: int,
        activation: str,
        padding_mode: str,
    ) -> None:
        super().__init__(dim * 2**num_downsample, num_res_blocks, mlp_dim, activation, padding_mode)
        self.convs = _downsampling(dim, num_downsample, activation, padding_mode)

    def call(self, images: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
        """images [N,H,W,3], style [N,style_dim] -> features."""
        return super().call(run_normalized(self.convs, images, self.padding_mode), style)


class StyleEncoder(CompositeLayer):
    """Image -> style code [N, style_dim] (MUNIT, section 5.1).

    No normalization: instance norm would remove the statistics that make up the style. Always four
    stride-2 convolutions, then global average pooling. `initializer` is as for `Conv`.
    """

    def __init__(
        self,
        dim: int,
        style_dim: int,
        activation: str,
        padding_mode: str,
        initializer: InitializerFactory = he_normal,
    ) -> None:
        super().__init__()
        common: dict[str, Any] = dict(
            norm="none", activation=activation, padding_mode=padding_mode, initializer=initializer
        )
        self.convs = [ConvBlock(dim, 7, 1, 3, **common)]
        for i in range(_STYLE_DOWNSAMPLINGS):
            self.convs.append(ConvBlock(dim * min(2 ** (i + 1), 4), 4, 2, 1, **common))
        self.head = Dense(style_dim, initializer)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """images [N,H,W,3] -> style code [N, style_dim]."""
        return self.head(self._statistics(images))

    def _statistics(self, images):
        """images [N,H,W,3] -> [N, 4 dim]."""
        return tf.reduce_mean(run_all(self.convs, images), axis=[1, 2])


class VariationalStyleEncoder(StyleEncoder):
    """Image -> distribution of style codes: MUNIT's style encoder with a second head (assumed for MISO)."""

    def __init__(
        self,
        dim: int,
        style_dim: int,
        activation: str,
        padding_mode: str,
        initializer: InitializerFactory = he_normal,
    ) -> None:
        super().__init__(dim, style_dim, activation, padding_mode, initializer)
        self.log_variance_head = Dense(style_dim, initializer)

    def call(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """images [N,H,W,3] -> (mean, log variance), each [N, style_dim]."""
        statistics = self._statistics(images)
        return self.head(statistics), self.log_variance_head(statistics)


def _downsampling(dim, num_downsample, activation, padding_mode):
    """A convolution at full resolution, then `num_downsample` that halve it and double the channels."""
    common = dict(norm="instance", activation=activation, padding_mode=padding_mode)
    return [
        ConvBlock(dim, 7, 1, 3, **common),
        *(ConvBlock(dim * 2 ** (i + 1), 4, 2, 1, **common) for i in range(num_downsample)),
    ]
