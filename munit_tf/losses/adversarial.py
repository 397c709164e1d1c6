"""Adversarial losses of the logits of a multi-scale discriminator.

A loss is the sum over scales of the mean over a map. Maps are lists of [N,h,w,1], one map per scale.
"""

import tensorflow as tf


def _to_one(x):
    return tf.square(x - 1)


def _cross_entropy_with_one(x):
    return tf.nn.softplus(-x)


# For each kind: the discriminator's loss of a real logit, of a fake one, and the generator's of a fake one.
_PER_LOGIT = {
    # Mao et al. 2017, least squares with labels 0 and 1, as in MUNIT.
    "lsgan": (_to_one, tf.square, _to_one),
    # Goodfellow et al. 2014, non-saturating; softplus(-x) is -log(sigmoid(x)).
    "nsgan": (_cross_entropy_with_one, tf.nn.softplus, _cross_entropy_with_one),
    # Lim and Ye 2017.
    "hinge": (lambda x: tf.nn.relu(1 - x), lambda x: tf.nn.relu(1 + x), tf.negative),
}
GAN_LOSSES = tuple(_PER_LOGIT)


def discriminator_loss(kind: str, real_maps: list[tf.Tensor], fake_maps: list[tf.Tensor]) -> tf.Tensor:
    """The loss of a discriminator, E loss(D(real)) + E loss(D(fake)), a scalar.

    `kind` is one of `GAN_LOSSES`.
    """
    on_real, on_fake, _ = _PER_LOGIT[kind]
    return sum(
        tf.reduce_mean(on_fake(fake)) + tf.reduce_mean(on_real(real))
        for real, fake in zip(real_maps, fake_maps)
    )


def classification_loss(maps: list[tf.Tensor], label: float) -> tf.Tensor:
    """Mean cross-entropy of sigmoid(logit) and a label in [0, 1], a scalar; label 0.5 means "undecidable".

    For DRIT's content discriminator (Lee et al. 2018, equation 1), which classifies the domain.
    """
    return sum(tf.reduce_mean(tf.nn.softplus(logits) - label * logits) for logits in maps)


def generator_loss(kind: str, fake_maps: list[tf.Tensor]) -> tf.Tensor:
    """The loss of a generator, a scalar. `kind` is one of `GAN_LOSSES`."""
    return sum(tf.reduce_mean(_PER_LOGIT[kind][2](fake)) for fake in fake_maps)
