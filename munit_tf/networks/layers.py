"""The blocks that every network is made of. Feature maps are [N,H,W,C]."""

import keras
import tensorflow as tf

from munit_tf.networks.convolutions import Conv, he_normal
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
    """max(x, 0) + slope * min(x, 0), one learned slope for all channels, at first 0.25."""

    def build(self, input_shape):
        """Makes the slope, a scalar."""
        self.slope = self.add_weight(name="slope", shape=(), initializer=keras.initializers.Constant(0.25))
        self.built = True

    def call(self, x):
        """X of any shape -> the same shape."""
        return tf.nn.relu(x) - tf.cast(self.slope, x.dtype) * tf.nn.relu(-x)


def make_activation(name):
    """A function of tensors: one of `ACTIVATIONS`, or a layer of its own for "prelu"."""
    return PReLU() if name == "prelu" else ACTIVATIONS[name]


class ConvBlock(keras.layers.Layer):
    """Convolution, normalisation, activation.

    Args:
        filters, kernel_size, stride, padding: as for `Conv`.
        norm: "none", "instance", "layer", "adaptive" (AdaIN: scale and offset are call arguments)
            or "spectral" (of the kernel).
        activation: "none", "relu", "lrelu" (slope 0.2), "prelu", "selu" or "tanh".
        upsample: double the resolution first.
        **conv_options: the rest of `Conv`'s arguments.
    """

    def __init__(
        self, filters, kernel_size, stride, padding, norm, activation, upsample=False, **conv_options
    ):
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
        self.adaptive = norm == "adaptive"
        self.norm = LayerNorm() if norm == "layer" else {"instance": instance_norm}.get(norm)
        self.activation = make_activation(activation)

    def call(self, x, scale=None, offset=None, training=False):
        """[N,H,W,C_in] -> [N,H',W',C_out].

        Args:
            x: [N,H,W,C_in].
            scale: for "adaptive" [N,1,1,C_out]; for "instance" the variation of the network's input
                [N,1,1,1], see `variation_of`, or None; for others None.
            offset: for "adaptive" [N,1,1,C_out], for others None.
            training: lets spectral normalisation update its estimate.
        """
        if self.conv.spectral_norm:  # A second time would change its state again.
            return self._run(x, training=training)
        return recomputed(self._run, x, *(each for each in (scale, offset) if each is not None))

    def _run(self, x, scale=None, offset=None, training=False):
        x = self.conv(x, training=training)
        if self.adaptive:
            x = adaptive_instance_norm(x, scale, offset)
        elif self.norm is instance_norm:
            x = instance_norm(x, scale)
        elif self.norm is not None:
            x = self.norm(x)
        return self.activation(x)


def run_all(layers, x, *variation):
    """One layer after the other, each with the same `variation`, if one is given.

    With `recomputed` what is between them is computed again, too.
    """

    def run(x, *variation):
        for layer in layers:
            x = layer(x, *variation)
        return x

    return recomputed(run, x, *variation)


class ResidualBlock(keras.layers.Layer):
    """X plus two 3x3 convolution blocks of it; no activation after the second, none after the sum."""

    def __init__(self, filters, norm, activation, padding_mode, initializer=he_normal):
        super().__init__()
        common = dict(padding_mode=padding_mode, initializer=initializer)
        self.first = ConvBlock(filters, 3, 1, 1, norm, activation, **common)
        self.second = ConvBlock(filters, 3, 1, 1, norm, "none", **common)

    def call(self, x, modulation=()):
        """x [N,H,W,C]; `modulation`: for each of the two blocks a tuple of its scale and offset, if any."""
        return recomputed(self._run, x, *(each for block in modulation for each in block))

    def _run(self, x, *modulation):
        half = len(modulation) // 2
        return x + self.second(self.first(x, *modulation[:half]), *modulation[half:])


def run_normalized(layers, images, padding_mode):
    """`ConvBlock`s with instance norm, one after the other: images [N,H,W,C] -> [N,H',W',C'].

    With reflected borders the first instance norm removes what is added to a whole channel. So the images'
    first pixel is subtracted: rounding is then relative to how much an image varies, and one with hardly
    any contrast has the same result on every processor. See `variation_of`.
    """
    variation = variation_of(images, padding_mode)
    if padding_mode == "reflect" and images.dtype in (tf.float32, tf.float64):
        images -= tf.stop_gradient(images[:, :1, :1])
    return run_all(layers, images, variation)


def run_residual(blocks, x, padding_mode):
    """Residual blocks with instance norm, one after the other: [N,H,W,C] -> [N,H,W,C]."""
    variation = variation_of(x, padding_mode)
    for block in blocks:
        x = block(x, [(variation,)] * 2)
    return x


class StyledResidualBlocks(keras.layers.Layer):
    """Residual blocks with AdaIN, whose scales and offsets an MLP makes from a style code.

    MUNIT, section 5.1.

    Args:
        channels: of the feature map.
        num_blocks: how many.
        mlp_dim: width of the MLP's two hidden layers.
        activation: see `ConvBlock`; also the MLP's.
        padding_mode: "reflect" or "zero".
    """

    def __init__(self, channels, num_blocks, mlp_dim, activation, padding_mode):
        super().__init__()
        self.mlp = [Dense(mlp_dim), Dense(mlp_dim), Dense(num_blocks * 2 * 2 * channels)]
        self.mlp_activations = [make_activation(activation) for _ in self.mlp[:-1]]
        self.res_blocks = [
            ResidualBlock(channels, "adaptive", activation, padding_mode) for _ in range(num_blocks)
        ]
        self.padding_mode = padding_mode

    def call(self, x, style):
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
        # The authors' order: for each layer first the offset, then the scale.
        pieces = tf.split(h, 4 * len(self.res_blocks), axis=-1)
        return list(zip(pieces[1::2], pieces[0::2]))


class Dense(keras.layers.Layer):
    """x [N,C_in] -> [N,units], with bias; `initializer` makes the kernel's initialiser."""

    def __init__(self, units, initializer=he_normal):
        super().__init__()
        self.units = units
        self.initializer = initializer()

    def build(self, input_shape):
        """Makes the kernel [C_in,units] and the bias [units]."""
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], self.units), initializer=self.initializer
        )
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")
        self.built = True

    def call(self, x):
        """x [N,C_in] -> [N,units]."""
        return tf.matmul(x, tf.cast(self.kernel, x.dtype)) + tf.cast(self.bias, x.dtype)


def concat_style(x, code):
    """A code [N,D] at every pixel, as further channels: [N,H,W,C] -> [N,H,W,C+D].

    A convolution turns it into a constant per channel, which an instance norm that follows at once takes
    away again: one of its layers must have none.
    """
    code = tf.cast(code, x.dtype)[:, tf.newaxis, tf.newaxis, :]
    return tf.concat([x, code + tf.zeros_like(x[..., :1])], axis=-1)


def downsample(x):
    """Average pool 3x3, stride 2, padding 1, the padding not counted: [N,H,W,C] -> [N,(H+1)//2,(W+1)//2,C].

    Windows begin at -1 for even sizes, too, unlike those of TensorFlow's SAME padding.
    """
    border = [[0, 0], [1, 1], [1, 1], [0, 0]]
    total = tf.nn.avg_pool2d(tf.pad(x, border), 3, 2, "VALID")
    count = tf.nn.avg_pool2d(tf.pad(tf.ones_like(x[:1, :, :, :1]), border), 3, 2, "VALID")
    return total / count
