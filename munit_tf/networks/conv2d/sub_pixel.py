"""Convolutions of feature maps at twice their resolution."""

import numpy as np
import tensorflow as tf

from munit_tf.networks import graph_target
from munit_tf.networks.conv2d.padding import reflect_indices

# (kernel size, stride, padding) that `upsampled_conv2d` takes.
UPSAMPLED_KERNELS = ((3, 1, 1), (5, 1, 2))


def upsampled_conv2d(x, kernel, border, conv2d):
    """Nearest-neighbor upsampling x2, then a convolution that keeps the size.

    The result is the same up to rounding, without the larger feature map, and for a kernel of 5 with 9
    multiplications instead of 25. Many of the pixels that an output sees are copies of one pixel, so the
    result is a 3x3 convolution of `x`, with another kernel for each of the four outputs that lie over one
    pixel. The elements of these kernels are sums of elements of `kernel`.

    Args:
        x: [N,H,W,C_in], H and W at least 2 for a kernel of 5.
        kernel: [3,3,C_in,C_out] or [5,5,C_in,C_out], of x's type or wider.
        border: "REFLECT" or "CONSTANT", as in tf.pad.
        conv2d: (x, kernel, stride, padding, border) -> a convolution at the lower resolution.

    Returns:
        [N,2H,2W,C_out], of x's type.
    """
    reflect = border == "REFLECT"
    kernel, *outer_lines = _sub_pixel_kernels(kernel, x.dtype)
    # A border of zeros is one at either resolution. A reflected one begins with a copy of the outermost
    # pixel, and all outputs but the outermost see no further.
    y = conv2d(x, kernel, 1, 1, "SYMMETRIC" if reflect else "CONSTANT")
    y = tf.nn.depth_to_space(y, 2)
    return _add_beyond_the_copy(y, x, *outer_lines) if reflect and outer_lines else y


def _taps(size):
    """[2,3,size]: output 2i+p sees pixel i+t-1 through elements u of its row of a kernel where this is 1."""
    p, t, u = np.ogrid[:2, :3, :size]
    return ((p + u - size // 2) // 2 == t - 1).astype(np.float32)


def _sub_pixel_kernels(kernel, dtype):
    """A kernel [K,K,C_in,C_out] at twice the resolution, as kernels at the lower one, of type `dtype`.

    Returns:
        A list of [3,3,C_in,4 C_out] in the order that `depth_to_space` takes, and for K = 5 of the outermost
        rows and the outermost columns of `kernel`, each [2, 5 C_in, C_out].
    """
    size, _, channels_in, channels_out = kernel.shape
    sums = [np.einsum("ptu,qsv->tspquv", _taps(size), _taps(size)).reshape(36, size**2)]
    if size == 5:
        elements = np.eye(25).reshape(5, 5, 25)
        sums += [elements[[0, 4]].reshape(10, 25), elements[:, [0, 4]].swapaxes(0, 1).reshape(10, 25)]
    found = tf.matmul(tf.constant(np.concatenate(sums), kernel.dtype), tf.reshape(kernel, [size**2, -1]))
    phases, *outer_lines = tf.split(tf.cast(found, dtype), [len(each) for each in sums])
    phases = tf.transpose(tf.reshape(phases, [3, 3, 4, channels_in, channels_out]), [0, 1, 3, 2, 4])
    phases = tf.reshape(phases, [3, 3, channels_in, 4 * channels_out])
    return [phases, *(tf.reshape(lines, [2, 5 * channels_in, channels_out]) for lines in outer_lines)]


def _add_beyond_the_copy(y, x, outer_rows, outer_columns):
    """Adds to `y` what its outermost pixels lack, which see two pixels beyond the edge.

    The first is a copy of the outermost pixel of `x`, the second is one of the pixel next to it. The
    difference of these two, seen through the outermost row or column of the kernel, is what is lacking.

    Args:
        y: [N,2H,2W,C_out].
        x: [N,H,W,C_in].
        outer_rows: [2, 5 C_in, C_out].
        outer_columns: the same.
    """
    count, height, width, channels = graph_target.sizes(x)
    *seen, places = graph_target.constant(_border, count, height, width)
    pixels = tf.gather(tf.reshape(x, [-1, channels]), tf.concat(seen, axis=1))
    inner, outermost = tf.unstack(pixels)
    beyond = tf.split(inner - outermost, [tf.shape(each)[1] for each in seen])
    lacking = [
        tf.reshape(tf.matmul(tf.reshape(pixels, [2, -1, lines.shape[1]]), lines), [-1, lines.shape[2]])
        for pixels, lines in zip(beyond, (outer_rows, outer_columns))
    ]
    # A scatter, since TensorFlow does it in place: anything else would copy all of `y`.
    flat = tf.reshape(y, [-1, y.shape[3]])
    return tf.reshape(
        tf.tensor_scatter_nd_add(flat, places, tf.concat(lacking, axis=0)), graph_target.sizes(y)
    )


def _border(count, height, width):
    """Which pixels are concerned, as numbers among all pixels of N images.

    Returns:
        [2, 2 * N * 2W * 5]: of the smaller images, what the outermost rows see beyond them, and in place of
        what; the same for columns; and [N * 4 * (H + W), 1], of the larger images, the outermost ones.
    """
    rows = tf.reshape(tf.range(count * height * width), [count, height, width])
    columns = tf.transpose(rows, [0, 2, 1])
    # The corners are the rows', which are reflected; the columns go on with copies of the outermost row.
    reflected = reflect_indices(_windows(width), 2 * width, "REFLECT")
    copied = tf.clip_by_value(_windows(height), 0, 2 * height - 1)
    seen = [
        tf.reshape(tf.gather(_lines(lines, [1, -2, 0, -1]), windows // 2, axis=2), [2, -1])
        for lines, windows in ((rows, reflected), (columns, copied))
    ]
    rows = tf.reshape(tf.range(4 * count * height * width), [count, 2 * height, 2 * width])
    places = [_lines(lines, [0, -1]) for lines in (rows, tf.transpose(rows, [0, 2, 1]))]
    return *seen, tf.concat([tf.reshape(each, [-1, 1]) for each in places], axis=0)


def _windows(length):
    """[2 length, 5]: which pixels of a line of twice the length five elements of a kernel see."""
    return tf.range(2 * length)[:, tf.newaxis] + tf.range(-2, 3)


def _lines(numbers, which):
    """Some lines of [N,L,M], which counts from the end where it is negative: [len(which), N, M]."""
    return tf.stack([numbers[:, i] for i in which])
