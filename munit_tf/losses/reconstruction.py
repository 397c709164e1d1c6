"""Reconstruction losses (MUNIT, equations 2 to 4)."""

import tensorflow as tf


def mean_absolute_error(x, y):
    """E |x - y|, a scalar, of images or of codes of the same shape."""
    return tf.reduce_mean(tf.abs(x - y))
