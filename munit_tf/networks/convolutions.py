"""Convolutions of [N,H,W,C] feature maps."""

import keras
import tensorflow as tf

from munit_tf import compat
from munit_tf.networks import winograd

PADDINGS = {"reflect": "REFLECT", "zero": "CONSTANT"}


def he_normal():
    """Normal with std sqrt(2 / fan in), not truncated as Keras' own `he_normal` is."""
    return keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")


def dcgan_normal():
    """Normal with std 0.02 (Radford et al. 2016), for discriminators, and for generators after CycleGAN's."""
    return keras.initializers.RandomNormal(0.0, 0.02)


class Conv(keras.layers.Layer):
    """Padding on every side, then a valid convolution with bias.

    Args:
        filters: channels of the output.
        kernel_size: side of the square kernel, in pixels.
        stride: in pixels.
        padding: width of the border added, in pixels.
        padding_mode: "reflect" or "zero".
        initializer: function that makes the kernel's initialiser. Biases start at 0.
        spectral_norm: divide the kernel by its largest singular value (Miyato et al. 2018).
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
    ):
        super().__init__()
        self.filters = filters
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.padding_mode = PADDINGS[padding_mode]
        self.initializer = initializer()
        self.spectral_norm = spectral_norm

    def build(self, input_shape):
        """Makes the kernel [K,K,C_in,C_out] and the bias [C_out]."""
        shape = (self.kernel_size, self.kernel_size, input_shape[-1], self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=self.initializer)
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")
        if self.spectral_norm:
            # Every replica makes the same update from the same kernel, so none need be exchanged.
            self.singular_vector = tf.Variable(
                tf.fill([self.filters], tf.cast(self.filters, self.variable_dtype) ** -0.5),
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )
        self.built = True

    def call(self, x, training=False):
        """x [N,H,W,C_in] -> [N,H',W',C_out]; `training` lets spectral normalisation go on iterating."""
        kernel = tf.cast(self.full_kernel(training), x.dtype)
        x = convolve(x, kernel, self.stride, self.padding, self.padding_mode)
        return tf.nn.bias_add(x, tf.cast(self.bias, x.dtype))

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
    """`x` [N,H,W,C_in] with a border as wide as `padding`, of tf.pad's kind, times `kernel`, without more."""
    if (stride, padding) == (1, 1) and border != "CONSTANT" and winograd.is_faster(x, kernel):
        return winograd.convolve(x, kernel, border)
    if padding:
        x = tf.pad(x, [[0, 0], [padding, padding], [padding, padding], [0, 0]], border)
    return tf.nn.conv2d(x, kernel, stride, "VALID")
