"""Domain-invariant perceptual loss (MUNIT, section 5.2)."""

import tensorflow as tf

_EPSILON = 1e-5


def domain_invariant_perceptual_loss(features_x: tf.Tensor, features_y: tf.Tensor) -> tf.Tensor:
    """Mean squared difference of instance-normalized features, a scalar.

    Instance normalization removes statistics that depend on the domain and keeps the spatial layout.

    Args:
        features_x: [N,h,w,C], feature maps of a batch of images, usually relu5_3 of VGG-16.
        features_y: [N,h,w,C], feature maps of the other batch.
    """
    return tf.reduce_mean(tf.math.squared_difference(_normalize(features_x), _normalize(features_y)))


def _normalize(x):
    mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
    return (x - mean) / tf.sqrt(variance + _EPSILON)
