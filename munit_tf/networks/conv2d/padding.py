"""Borders around feature maps, by the numbers of the pixels that stand there."""

import tensorflow as tf

from munit_tf.networks import graph_target

# Below, tf.pad is as fast.
_LEAST_CHANNELS = 32


def pad(x, padding, border, more=(0, 0)):
    """`x` [N,H,W,C] with `padding` pixels on every side, and `more` rows below and columns to the right.

    `border` is its kind, as in tf.pad, which on CPUs takes twice as long as what is done instead.
    """
    if not padding:
        return x
    if border == "CONSTANT" or x.shape[3] < _LEAST_CHANNELS or not graph_target.is_for_cpu():
        sides = ([padding, padding + each] for each in more)
        return tf.pad(x, [[0, 0], *sides, [0, 0]], border)
    count, height, width, channels = graph_target.sizes(x)
    padded = [2 * padding + size + each for size, each in zip((height, width), more)]
    pixels = graph_target.constant(_pixels, count, height, width, *padded, padding, border)
    return tf.reshape(tf.gather(tf.reshape(x, [-1, channels]), pixels), [count, *padded, channels])


def _pixels(count, height, width, padded_height, padded_width, padding, border):
    """Which pixel of all of them stands where in the padded maps, flat."""
    rows, columns = (
        reflect_indices(tf.range(-padding, padded - padding), length, border)
        for padded, length in ((padded_height, height), (padded_width, width))
    )
    first = tf.range(count) * (height * width)
    return tf.reshape(first[:, tf.newaxis, tf.newaxis] + rows[:, tf.newaxis] * width + columns, [-1])


def reflect_indices(places, length, border):
    """Which pixels of a line stand at `places`, some of them beyond its ends.

    Args:
        places: integers; from -length to 2 * length - 1 for "REFLECT".
        length: of the line, in pixels.
        border: "REFLECT", which does not repeat the outermost pixel, or "SYMMETRIC", for one pixel beyond.

    Returns:
        Integers from 0 to length - 1.
    """
    if border == "REFLECT":
        last = length - 1
        places = tf.abs(last - tf.abs(last - tf.abs(places)))
    return tf.clip_by_value(places, 0, length - 1)
