"""Adversarial losses over the maps of logits of a multi-scale discriminator.

A loss is the mean over a map, summed over the scales. Maps are lists of [N,h,w,1].
"""

import tensorflow as tf


def _to_one(x):
    return tf.square(x - 1)


def _cross_entropy_with_one(x):
    return tf.nn.softplus(-x)


# For each kind: of a real image's logit, of a fake's, and of a fake's for the generator.
_PER_LOGIT = {
    # Mao et al. 2017, least squares with labels 0 and 1: MUNIT's.
    "lsgan": (_to_one, tf.square, _to_one),
    # Goodfellow et al. 2014, non-saturating; softplus(-x) is -log(sigmoid(x)).
    "nsgan": (_cross_entropy_with_one, tf.nn.softplus, _cross_entropy_with_one),
    # Lim and Ye 2017.
    "hinge": (lambda x: tf.nn.relu(1 - x), lambda x: tf.nn.relu(1 + x), tf.negative),
}
GAN_LOSSES = tuple(_PER_LOGIT)


def discriminator_loss(kind, real_maps, fake_maps):
    """What the discriminator minimises: E loss(D(real)) + E loss(D(fake)), a scalar.

    `kind` is one of `GAN_LOSSES`.
    """
    on_real, on_fake, _ = _PER_LOGIT[kind]
    return sum(
        tf.reduce_mean(on_fake(fake)) + tf.reduce_mean(on_real(real))
        for real, fake in zip(real_maps, fake_maps)
    )


def classification_loss(maps, label):
    """E of the cross-entropy of sigmoid(logit) with a label: 0, 1, or 0.5 for "cannot be told", a scalar.

    For DRIT's content discriminator (Lee et al. 2018, equation 1), which is to tell domains apart.
    """
    return sum(tf.reduce_mean(tf.nn.softplus(logits) - label * logits) for logits in maps)


def generator_loss(kind, fake_maps):
    """What the generator minimises, a scalar. `kind` is one of `GAN_LOSSES`."""
    return sum(tf.reduce_mean(_PER_LOGIT[kind][2](fake)) for fake in fake_maps)
