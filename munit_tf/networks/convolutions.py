"""Convolutions of [N,H,W,C] feature maps, at their resolution and at twice that."""

import keras
import numpy as np
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
        x = _convolve(x, kernel, self.stride, self.padding, self.padding_mode)
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


class UpsampledConv(Conv):
    """Nearest-neighbour x2, then a convolution that keeps the size: [N,H,W,C_in] -> [N,2H,2W,C_out].

    The same numbers, up to rounding, without the larger feature map and for a kernel of 5 with 9
    multiplications for 25: many of the pixels that an output sees are copies of one, so that it is a 3x3
    convolution of `x`, with another kernel for each of the four outputs that lie over one pixel. These
    kernels' elements are sums of the layer's.

    Args:
        filters, kernel_size, stride, padding: as for `Conv`; (3, 1, 1) or (5, 1, 2) but for `filters`.
        **options: the rest of `Conv`'s.
    """

    def __init__(self, filters, kernel_size, stride, padding, **options):
        if (kernel_size, stride, padding) not in ((3, 1, 1), (5, 1, 2)):
            raise ValueError(
                f"a kernel of {kernel_size}, stride {stride}, padding {padding}: not made for it"
            )
        super().__init__(filters, kernel_size, stride, padding, **options)

    def call(self, x, training=False):
        """x [N,H,W,C_in], H and W at least 2 for a kernel of 5 -> [N,2H,2W,C_out]."""
        kernel = self.full_kernel(training)
        reflect = self.padding_mode == "REFLECT"
        # A border of zeros is one at either resolution. A reflected one begins with a copy of the
        # outermost pixel, and all but the outermost outputs see no further.
        border = "SYMMETRIC" if reflect else "CONSTANT"
        y = _convolve(x, tf.cast(_sub_pixel_kernel(kernel), x.dtype), 1, 1, border)
        y = tf.nn.depth_to_space(y, 2)
        if reflect and self.kernel_size == 5:
            y = _add_to_border(y, *_beyond_the_copy(x, tf.cast(kernel, x.dtype)))
        return tf.nn.bias_add(y, tf.cast(self.bias, x.dtype))


def _convolve(x, kernel, stride, padding, border):
    """`x` [N,H,W,C_in] with a border as wide as `padding`, of tf.pad's kind, times `kernel`, without more."""
    if (stride, padding) == (1, 1) and border != "CONSTANT" and winograd.is_faster(x, kernel):
        return winograd.convolve(x, kernel, border)
    if padding:
        x = tf.pad(x, [[0, 0], [padding, padding], [padding, padding], [0, 0]], border)
    return tf.nn.conv2d(x, kernel, stride, "VALID")


def _taps(size):
    """[2,3,size]: output 2i+p sees pixel i+t-1 through elements u of its row of a kernel where this is 1."""
    p, t, u = np.ogrid[:2, :3, :size]
    return ((p + u - size // 2) // 2 == t - 1).astype(np.float32)


def _sub_pixel_kernel(kernel):
    """[K,K,C_in,C_out] -> [3,3,C_in,4 C_out], in the order that `depth_to_space` takes."""
    size, _, channels_in, channels_out = kernel.shape
    taps = np.einsum("ptu,qsv->tspquv", _taps(size), _taps(size)).reshape(36, size**2)
    phases = tf.matmul(tf.constant(taps, kernel.dtype), tf.reshape(kernel, [size**2, -1]))
    phases = tf.reshape(phases, [3, 3, 4, channels_in, channels_out])
    return tf.reshape(tf.transpose(phases, [0, 1, 3, 2, 4]), [3, 3, channels_in, 4 * channels_out])


def _beyond_the_copy(x, kernel):
    """What the outermost outputs lack, which see two pixels beyond the edge: the second is another.

    Returns:
        (top, bottom) [N,2W,C_out] and (left, right) [N,2H,C_out], to be added there.
    """
    rows, columns = [], []
    for edge, inner, tap in ((0, 1, 0), (-1, -2, 4)):
        row = _doubled(x[:, inner] - x[:, edge])
        row = tf.pad(row, [[0, 0], [2, 2], [0, 0]], "REFLECT")
        rows.append(tf.nn.conv1d(row, kernel[tap], 1, "VALID"))
        # The rows' corrections have the corners in them; what is left sees copies of the outermost row.
        column = x[:, :, inner] - x[:, :, edge]
        column = _doubled(tf.pad(column, [[0, 0], [1, 1], [0, 0]], "SYMMETRIC"))
        columns.append(tf.nn.conv1d(column, kernel[:, tap], 1, "VALID"))
    return rows, columns


def _doubled(line):
    """Nearest-neighbour x2: [N,L,C] -> [N,2L,C]."""
    shape = tf.shape(line)
    return tf.reshape(tf.stack([line, line], axis=2), [shape[0], 2 * shape[1], line.shape[2]])


def _add_to_border(y, rows, columns):
    """Y [N,H,W,C] with rows [N,W,C] added to its first and last row, and columns [N,H,C] likewise.

    By a scatter, which TensorFlow does in place: anything else would copy all of `y`.
    """
    count, height, width, channels = tf.unstack(tf.shape(y))
    x_range, y_range = tf.range(width), tf.range(height)
    places = tf.concat(
        [x_range, (height - 1) * width + x_range, y_range * width, y_range * width + width - 1], axis=0
    )
    indices = tf.stack(tf.meshgrid(tf.range(count), places, indexing="ij"), axis=-1)
    flat = tf.reshape(y, [count, height * width, channels])
    flat = tf.tensor_scatter_nd_add(flat, indices, tf.concat([*rows, *columns], axis=1))
    return tf.reshape(flat, [count, height, width, y.shape[3]])
