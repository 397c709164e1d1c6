"""Images of any size into networks that take multiples of something only."""

import tensorflow as tf


def pad_to_fit(images, multiple, least):
    """Images reflected at their lower and right edges until the networks take them.

    Args:
        images: [N,H,W,C] of any size, static or not.
        multiple: what height and width must be multiples of, in pixels (`config.size_multiple`).
        least: the least height and width, in pixels (`config.smallest_input`).

    Returns:
        [N,H',W',C]; `[:, :H, :W]` takes the border off again. `images` itself where they fit.
    """
    for axis in (1, 2):
        size = tf.shape(images)[axis]
        padded = tf.maximum(-(-size // multiple) * multiple, -(-least // multiple) * multiple)
        images = tf.gather(images, _reflected(tf.range(padded), size), axis=axis)
    return images


def _reflected(index, size):
    """0, 1, ..., size - 1, size - 2, ..., 1, 0, 1, ...: however small `size` is."""
    index %= tf.maximum(2 * (size - 1), 1)
    return tf.minimum(index, 2 * (size - 1) - index)
