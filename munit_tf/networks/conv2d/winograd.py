"""3x3 convolution with 36 instead of 144 multiplications: Winograd's minimal filtering, F(4x4, 3x3).

Winograd 1980; for convolutional networks Lavin and Gray 2016. Every tile of 4x4 outputs is computed as the
product of two polynomials. Their values at six points are multiplied, channels with filters, by matrix
products. The result is equal up to rounding. With the points below, unlike those of Lavin and Gray, the
float32 rounding error is hardly larger than in the direct sum: 1.2e-6 instead of 0.6e-6 of the result's
standard deviation at 256 channels.
"""

import numpy as np
import tensorflow as tf

from munit_tf.networks import graph_target
from munit_tf.networks.conv2d.padding import reflect_indices

_TILE = 4
_WINDOW = _TILE + 2
# The sixth point is infinity. The points keep the entries of the transforms near 1.
_POINTS = (0.0, 2**0.5, -(2**0.5), 2**-0.5, -(2**-0.5))
LEAST_CHANNELS = 64
LEAST_PIXELS = 256


def is_faster(x: tf.Tensor, kernel: tf.Tensor) -> bool:
    """Whether `convolve` is faster than TensorFlow's convolution on a CPU.

    It is in full precision, with many channels, and with enough pixels to outweigh the transform of the
    kernel. If the number of pixels is unknown, it is assumed to be large enough.
    """
    pixels = x.shape[:3].num_elements()
    return (
        x.dtype in (tf.float32, tf.float64)
        and min(kernel.shape[2:]) >= LEAST_CHANNELS
        and (pixels is None or pixels >= LEAST_PIXELS)
    )


def convolve(x: tf.Tensor, kernel: tf.Tensor, border: str) -> tf.Tensor:
    """A convolution of stride 1 that keeps the size.

    Args:
        x: [N,H,W,C_in], float32 or float64; H and W at least 2 for "REFLECT".
        kernel: [3,3,C_in,C_out].
        border: mode of tf.pad for the border of one pixel, "REFLECT" or "SYMMETRIC".

    Returns:
        [N,H,W,C_out].
    """
    channels_out = kernel.shape[3]
    count, height, width, _ = graph_target.sizes(x)
    rows, columns = -(-height // _TILE), -(-width // _TILE)
    pixels = graph_target.constant(_indices, count, height, width, border)
    y = _transform("output", _products(x, kernel, pixels))
    y = tf.reshape(y, [_TILE, _TILE, count, rows, columns, channels_out])
    y = tf.reshape(tf.transpose(y, [2, 3, 0, 4, 1, 5]), [count, rows * _TILE, columns * _TILE, channels_out])
    if any(side is None or side % _TILE for side in x.shape[1:3]):
        y = y[:, :height, :width]  # Otherwise the slice's gradient is a needless copy.
    y.set_shape([*x.shape[:3], channels_out])
    return y


@tf.custom_gradient
def _products(x, kernel, pixels):
    """The products [36,M,C_out] of the transforms of M windows and of the kernel.

    The transforms are larger than the map and the kernel: they are computed again for the gradient, not kept.
    """

    def gradient(dy):
        # Neither before the gradient is needed nor merged with those of the forward pass.
        with tf.control_dependencies([dy]):
            windows, transformed = _transformed_windows(x, pixels), _transformed_kernel(kernel)
        d_windows = tf.matmul(dy, transformed, transpose_b=True)
        d_kernel = _transform("kernel", tf.matmul(windows, dy, transpose_a=True), transpose=True)
        d_pixels = tf.reshape(_transform("input", d_windows, transpose=True), [-1, x.shape[3]])
        count, height, width, channels = graph_target.sizes(x)
        d_x = tf.math.unsorted_segment_sum(d_pixels, pixels, count * height * width)
        return tf.reshape(d_x, [count, height, width, channels]), tf.reshape(d_kernel, kernel.shape), None

    windows = _transformed_windows(x, pixels)
    with tf.control_dependencies([windows]):  # It has four times the size of the kernel: compute it late.
        transformed = _transformed_kernel(kernel)
    return tf.matmul(windows, transformed), gradient


def _transformed_windows(x, pixels):
    """[N,H,W,C_in] -> [36,M,C_in]."""
    windows = tf.gather(tf.reshape(x, [-1, x.shape[3]]), pixels)
    return tf.reshape(_transform("input", windows), [_WINDOW**2, -1, x.shape[3]])


def _transformed_kernel(kernel):
    """[3,3,C_in,C_out] -> [36,C_in,C_out]."""
    return tf.reshape(_transform("kernel", kernel), [_WINDOW**2, *kernel.shape[2:]])


def _transform(name, x, transpose=False):
    """A matrix [I,J] of `_TRANSFORMS`, or its transpose, times `x` as rows of equal size: [I or J, rest]."""
    matrix = graph_target.constant(_matrix, name, x.dtype)
    rows = matrix.shape[0 if transpose else 1]
    return tf.matmul(matrix, tf.reshape(x, [rows, -1]), transpose_a=transpose)


def _matrix(name, dtype):
    return tf.constant(_TRANSFORMS[name], dtype)


def _indices(count, height, width, border):
    """The pixels of each tile's window, as indices among all pixels: [6,6,N,rows,columns], flat."""
    first = tf.range(count) * (height * width)
    pixels = _line(height, border)[:, tf.newaxis, :, tf.newaxis] * width
    pixels += _line(width, border)[tf.newaxis, :, tf.newaxis, :]
    return tf.reshape(first[:, tf.newaxis, tf.newaxis] + pixels[:, :, tf.newaxis], [-1])


def _line(length, border):
    """[6, tiles]: the same on one axis. Pixels outside of the border are arbitrary."""
    first = tf.range(0, length, _TILE) - 1
    places = np.arange(_WINDOW)[:, np.newaxis] + first
    return reflect_indices(places, length, border)


def _transforms():
    """The one-dimensional transforms of the output [4,6], the kernel [6,3] and the input [6,6] (Toom-Cook).

    The values of a polynomial at the points are the points' powers times its coefficients; at infinity its
    last coefficient. Convolution is the transpose of polynomial multiplication.
    """

    def values(terms):
        powers = np.power.outer(_POINTS, np.arange(terms))
        return np.concatenate([powers, np.eye(terms)[-1:]])

    return {"output": values(_TILE).T, "kernel": values(3), "input": np.linalg.inv(values(_WINDOW)).T}


_TRANSFORMS = {name: np.kron(matrix, matrix) for name, matrix in _transforms().items()}
