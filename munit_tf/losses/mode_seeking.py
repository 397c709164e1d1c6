"""Mode seeking (Mao et al. 2019, "Mode Seeking Generative Adversarial Networks", equation 1; DRIT++)."""

import tensorflow as tf

_EPSILON = 1e-5


def mode_seeking_loss(images, other_images, styles, other_styles):
    """1 / (distance of images / distance of styles), a scalar: small where other styles make other images.

    Distances are mean absolute differences; the mean over images is of the quotients.

    Args:
        images: [N,H,W,3], made under `styles`.
        other_images: the same, made of the same inputs under `other_styles`.
        styles: [N,D].
        other_styles: [N,D].
    """
    image_distance = tf.reduce_mean(tf.abs(images - other_images), axis=[1, 2, 3])
    style_distance = tf.reduce_mean(tf.abs(styles - other_styles), axis=1)
    return tf.reduce_mean(1 / (image_distance / style_distance + _EPSILON))
