"""Padding of images of any size for networks that need a multiple of some number of pixels."""

import tensorflow as tf


def pad_to_fit(images: tf.Tensor, multiple: int, least: int) -> tf.Tensor:
    """Pads images by reflection at the lower and right edges to a size that the networks accept.

    Args:
        images: [N,H,W,C] of any size, static or dynamic.
        multiple: height and width must be multiples of this, in pixels (`config.size_multiple`).
        least: the smallest height and width, in pixels (`config.smallest_input`).

    Returns:
        [N,H',W',C]; `[:, :H, :W]` crops it to the original size.
    """
    for axis in (1, 2):
        size = tf.shape(images)[axis]
        padded = tf.maximum(-(-size // multiple) * multiple, -(-least // multiple) * multiple)
        images = tf.gather(images, _reflected(tf.range(padded), size), axis=axis)
    return images


def _reflected(index, size):
    """Maps 0, 1, 2, ... to 0, 1, ..., size - 1, size - 2, ..., 1, 0, 1, ...; `size` is at least 1."""
    index %= tf.maximum(2 * (size - 1), 1)
    return tf.minimum(index, 2 * (size - 1) - index)
