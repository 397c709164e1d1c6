"""Mode seeking (Mao et al. 2019, "Mode Seeking Generative Adversarial Networks", equation 1; DRIT++)."""

import tensorflow as tf

_EPSILON = 1e-5


def mode_seeking_loss(
    images: tf.Tensor, other_images: tf.Tensor, styles: tf.Tensor, other_styles: tf.Tensor
) -> tf.Tensor:
    """1 / (distance of images / distance of styles), a scalar: small if styles change the images.

    Distances are mean absolute differences. The result is the mean over images of the quotient.

    Args:
        images: [N,H,W,3], outputs with `styles`.
        other_images: [N,H,W,3], outputs of the same inputs with `other_styles`.
        styles: [N,D].
        other_styles: [N,D].
    """
    image_distance = tf.reduce_mean(tf.abs(images - other_images), axis=[1, 2, 3])
    style_distance = tf.reduce_mean(tf.abs(styles - other_styles), axis=1)
    return tf.reduce_mean(1 / (image_distance / style_distance + _EPSILON))
