"""Normalization of [N,H,W,C] feature maps, as in MUNIT."""

from collections.abc import Sequence
from typing import Optional

import keras
import tensorflow as tf

from munit_tf.networks import graph_target

EPSILON = 1e-5
# Half a quantization step of a 16-bit image in [-1, 1]; more than the rounding error of a constant image.
_ROUNDING = 2.0**-16


def at_least_float32(x: tf.Tensor) -> tf.Tensor:
    """`x` as float32 if it is half precision, which is too coarse for statistics; else `x`."""
    return tf.cast(x, tf.float32) if x.dtype in (tf.float16, tf.bfloat16) else x


def adaptive_instance_norm(x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
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
    """Whether each image of a batch varies over its pixels.

    With reflected borders every feature map of a constant image is constant, and instance norm returns 0.
    Rounding errors make the map vary in its last bits. Each instance norm multiplies them by up to
    1 / sqrt(1e-5), so that after three layers the result would be noise that depends on the processor.
    Networks therefore compute this once from their input and multiply the output of instance norm by it.

    Args:
        x: [N,H,W,C], a network's input.
        padding_mode: "reflect" or "zero"; with a border of zeros every map varies.

    Returns:
        [N,1,1,1] of x's type: 0 if no channel varies by more than the rounding error (2^-16), else 1.
    """
    if padding_mode != "reflect":
        return tf.ones([graph_target.sizes(x)[0], 1, 1, 1], x.dtype)
    spread = _reduce(tf.reduce_max, x, [1, 2]) - _reduce(tf.reduce_min, x, [1, 2])
    return tf.cast(tf.reduce_max(spread, 3, keepdims=True) > _ROUNDING, x.dtype)


class LayerNorm(keras.layers.Layer):
    """The authors' layer norm: gamma * (x - mean) / (std + 1e-5) + beta.

    Mean and std are taken over H, W and C of one image. The std is unbiased (N - 1), and 1e-5 is added
    to it, outside the root. gamma is initialized uniformly in [0, 1), beta with 0.
    """

    def build(self, input_shape: Sequence[int]) -> None:
        """Creates gamma and beta, one number per channel."""
        channels = input_shape[-1]
        self.gamma = self.add_weight(
            name="gamma", shape=(channels,), initializer=keras.initializers.RandomUniform(0.0, 1.0)
        )
        self.beta = self.add_weight(name="beta", shape=(channels,), initializer="zeros")
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """x [N,H,W,C] -> the same shape and type."""

        def factor(variance, count):
            unbiased = count / (count - 1)
            std = tf.sqrt(variance * unbiased)
            inverse = 1 / (std + EPSILON)
            # A constant image has no gradient.
            return inverse, tf.math.divide_no_nan(-0.5 * unbiased * inverse**2, std)

        shape = [1, 1, 1, x.shape[3]]
        return _normalize(x, tf.reshape(self.gamma, shape), tf.reshape(self.beta, shape), [1, 2, 3], factor)


def _batch_norm_of_instances(images, scale, offset):
    """AdaIN in one operation: batch norm of one image that has the channels of all images."""
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
    """scale * (x - mean) * f(variance) + offset, with a gradient that reads the map as few times as possible.

    Args:
        x: [N,H,W,C]; statistics are at least float32.
        scale: [N or 1,1,1,C].
        offset: [N or 1,1,1,C].
        axes: axes of mean and variance; [1, 2] or [1, 2, 3].
        factor: (variance, number of values) -> f and its derivative.

    Returns:
        [N,H,W,C], of x's type.
    """

    def normalized(x, scale, offset):
        wide = at_least_float32(x)
        count = tf.cast(tf.reduce_prod(tf.gather(tf.shape(x), axes)), wide.dtype)
        mean = _reduce(tf.reduce_mean, wide, axes)
        variance = _reduce(tf.reduce_mean, tf.math.squared_difference(wide, mean), axes)
        f, derivative = factor(variance, count)
        # One multiplication and one addition over the map. The usual order also crashes the graph optimizer
        # of TensorFlow 2.15 in inference graphs.
        y = wide * (scale * f) + (offset - mean * (scale * f))

        def gradient(dy):
            dy = at_least_float32(dy)
            centered = at_least_float32(x) - mean
            sum_dy = _reduce(tf.reduce_sum, dy, [1, 2])
            sum_product = _reduce(tf.reduce_sum, dy * centered, [1, 2])
            d_mean, d_variance = scale * f * sum_dy, scale * derivative * sum_product
            if 3 in axes:
                d_mean, d_variance = (tf.reduce_sum(d, 3, keepdims=True) for d in (d_mean, d_variance))
            dx = dy * (scale * f) + (centered * (2 * d_variance / count) - d_mean / count)
            return (
                tf.cast(dx, x.dtype),
                _sum_if_shared(scale, sum_product * f),
                _sum_if_shared(offset, sum_dy),
            )

        return tf.cast(y, x.dtype), gradient

    wide_dtype = at_least_float32(x).dtype
    arguments = x, tf.cast(scale, wide_dtype), tf.cast(offset, wide_dtype)
    if graph_target.is_portable():  # A saved graph would contain the gradient.
        return normalized(*arguments)[0]
    return tf.custom_gradient(normalized)(*arguments)


def _reduce(function, x, axes):
    """function(x, axes, keepdims=True); axes begin with 1."""
    if not (graph_target.is_portable() or graph_target.is_for_cpu()):
        # A GPU uses few threads for a sum over long columns, so the height is reduced first.
        x = function(x, 1, keepdims=True)
    return function(x, axes, keepdims=True)


def _sum_if_shared(parameter, gradient):
    """The gradient, summed over the images if they share the parameter."""
    return tf.reduce_sum(gradient, 0, keepdims=True) if parameter.shape[0] == 1 else gradient
