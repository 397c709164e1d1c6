"""The convolution layer, and how its kernels are initialized."""

import keras
import tensorflow as tf

from munit_tf import keras_compat
from munit_tf.networks.conv2d import conv2d


def he_normal():
    """Normal with std sqrt(2 / fan in), not truncated as Keras' own `he_normal` is."""
    return keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")


def dcgan_normal():
    """Normal with std 0.02 (Radford et al. 2016), for discriminators, and for generators after CycleGAN's."""
    return keras.initializers.RandomNormal(0.0, 0.02)


class Conv(keras.layers.Layer):
    """Padding on every side, then a valid convolution, with bias or without.

    Args:
        filters: channels of the output.
        kernel_size: side of the square kernel, in pixels.
        stride: in pixels.
        padding: width of the border added, in pixels.
        padding_mode: "reflect" or "zero".
        upsample: double the resolution first, each pixel becoming 2x2; for a kernel of 3 or 5 that keeps the
            size.
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
        upsample=False,
        initializer=he_normal,
        spectral_norm=False,
        adds_bias=True,
    ):
        super().__init__()
        self.filters = filters
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.padding_mode = padding_mode
        self.upsample = upsample
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
        kernel = keras_compat.full_precision(self.kernel)
        if self.spectral_norm:
            kernel = self._normalized(kernel, training)
        y = conv2d(x, kernel, self.stride, self.padding, self.padding_mode, self.upsample)
        return tf.nn.bias_add(y, tf.cast(self.bias, y.dtype)) if self.adds_bias else y

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
