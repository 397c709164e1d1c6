"""The layers and blocks that the networks share. Feature maps are [N,H,W,C]."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from munit_tf.keras_compat import CompositeLayer
from munit_tf.networks.convolutions import Conv, InitializerFactory, he_normal
from munit_tf.networks.gradient_checkpointing import recomputed
from munit_tf.networks.normalization import LayerNorm, adaptive_instance_norm, instance_norm, variation_of

ACTIVATIONS = {
    "none": tf.identity,
    "relu": tf.nn.relu,
    "lrelu": lambda x: tf.nn.leaky_relu(x, 0.2),
    "selu": tf.nn.selu,
    "tanh": tf.nn.tanh,
}


class PReLU(keras.layers.Layer):
    """max(x, 0) + slope * min(x, 0); one learned slope for all channels, initially 0.25."""

    def build(self, input_shape: Sequence[int]) -> None:
        """Creates the slope, a scalar."""
        self.slope = self.add_weight(name="slope", shape=(), initializer=keras.initializers.Constant(0.25))
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """x of any shape -> the same shape."""
        return tf.nn.relu(x) - tf.cast(self.slope, x.dtype) * tf.nn.relu(-x)


def make_activation(name: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """One of `ACTIVATIONS`, or a new `PReLU` layer for "prelu"."""
    return PReLU() if name == "prelu" else ACTIVATIONS[name]


class ConvBlock(CompositeLayer):
    """Convolution, normalization, activation.

    Args:
        filters, kernel_size, stride, padding: as for `Conv`.
        norm: "none", "instance", "layer", "adaptive" (AdaIN: scale and offset are call arguments)
            or "spectral" (applied to the kernel).
        activation: "none", "relu", "lrelu" (slope 0.2), "prelu", "selu" or "tanh".
        upsample: double the resolution first.
        **conv_options: other arguments of `Conv`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        stride: int,
        padding: int,
        norm: str,
        activation: str,
        upsample: bool = False,
        **conv_options: Any,
    ) -> None:
        super().__init__()
        self.conv = Conv(
            filters,
            kernel_size,
            stride,
            padding,
            upsample=upsample,
            spectral_norm=norm == "spectral",
            adds_bias=norm not in ("instance", "adaptive"),
            **conv_options,
        )
        norms = {"instance": instance_norm, "adaptive": adaptive_instance_norm}
        self.norm = LayerNorm() if norm == "layer" else norms.get(norm)
        self.activation = make_activation(activation)

    def call(
        self,
        x: tf.Tensor,
        scale: tf.Tensor | None = None,
        offset: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """[N,H,W,C_in] -> [N,H',W',C_out].

        Args:
            x: [N,H,W,C_in].
            scale: for "adaptive" [N,1,1,C_out]; for "instance" None or the variation of the network's input
                [N,1,1,1], see `variation_of`, which is a scale, too; unused without a norm.
            offset: for "adaptive" [N,1,1,C_out], else None.
            training: whether spectral normalization updates its state.
        """
        if self.conv.spectral_norm:  # Recomputation would update its state twice.
            return self._run(x, training=training)
        return recomputed(self._run, x, *(each for each in (scale, offset) if each is not None))

    def _run(self, x, *modulation, training=False):
        x = self.conv(x, training=training)
        if self.norm is not None:
            x = self.norm(x, *modulation)
        return self.activation(x)


def run_all(layers: Iterable[keras.layers.Layer], x: tf.Tensor, *variation: tf.Tensor) -> tf.Tensor:
    """Applies layers in order, each with the same `variation` if it is given.

    Inside `recomputing` the intermediate results are recomputed for the gradient.
    """

    def run(x, *variation):
        for layer in layers:
            x = layer(x, *variation)
        return x

    return recomputed(run, x, *variation)


class ResidualBlock(CompositeLayer):
    """x + block(block(x)) with 3x3 convolutions; no activation after the second block or the sum."""

    def __init__(
        self,
        filters: int,
        norm: str,
        activation: str,
        padding_mode: str,
        initializer: InitializerFactory = he_normal,
    ) -> None:
        super().__init__()
        common: dict[str, Any] = dict(padding_mode=padding_mode, initializer=initializer)
        self.first = ConvBlock(filters, 3, 1, 1, norm, activation, **common)
        self.second = ConvBlock(filters, 3, 1, 1, norm, "none", **common)

    def call(self, x: tf.Tensor, modulation: Sequence[tuple[tf.Tensor, ...]] = ()) -> tf.Tensor:
        """x [N,H,W,C] -> the same shape; `modulation`: (scale, offset) or (variation,) for each block."""
        return recomputed(self._run, x, *(each for block in modulation for each in block))

    def _run(self, x, *modulation):
        half = len(modulation) // 2
        return x + self.second(self.first(x, *modulation[:half]), *modulation[half:])


def run_normalized(layers: Iterable[keras.layers.Layer], images: tf.Tensor, padding_mode: str) -> tf.Tensor:
    """Applies `ConvBlock`s with instance norm in order: images [N,H,W,C] -> [N,H',W',C'].

    With reflected borders the first instance norm cancels a constant that is added to a channel. Subtracting
    the first pixel of each image therefore changes only the rounding error, which becomes relative to the
    contrast of the image. Images of low contrast then have the same result on every processor. See
    `variation_of`.
    """
    variation = variation_of(images, padding_mode)
    if padding_mode == "reflect" and images.dtype in (tf.float32, tf.float64):
        images -= tf.stop_gradient(images[:, :1, :1])
    return run_all(layers, images, variation)


def run_residual(blocks: Iterable[ResidualBlock], x: tf.Tensor, padding_mode: str) -> tf.Tensor:
    """Applies residual blocks with instance norm in order: [N,H,W,C] -> [N,H,W,C]."""
    variation = variation_of(x, padding_mode)
    for block in blocks:
        x = block(x, [(variation,)] * 2)
    return x


class StyledResidualBlocks(CompositeLayer):
    """Residual blocks with AdaIN. An MLP computes the scales and offsets from a style code.

    MUNIT, section 5.1.

    Args:
        channels: channels of the feature map.
        num_blocks: number of residual blocks.
        mlp_dim: width of the MLP's two hidden layers.
        activation: of the blocks and the MLP; see `ConvBlock`.
        padding_mode: "reflect" or "zero".
    """

    def __init__(
        self, channels: int, num_blocks: int, mlp_dim: int, activation: str, padding_mode: str
    ) -> None:
        super().__init__()
        self.mlp = [Dense(mlp_dim), Dense(mlp_dim), Dense(num_blocks * 2 * 2 * channels)]
        self.mlp_activations = [make_activation(activation) for _ in self.mlp[:-1]]
        self.res_blocks = [
            ResidualBlock(channels, "adaptive", activation, padding_mode) for _ in range(num_blocks)
        ]
        self.padding_mode = padding_mode

    def call(self, x: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
        """x [N,H,W,C], style [N,style_dim] -> [N,H,W,C]."""
        variation = variation_of(x, self.padding_mode)
        parameters = [
            (scale * variation, offset) for scale, offset in self._adain_parameters(tf.cast(style, x.dtype))
        ]
        for i, block in enumerate(self.res_blocks):
            x = block(x, parameters[2 * i : 2 * i + 2])
        return x

    def _adain_parameters(self, style):
        """[(scale, offset)], each [N,1,1,C], in the order of the AdaIN layers."""
        h = style
        for layer, activation in zip(self.mlp, self.mlp_activations):
            h = activation(layer(h))
        h = self.mlp[-1](h)[:, tf.newaxis, tf.newaxis, :]
        # As in the authors' code, the offset of each layer precedes its scale.
        pieces = tf.split(h, 4 * len(self.res_blocks), axis=-1)
        return list(zip(pieces[1::2], pieces[0::2]))


class Dense(keras.layers.Layer):
    """x [N,C_in] -> [N,units], with bias; `initializer` returns the kernel's initializer."""

    def __init__(self, units: int, initializer: InitializerFactory = he_normal) -> None:
        super().__init__()
        self.units = units
        self.initializer = initializer()

    def build(self, input_shape: Sequence[int]) -> None:
        """Creates the kernel [C_in,units] and the bias [units]."""
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], self.units), initializer=self.initializer
        )
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """x [N,C_in] -> [N,units]."""
        return tf.matmul(x, tf.cast(self.kernel, x.dtype)) + tf.cast(self.bias, x.dtype)


def concat_style(x: tf.Tensor, code: tf.Tensor) -> tf.Tensor:
    """Appends a code [N,D] to the channels of every pixel: [N,H,W,C] -> [N,H,W,C+D].

    A convolution turns the code into a constant per channel. An instance norm that follows directly cancels
    it, so at least one layer that takes the code must have no instance norm.
    """
    code = tf.cast(code, x.dtype)[:, tf.newaxis, tf.newaxis, :]
    return tf.concat([x, code + tf.zeros_like(x[..., :1])], axis=-1)


def downsample(x: tf.Tensor) -> tf.Tensor:
    """Average pooling: [N,H,W,C] -> [N,(H+1)//2,(W+1)//2,C].

    Windows of 3x3 with stride 2 and padding 1. The mean does not include the padding. Windows start at -1
    for even sizes too, unlike TensorFlow's SAME padding.
    """
    border = [[0, 0], [1, 1], [1, 1], [0, 0]]
    total = tf.nn.avg_pool2d(tf.pad(x, border), 3, 2, "VALID")
    count = tf.nn.avg_pool2d(tf.pad(tf.ones_like(x[:1, :, :, :1]), border), 3, 2, "VALID")
    return total / count
