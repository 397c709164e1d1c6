"""Normalisations of [N,H,W,C] feature maps, exactly as MUNIT has them."""

import keras
import tensorflow as tf

EPSILON = 1e-5


def at_least_float32(x):
    """`x`, widened where it is a half-precision tensor, whose statistics would be too coarse."""
    return tf.cast(x, tf.float32) if x.dtype in (tf.float16, tf.bfloat16) else x


def adaptive_instance_norm(x, scale, offset):
    """AdaIN: scale * (x - mean) / sqrt(var + 1e-5) + offset (MUNIT, section 5.1, equation 7).

    Args:
        x: [N,H,W,C]; mean and variance are taken per image and channel.
        scale: [N,1,1,C], the paper's gamma.
        offset: [N,1,1,C], the paper's beta.

    Returns:
        [N,H,W,C], of x's type.
    """
    wide = at_least_float32(x)
    mean, variance = tf.nn.moments(wide, [1, 2], keepdims=True)
    # One multiplication and one addition over the map; the textbook's order of operations also
    # crashes TensorFlow 2.15's graph optimiser in inference graphs.
    factor = tf.math.rsqrt(variance + EPSILON) * tf.cast(scale, wide.dtype)
    return tf.cast(wide * factor + (tf.cast(offset, wide.dtype) - mean * factor), x.dtype)


class LayerNorm(keras.layers.Layer):
    """The authors' layer norm: gamma * (x - mean) / (std + 1e-5) + beta.

    Mean and std are taken over H, W and C of one image; std is the unbiased one (N - 1), and the
    1e-5 is added to it, outside the root. gamma starts uniform in [0, 1), beta at 0.
    """

    def build(self, input_shape):
        """Makes gamma and beta, one number per channel."""
        channels = input_shape[-1]
        self.gamma = self.add_weight(
            name="gamma", shape=(channels,), initializer=keras.initializers.RandomUniform(0.0, 1.0)
        )
        self.beta = self.add_weight(name="beta", shape=(channels,), initializer="zeros")
        self.built = True

    def call(self, x):
        """x [N,H,W,C] -> the same shape and type."""
        wide = at_least_float32(x)
        mean, variance = tf.nn.moments(wide, [1, 2, 3], keepdims=True)
        count = tf.cast(tf.reduce_prod(tf.shape(x)[1:]), wide.dtype)
        std = tf.sqrt(variance * (count / (count - 1)))
        factor = tf.cast(self.gamma, wide.dtype) / (std + EPSILON)
        return tf.cast(wide * factor + (tf.cast(self.beta, wide.dtype) - mean * factor), x.dtype)
