"""The convolution layer and the initializers of its kernels."""

from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf

from munit_tf import keras_compat
from munit_tf.networks.conv2d import conv2d

InitializerFactory = Callable[[], keras.initializers.Initializer]


def he_normal() -> keras.initializers.Initializer:
    """Normal with std sqrt(2 / fan in), not truncated, unlike `he_normal` of Keras."""
    return keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")


def dcgan_normal() -> keras.initializers.Initializer:
    """Normal with std 0.02 (Radford et al. 2016), for discriminators and for CycleGAN's generators."""
    return keras.initializers.RandomNormal(0.0, 0.02)


def orthogonalize(weights: Mapping[str, tf.Variable]) -> None:
    """Sets every kernel to a random matrix with orthonormal columns or rows (Saxe et al. 2014).

    Args:
        weights: {name: weight}; kernels are those whose name ends in "kernel". Their last axis is that of
            the outputs, the others are the rows of the matrix.
    """
    for name, weight in weights.items():
        if name.endswith("kernel"):
            weight.assign(keras.initializers.Orthogonal()(weight.shape, dtype=weight.dtype))


class Conv(keras.layers.Layer):
    """Padding on every side, then a convolution without further padding, with or without bias.

    Args:
        filters: number of output channels.
        kernel_size: side of the square kernel, in pixels.
        stride: in pixels.
        padding: width of the border on each side, in pixels.
        padding_mode: "reflect" or "zero".
        upsample: double the resolution first by nearest-neighbor upsampling; for a kernel of 3 or 5 with
            the padding that keeps the size.
        initializer: function that returns the kernel's initializer. Biases start at 0.
        spectral_norm: divide the kernel by its largest singular value (Miyato et al. 2018).
        adds_bias: False if an instance norm follows, which would cancel the bias. The weight exists
            anyway, as in the authors' checkpoints, but is not trained.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        padding_mode: str = "reflect",
        upsample: bool = False,
        initializer: InitializerFactory = he_normal,
        spectral_norm: bool = False,
        adds_bias: bool = True,
    ) -> None:
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

    def build(self, input_shape: Sequence[int]) -> None:
        """Creates the kernel [K,K,C_in,C_out] and the bias [C_out]."""
        shape = (self.kernel_size, self.kernel_size, input_shape[-1], self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=self.initializer)
        self.bias = self.add_weight(
            name="bias", shape=(self.filters,), initializer="zeros", trainable=self.adds_bias
        )
        if self.spectral_norm:
            # Every replica computes the same update from the same kernel, so no synchronization is needed.
            self.singular_vector = tf.Variable(
                tf.fill([self.filters], tf.cast(self.filters, self.variable_dtype) ** -0.5),
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """x [N,H,W,C_in] -> [N,H',W',C_out]; with `training`, spectral normalization updates its state."""
        kernel = keras_compat.full_precision(self.kernel)
        if self.spectral_norm:
            kernel = self._normalized(kernel, training)
        y = conv2d(x, kernel, self.stride, self.padding, self.padding_mode, self.upsample)
        return tf.nn.bias_add(y, tf.cast(self.bias, y.dtype)) if self.adds_bias else y

    def _normalized(self, kernel, training):
        """The kernel divided by its largest singular value, with one step of power iteration.

        The gradient flows through the singular value but not through the singular vectors. The layers of
        TensorFlow Addons and Keras overwrite the kernel with the quotient instead. That changes weights
        between two updates of the optimizer, and does not work in a replica of `tf.distribute`.
        """
        matrix = tf.reshape(kernel, [-1, self.filters])
        right = tf.linalg.l2_normalize(tf.linalg.matvec(matrix, self.singular_vector))
        left = tf.linalg.l2_normalize(tf.linalg.matvec(matrix, right, transpose_a=True))
        right, left = tf.stop_gradient(right), tf.stop_gradient(left)
        if training:
            self.singular_vector.assign(left)
        return kernel / tf.tensordot(right, tf.linalg.matvec(matrix, left), 1)
