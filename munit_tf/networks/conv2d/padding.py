"""Padding of feature maps by gathering pixels, which is faster than tf.pad on a CPU."""

from __future__ import annotations

import tensorflow as tf

from munit_tf.networks import graph_target

# With fewer channels tf.pad is as fast.
_MIN_CHANNELS = 32


def pad(x: tf.Tensor, padding: int, border: str, more: tuple[int, int] = (0, 0)) -> tf.Tensor:
    """Pads x [N,H,W,C] by `padding` pixels on each side.

    `more` rows and columns are added at the bottom and on the right. `border` is a mode of tf.pad. On a CPU,
    tf.pad takes twice as long as gathering the pixels.
    """
    if not padding:
        return x
    if border == "CONSTANT" or x.shape[3] < _MIN_CHANNELS or not graph_target.is_for_cpu():
        sides = ([padding, padding + each] for each in more)
        return tf.pad(x, [[0, 0], *sides, [0, 0]], border)
    count, height, width, channels = graph_target.sizes(x)
    padded = [2 * padding + size + each for size, each in zip((height, width), more)]
    pixels = graph_target.constant(_pixels, count, height, width, *padded, padding, border)
    return tf.reshape(gather_pixels(x, pixels), [count, *padded, channels])


def gather_pixels(x: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """The pixels of x [N,H,W,C] with these indices among all of its pixels: [*pixels.shape,C].

    The gradient of tf.gather is the same sum, but takes a dozen operations to compute sizes that are known.
    """

    def gather(flat):
        count = graph_target.sizes(flat)[0]
        return tf.gather(flat, pixels), lambda dy: tf.math.unsorted_segment_sum(dy, pixels, count)

    flat = tf.reshape(x, [-1, x.shape[3]])
    if graph_target.is_portable():  # A saved graph would contain the gradient.
        return tf.gather(flat, pixels)
    return tf.custom_gradient(gather)(flat)


def _pixels(count, height, width, padded_height, padded_width, padding, border):
    """For each pixel of the padded maps, the index of its source among all pixels of `x`; flat."""
    rows, columns = (
        reflect_indices(tf.range(-padding, padded - padding), length, border)
        for padded, length in ((padded_height, height), (padded_width, width))
    )
    first = tf.range(count) * (height * width)
    return tf.reshape(first[:, tf.newaxis, tf.newaxis] + rows[:, tf.newaxis] * width + columns, [-1])


def reflect_indices(places: tf.Tensor, length: int | tf.Tensor, border: str) -> tf.Tensor:
    """Maps positions that may be outside of a line of pixels to pixels of the line.

    Args:
        places: integers; from -length to 2 * length - 1 for "REFLECT".
        length: length of the line, in pixels.
        border: "REFLECT", which does not repeat the outermost pixel, or "SYMMETRIC", for at most one pixel
            outside.

    Returns:
        Integers from 0 to length - 1.
    """
    if border == "REFLECT":
        last = length - 1
        places = tf.abs(last - tf.abs(last - tf.abs(places)))
    return tf.clip_by_value(places, 0, length - 1)
