"""Reconstruction losses (MUNIT, equations 2 to 4)."""

import tensorflow as tf


def mean_absolute_error(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """E |x - y|, a scalar, of two images or codes of equal shape."""
    return tf.reduce_mean(tf.abs(x - y))
