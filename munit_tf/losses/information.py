"""Losses of stochastic style codes: KL, and the MILO of MISO (Na, Yoo, Choo, arXiv 1902.03938).

A code's distribution is N(mean, exp(log_variance)), each [N,D], one number per image and dimension. The
paper's equations were not at hand: these are derived from InfoGAN's bound (Chen et al. 2016, section 5)
and from the variational autoencoder's (Kingma and Welling 2014, appendix B).
"""

import tensorflow as tf

# Assumed: wide enough for any style, and exp(6) = 403 keeps losses and gradients finite.
LOG_VARIANCE_RANGE = (-6.0, 6.0)


@tf.custom_gradient
def clamp_log_variance(log_variance):
    """`log_variance` within `LOG_VARIANCE_RANGE`.

    Outside of it a gradient that leads back passes, other than through `tf.clip_by_value`: an encoder that
    was once too sure of a code could otherwise never doubt it again.
    """
    low, high = LOG_VARIANCE_RANGE

    def gradient(upstream):
        leads_out = ((log_variance < low) & (upstream > 0)) | ((log_variance > high) & (upstream < 0))
        return tf.where(leads_out, tf.zeros_like(upstream), upstream)

    return tf.clip_by_value(log_variance, low, high), gradient


def reparametrize(mean, log_variance, epsilon):
    """A sample [N,D] of N(mean, exp(log_variance)), through which gradients pass.

    Args:
        mean: [N,D].
        log_variance: [N,D]; it is clamped.
        epsilon: [N,D], drawn from N(0, I).
    """
    return mean + tf.exp(clamp_log_variance(log_variance) / 2) * epsilon


def mutual_information_loss(style, mean, log_variance):
    """MILO: minus a lower bound of the information that an image has about the style it was made with.

    I(z; x) >= H(z) + E log q(z | x) with q(z | x) = N(mean, exp(log_variance)); without the constants:
    the mean over images and dimensions of (z - mean)^2 exp(-log_variance) / 2 + log_variance / 2. It may
    well be negative.

    Args:
        style: z [N,D], what the image was made with.
        mean: [N,D], where the style encoder of the image's domain believes z to be.
        log_variance: [N,D], how little it is sure of that; clamped, as the loss has no lower bound else.
    """
    log_variance = clamp_log_variance(log_variance)
    error = tf.math.squared_difference(style, mean)
    return tf.reduce_mean(error * tf.exp(-log_variance) / 2 + log_variance / 2)


def kl_divergence_of_unit_variance(mean):
    """E mean^2, a scalar: KL(N(mean, I) || N(0, I)) over its number of dimensions, but for a factor 1/2.

    UNIT's (Liu, Breuel, Kautz 2017), for latents of any shape, as its authors compute it.
    """
    return tf.reduce_mean(tf.square(mean))


def kl_divergence(mean, log_variance):
    """KL(N(mean, exp(log_variance)) || N(0, I)): the sum over dimensions, the mean over images, a scalar."""
    log_variance = clamp_log_variance(log_variance)
    terms = tf.square(mean) + tf.exp(log_variance) - 1 - log_variance
    return tf.reduce_mean(tf.reduce_sum(terms, axis=-1)) / 2
