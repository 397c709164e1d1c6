"""Convolution of feature maps at twice their resolution."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from munit_tf.networks import graph_target
from munit_tf.networks.conv2d.padding import gather_pixels, reflect_indices

# (kernel size, stride, padding) that `upsampled_conv2d` supports.
UPSAMPLED_KERNELS = ((3, 1, 1), (5, 1, 2))


def upsampled_conv2d(
    x: tf.Tensor,
    kernel: tf.Tensor,
    border: str,
    conv2d: Callable[[tf.Tensor, tf.Tensor, int, int, str], tf.Tensor],
) -> tf.Tensor:
    """Nearest-neighbor upsampling x2, then a convolution that keeps the size.

    The result is equal up to rounding, but the larger feature map is not computed, and a kernel of 5 needs 9
    multiplications instead of 25. Many input pixels of an output are copies of one pixel. The result is
    therefore a 3x3 convolution of `x` with a different kernel for each of the four outputs per pixel. The
    elements of these kernels are sums of elements of `kernel`.

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
    # A border of zeros is the same at both resolutions. A reflected border begins with a copy of the
    # outermost pixel; only the outermost outputs depend on more than this copy.
    y = conv2d(x, kernel, 1, 1, "SYMMETRIC" if reflect else "CONSTANT")
    y = tf.nn.depth_to_space(y, 2)
    return _add_second_border_pixel(y, x, *outer_lines) if reflect and outer_lines else y


def _taps(size):
    """[2,3,size]: 1 if output 2i+p depends on pixel i+t-1 through element u of the kernel's row, else 0."""
    p, t, u = np.ogrid[:2, :3, :size]
    return ((p + u - size // 2) // 2 == t - 1).astype(np.float32)


def _sub_pixel_kernels(kernel, dtype):
    """Converts a kernel [K,K,C_in,C_out] at twice the resolution to kernels at the lower resolution.

    Returns:
        A list of tensors of type `dtype`: [3,3,C_in,4 C_out] in the channel order of `depth_to_space`; for
        K = 5 also the outermost rows and the outermost columns of `kernel`, each [2, 5 C_in, C_out].
    """
    size, _, channels_in, channels_out = kernel.shape
    sums = [np.einsum("ptu,qsv->tspquv", _taps(size), _taps(size)).reshape(36, size**2)]
    if size == 5:
        elements = np.eye(25).reshape(5, 5, 25)
        sums += [elements[[0, 4]].reshape(10, 25), elements[:, [0, 4]].swapaxes(0, 1).reshape(10, 25)]
    combined = tf.matmul(tf.constant(np.concatenate(sums), kernel.dtype), tf.reshape(kernel, [size**2, -1]))
    phases, *outer_lines = tf.split(tf.cast(combined, dtype), [len(each) for each in sums])
    phases = tf.transpose(tf.reshape(phases, [3, 3, 4, channels_in, channels_out]), [0, 1, 3, 2, 4])
    phases = tf.reshape(phases, [3, 3, channels_in, 4 * channels_out])
    return [phases, *(tf.reshape(lines, [2, 5 * channels_in, channels_out]) for lines in outer_lines)]


def _add_second_border_pixel(y, x, outer_rows, outer_columns):
    """Corrects the outermost pixels of `y`, which depend on two pixels outside of the map.

    The first is a copy of the outermost pixel of `x`, the second a copy of the pixel next to it. `y` was
    computed with the outermost pixel in both places. This function adds the difference of the two pixels,
    multiplied by the outermost row or column of the kernel.

    Args:
        y: [N,2H,2W,C_out].
        x: [N,H,W,C_in].
        outer_rows: [2, 5 C_in, C_out].
        outer_columns: [2, 5 C_in, C_out].
    """
    count, height, width, _ = graph_target.sizes(x)
    *inputs, places = graph_target.constant(_border, count, height, width)
    inner, outermost = tf.unstack(gather_pixels(x, tf.concat(inputs, axis=1)))
    differences = tf.split(inner - outermost, [tf.shape(each)[1] for each in inputs])
    corrections = [
        tf.reshape(tf.matmul(tf.reshape(pixels, [2, -1, lines.shape[1]]), lines), [-1, lines.shape[2]])
        for pixels, lines in zip(differences, (outer_rows, outer_columns))
    ]
    flat, corrections = tf.reshape(y, [-1, y.shape[3]]), tf.concat(corrections, axis=0)
    if graph_target.is_for_cpu():
        # In place; an addition would write all of `y` twice.
        flat = tf.tensor_scatter_nd_add(flat, places, corrections)
    else:
        # `tensor_scatter_nd_add` has no GPU kernel in half precision.
        flat += tf.scatter_nd(places, corrections, tf.shape(flat))
    return tf.reshape(flat, graph_target.sizes(y))


def _border(count, height, width):
    """The pixels for `_add_second_border_pixel`, as indices among all pixels of N images.

    Returns:
        Three tensors: the pixels of `x` for the outermost rows, [2, 2 * N * 2W * 5], in row 0 those that the
        second border pixels copy, in row 1 the outermost pixels; the same for the outermost columns,
        [2, 2 * N * 2H * 5]; the outermost pixels of `y`, [N * 4 * (H + W), 1].
    """
    rows = tf.reshape(tf.range(count * height * width), [count, height, width])
    columns = tf.transpose(rows, [0, 2, 1])
    # The rows handle the corners by reflection; the columns repeat the outermost row there.
    reflected = reflect_indices(_windows(width), 2 * width, "REFLECT")
    copied = tf.clip_by_value(_windows(height), 0, 2 * height - 1)
    inputs = [
        tf.reshape(tf.gather(_lines(lines, [1, -2, 0, -1]), windows // 2, axis=2), [2, -1])
        for lines, windows in ((rows, reflected), (columns, copied))
    ]
    rows = tf.reshape(tf.range(4 * count * height * width), [count, 2 * height, 2 * width])
    places = [_lines(lines, [0, -1]) for lines in (rows, tf.transpose(rows, [0, 2, 1]))]
    return *inputs, tf.concat([tf.reshape(each, [-1, 1]) for each in places], axis=0)


def _windows(length):
    """[2 length, 5]: the positions of a kernel of 5 on a line of twice the length, for each output."""
    return tf.range(2 * length)[:, tf.newaxis] + tf.range(-2, 3)


def _lines(numbers, which):
    """The lines `which` of [N,L,M], negative numbers counted from the end: [len(which), N, M]."""
    return tf.stack([numbers[:, i] for i in which])
