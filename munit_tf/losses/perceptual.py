"""Domain-invariant perceptual loss (MUNIT, section 5.2)."""

import tensorflow as tf

_EPSILON = 1e-5


def domain_invariant_perceptual_loss(features_x, features_y):
    """Mean squared difference of instance-normalised features, a scalar.

    Normalising each channel of each image takes away what is the domain's and leaves where things are.

    Args:
        features_x: [N,h,w,C] feature maps of one batch of images, such as VGG-16's relu5_3.
        features_y: the same of the other.
    """
    return tf.reduce_mean(tf.math.squared_difference(_normalize(features_x), _normalize(features_y)))


def _normalize(x):
    mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
    return (x - mean) / tf.sqrt(variance + _EPSILON)
