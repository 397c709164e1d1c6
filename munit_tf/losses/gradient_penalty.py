"""R1: Mescheder et al. 2018, "Which training methods for GANs do actually converge?", equation 9."""

from collections.abc import Callable, Sequence

import tensorflow as tf


def r1_penalty(discriminate: Callable[[tf.Tensor], Sequence[tf.Tensor]], images: tf.Tensor) -> tf.Tensor:
    """E[|gradient of D(x) with respect to x|^2] for real images x, without the factor gamma / 2.

    D(x) is the sum over the scales of the mean logit.

    Args:
        discriminate: images -> maps of logits [N,h,w,1], one per scale.
        images: [N,H,W,3].

    Returns:
        A scalar.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        # Images do not influence each other, so the gradient of the sum is that of each image.
        score = tf.add_n([tf.reduce_sum(tf.reduce_mean(x, axis=[1, 2, 3])) for x in discriminate(images)])
    gradient = tape.gradient(score, images)
    return tf.reduce_mean(tf.reduce_sum(tf.square(gradient), axis=[1, 2, 3]))
