"""Convolutions of [N,H,W,C] feature maps."""

import itertools

import keras
import tensorflow as tf

from munit_tf import compat, tracing
from munit_tf.networks import counting, winograd
from munit_tf.networks.borders import pad

PADDINGS = {"reflect": "REFLECT", "zero": "CONSTANT"}
_FEW_CHANNELS = 4


def he_normal():
    """Normal with std sqrt(2 / fan in), not truncated as Keras' own `he_normal` is."""
    return keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")


def dcgan_normal():
    """Normal with std 0.02 (Radford et al. 2016), for discriminators, and for generators after CycleGAN's."""
    return keras.initializers.RandomNormal(0.0, 0.02)


class Conv(counting.Layer):
    """Padding on every side, then a valid convolution, with bias or without.

    Args:
        filters: channels of the output.
        kernel_size: side of the square kernel, in pixels.
        stride: in pixels.
        padding: width of the border added, in pixels.
        padding_mode: "reflect" or "zero".
        initializer: function that makes the kernel's initialiser. Biases start at 0.
        spectral_norm: divide the kernel by its largest singular value (Miyato et al. 2018).
        adds_bias: False where an instance norm follows, which would take it away again. The bias is a weight
            then, too, as in the authors' checkpoints, but stays as it is.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        stride=1,
        padding=0,
        padding_mode="reflect",
        initializer=he_normal,
        spectral_norm=False,
        adds_bias=True,
    ):
        super().__init__()
        self.filters = filters
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.padding_mode = PADDINGS[padding_mode]
        self.initializer = initializer()
        self.spectral_norm = spectral_norm
        self.adds_bias = adds_bias

    def build(self, input_shape):
        """Makes the kernel [K,K,C_in,C_out] and the bias [C_out]."""
        shape = (self.kernel_size, self.kernel_size, input_shape[-1], self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=self.initializer)
        self.bias = self.add_weight(
            name="bias", shape=(self.filters,), initializer="zeros", trainable=self.adds_bias
        )
        if self.spectral_norm:
            self.singular_vector = self.add_state(
                (self.filters,), tf.cast(self.filters, self.variable_dtype) ** -0.5
            )
        self.built = True

    def call(self, x, training=False):
        """x [N,H,W,C_in] -> [N,H',W',C_out]; `training` lets spectral normalisation go on iterating."""
        if counting.is_on():
            return counting.convolved(x, self.kernel.shape, self.stride, self.padding)
        kernel = tf.cast(self.full_kernel(training), x.dtype)
        return self.biased(convolve(x, kernel, self.stride, self.padding, self.padding_mode))

    def biased(self, y):
        """`y` [N,H,W,C_out] plus the bias, if it is to be added."""
        return tf.nn.bias_add(y, tf.cast(self.bias, y.dtype)) if self.adds_bias else y

    def full_kernel(self, training=False):
        """The kernel [K,K,C_in,C_out] that convolves, as it is stored, not in half precision."""
        kernel = compat.full_precision(self.kernel)
        return self._normalized(kernel, training) if self.spectral_norm else kernel

    def _normalized(self, kernel, training):
        """The kernel over its largest singular value, by one step of the power iteration.

        The gradient passes through the singular value and not through the vectors. Addons' and
        Keras' layers overwrite the kernel with the quotient instead, so that the optimiser's weights
        are no longer what it left, and cannot do so in a replica of `tf.distribute`.
        """
        matrix = tf.reshape(kernel, [-1, self.filters])
        right = tf.linalg.l2_normalize(tf.linalg.matvec(matrix, self.singular_vector))
        left = tf.linalg.l2_normalize(tf.linalg.matvec(matrix, right, transpose_a=True))
        right, left = tf.stop_gradient(right), tf.stop_gradient(left)
        if training:
            self.singular_vector.assign(left)
        return kernel / tf.tensordot(right, tf.linalg.matvec(matrix, left), 1)


def convolve(x, kernel, stride, padding, border):
    """A convolution without bias, in the way that is the fastest for its shape.

    Args:
        x: [N,H,W,C_in].
        kernel: [K,K,C_in,C_out].
        stride: in pixels.
        padding: width of the border added on every side, in pixels.
        border: its kind, as in tf.pad.

    Returns:
        [N,H',W',C_out].

    Raises:
        ValueError: there are fewer pixels than a reflected border needs.
    """
    if border == "REFLECT" and any(side is not None and side <= padding for side in x.shape[1:3]):
        raise ValueError(
            f"a map of {x.shape[1]}x{x.shape[2]} pixels is too small for a reflected border of {padding}"
        )
    size, _, channels_in, channels_out = kernel.shape
    if stride == 1 and size == 2 * padding + 1 and tracing.is_for_cpu():
        if size == 3 and border != "CONSTANT" and winograd.is_faster(x, kernel):
            return winograd.convolve(x, kernel, border)
        if size >= 7 and channels_out <= _FEW_CHANNELS < channels_in:
            return _convolve_in_phases(x, kernel, padding, border)
    return tf.nn.conv2d(pad(x, padding, border), kernel, stride, "VALID")


def _convolve_in_phases(x, kernel, padding, border):
    """A convolution of stride 1 and an odd kernel as one of stride 2 with a filter for each of 2x2 outputs.

    For a few filters, which leave most of a processor's vector empty: a third more multiplications for a
    kernel of 7, in less than half of the time.
    """
    size, _, channels_in, channels_out = kernel.shape
    _, height, width, _ = tracing.sizes(x)
    x = pad(x, padding, border, more=(height % 2, width % 2))
    shifted = [
        tf.pad(kernel, [[p, 1 - p], [q, 1 - q], [0, 0], [0, 0]])
        for p, q in itertools.product((0, 1), repeat=2)
    ]
    phases = tf.reshape(tf.stack(shifted, axis=3), [size + 1, size + 1, channels_in, 4 * channels_out])
    y = tf.nn.depth_to_space(tf.nn.conv2d(x, phases, 2, "VALID"), 2)
    return y[:, :height, :width]
