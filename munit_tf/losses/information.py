"""Losses of stochastic style codes: KL divergence, and MILO of MISO (Na, Yoo, Choo, arXiv 1902.03938).

The distribution of a code is N(mean, exp(log_variance)) with diagonal covariance; both are [N,D]. The
equations of the MISO paper were not available. These are derived from InfoGAN's bound (Chen et al. 2016,
section 5) and the variational autoencoder's (Kingma and Welling 2014, appendix B).
"""

import tensorflow as tf

# Assumed. Wide enough for any style; exp(6) = 403 keeps losses and gradients finite.
LOG_VARIANCE_RANGE = (-6.0, 6.0)


@tf.custom_gradient
def clamp_log_variance(log_variance: tf.Tensor) -> tf.Tensor:
    """Clips `log_variance`, of any shape, to `LOG_VARIANCE_RANGE`.

    Outside of the range, gradients that lead back into it are kept. `tf.clip_by_value` would set all
    gradients to 0, and the encoder could not recover from a variance outside of the range.
    """
    low, high = LOG_VARIANCE_RANGE

    def gradient(upstream):
        leads_out = ((log_variance < low) & (upstream > 0)) | ((log_variance > high) & (upstream < 0))
        return tf.where(leads_out, tf.zeros_like(upstream), upstream)

    return tf.clip_by_value(log_variance, low, high), gradient


def reparametrize(mean: tf.Tensor, log_variance: tf.Tensor, epsilon: tf.Tensor) -> tf.Tensor:
    """A sample [N,D] of N(mean, exp(log_variance)), differentiable in its parameters.

    Args:
        mean: [N,D].
        log_variance: [N,D]; clipped to `LOG_VARIANCE_RANGE`.
        epsilon: [N,D], a sample of N(0, I).
    """
    return mean + tf.exp(clamp_log_variance(log_variance) / 2) * epsilon


def mutual_information_loss(style: tf.Tensor, mean: tf.Tensor, log_variance: tf.Tensor) -> tf.Tensor:
    """MILO: the negative of a lower bound of the mutual information of a style and its image, a scalar.

    The bound is I(z; x) >= H(z) + E log q(z | x) with q(z | x) = N(mean, exp(log_variance)). Without the
    constants, the loss is the mean over images and dimensions of
    (z - mean)^2 exp(-log_variance) / 2 + log_variance / 2. It may be negative.

    Args:
        style: z [N,D], the style that the image was generated from.
        mean: [N,D], the mean that the style encoder predicts from the image.
        log_variance: [N,D], the log variance that it predicts; clipped, since the loss is unbounded below
            otherwise.
    """
    log_variance = clamp_log_variance(log_variance)
    error = tf.math.squared_difference(style, mean)
    return tf.reduce_mean(error * tf.exp(-log_variance) / 2 + log_variance / 2)


def kl_divergence_of_unit_variance(mean: tf.Tensor) -> tf.Tensor:
    """E mean^2, a scalar: 2 KL(N(mean, I) || N(0, I)) / number of dimensions.

    As in the code of UNIT's authors (Liu, Breuel, Kautz 2017); `mean` may have any shape.
    """
    return tf.reduce_mean(tf.square(mean))


def kl_divergence(mean: tf.Tensor, log_variance: tf.Tensor) -> tf.Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, I)), a scalar: sum over dimensions, mean over images."""
    log_variance = clamp_log_variance(log_variance)
    terms = tf.square(mean) + tf.exp(log_variance) - 1 - log_variance
    return tf.reduce_mean(tf.reduce_sum(terms, axis=-1)) / 2
