"""Normalisations of [N,H,W,C] feature maps, exactly as MUNIT has them."""

from typing import Optional

import keras
import tensorflow as tf

from munit_tf.networks import graph_target

EPSILON = 1e-5
# Half a step of a 16-bit image in [-1, 1], and more than what a network's rounding adds to a constant image.
_ROUNDING = 2.0**-16


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
    if not graph_target.is_portable() and x.dtype != tf.float64:
        return _batch_norm_of_instances(x, scale, offset)

    def factor(variance, count):
        del count
        inverse = tf.math.rsqrt(variance + EPSILON)
        return inverse, -0.5 * inverse**3

    return _normalize(x, scale, offset, [1, 2], factor)


def instance_norm(x: tf.Tensor, variation: Optional[tf.Tensor] = None) -> tf.Tensor:
    """Zero mean and unit variance per image and channel: AdaIN without scale and offset.

    Args:
        x: [N,H,W,C].
        variation: [N,1,1,1], 0 for images whose result must be 0, else 1; see `variation_of`. None: all 1.

    Returns:
        [N,H,W,C], of x's type.
    """
    shape, dtype = [graph_target.sizes(x)[0], 1, 1, x.shape[3]], at_least_float32(x).dtype
    scale = tf.ones(shape, dtype) if variation is None else tf.broadcast_to(tf.cast(variation, dtype), shape)
    return adaptive_instance_norm(x, scale, tf.zeros(shape, dtype))


def variation_of(x: tf.Tensor, padding_mode: str) -> tf.Tensor:
    """Which images of a batch vary over their pixels.

    With reflected borders every map of a constant image is constant, and instance norm gives 0. Rounding
    makes such a map vary in its last bits; each instance norm multiplies that by up to 1 / sqrt(1e-5), and
    after three of them the result would be noise that differs from one processor to the next. So networks
    work out once whether their input varies, and scale what instance norm gives by the answer.

    Args:
        x: [N,H,W,C], a network's input.
        padding_mode: "reflect" or "zero"; a border of zeros makes every map vary.

    Returns:
        [N,1,1,1] of x's type: 0 where no channel varies by more than rounding (2^-16), else 1.
    """
    if padding_mode != "reflect":
        return tf.ones([graph_target.sizes(x)[0], 1, 1, 1], x.dtype)
    spread = tf.reduce_max(x, [1, 2], keepdims=True) - tf.reduce_min(x, [1, 2], keepdims=True)
    return tf.cast(tf.reduce_max(spread, 3, keepdims=True) > _ROUNDING, x.dtype)


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

        def factor(variance, count):
            unbiased = count / (count - 1)
            std = tf.sqrt(variance * unbiased)
            inverse = 1 / (std + EPSILON)
            # Where all of an image is one colour nothing passes back.
            return inverse, tf.math.divide_no_nan(-0.5 * unbiased * inverse**2, std)

        shape = [1, 1, 1, x.shape[3]]
        return _normalize(x, tf.reshape(self.gamma, shape), tf.reshape(self.beta, shape), [1, 2, 3], factor)


def _batch_norm_of_instances(images, scale, offset):
    """AdaIN in one operation: all images' channels are those of one image, and the batch is that image."""
    count, height, width, channels = graph_target.sizes(images)

    def moved(x, first, second, shape):
        if images.shape[0] == 1:
            return x
        x = tf.transpose(tf.reshape(x, [first, second, channels]), [1, 0, 2])
        return tf.reshape(x, shape)

    unused = tf.zeros([0])
    y, *_ = tf.raw_ops.FusedBatchNormV3(
        x=moved(images, count, height * width, [1, height, width, count * channels]),
        scale=tf.reshape(tf.cast(scale, tf.float32), [-1]),
        offset=tf.reshape(tf.cast(offset, tf.float32), [-1]),
        mean=unused,
        variance=unused,
        epsilon=EPSILON,
        is_training=True,
    )
    y = moved(y, height * width, count, [count, height, width, channels])
    y.set_shape(images.shape)
    return y


def _normalize(x, scale, offset, axes, factor):
    """scale * (x - mean) * f(variance) + offset, with a gradient that goes over the map as rarely as can be.

    Args:
        x: [N,H,W,C]; statistics are float32 at least.
        scale: [N or 1,1,1,C].
        offset: the same.
        axes: of mean and variance; [1, 2] or [1, 2, 3].
        factor: (variance, count of numbers that it is of) -> f and its derivative.

    Returns:
        [N,H,W,C], of x's type.
    """

    def normalized(x, scale, offset):
        wide = at_least_float32(x)
        count = tf.cast(tf.reduce_prod(tf.gather(tf.shape(x), axes)), wide.dtype)
        mean, variance = tf.nn.moments(wide, axes, keepdims=True)
        f, derivative = factor(variance, count)
        # One product and one sum over the map; the textbook's order also crashes TensorFlow 2.15's graph
        # optimiser in inference graphs.
        y = wide * (scale * f) + (offset - mean * (scale * f))

        def gradient(dy):
            dy = at_least_float32(dy)
            centred = at_least_float32(x) - mean
            sum_dy = tf.reduce_sum(dy, [1, 2], keepdims=True)
            sum_product = tf.reduce_sum(dy * centred, [1, 2], keepdims=True)
            d_mean, d_variance = scale * f * sum_dy, scale * derivative * sum_product
            if 3 in axes:
                d_mean, d_variance = (tf.reduce_sum(d, 3, keepdims=True) for d in (d_mean, d_variance))
            dx = dy * (scale * f) + (centred * (2 * d_variance / count) - d_mean / count)
            return tf.cast(dx, x.dtype), _like(scale, sum_product * f), _like(offset, sum_dy)

        return tf.cast(y, x.dtype), gradient

    wide_dtype = at_least_float32(x).dtype
    arguments = x, tf.cast(scale, wide_dtype), tf.cast(offset, wide_dtype)
    if graph_target.is_portable():  # A saved graph would take the gradient with it.
        return normalized(*arguments)[0]
    return tf.custom_gradient(normalized)(*arguments)


def _like(parameter, gradient):
    """Summed over the images where they share the parameter."""
    return tf.reduce_sum(gradient, 0, keepdims=True) if parameter.shape[0] == 1 else gradient
