"""A model's public methods for images of any size."""

import tensorflow as tf

from munit_tf.models.translator import DIRECTIONS
from munit_tf.padding import pad_to_fit


class AnySize:
    """Pads images until the networks take them, and crops the results back.

    Each method is traced once, however many sizes and batch sizes it meets.

    Args:
        model: a Translator.
        direction: one of `model.directions`.
    """

    def __init__(self, model, direction):
        config, target = model.config, DIRECTIONS[direction].target
        images_like = tf.TensorSpec([None, None, None, 3], tf.float32)
        styles_like = [tf.TensorSpec([None, model.style_dim], tf.float32)] if model.style_dim else []

        def fit(images):
            return pad_to_fit(images, config.size_multiple, config.smallest_input)

        def translate(images, style=None):
            height, width = tf.unstack(tf.shape(images)[1:3])
            return model.translate(fit(images), direction, style=style)[:, :height, :width]

        def encode_style(images):
            return model.encode_style(fit(images), target)

        self._translate = tf.function(translate, input_signature=[images_like, *styles_like])
        self._encode_style = tf.function(encode_style, input_signature=[images_like])

    def translate(self, images, styles):
        """Images [N,H,W,3] of the source domain -> numpy [N,H,W,3] in [-1, 1] of the target domain.

        `styles` is [N, style_dim], or None for a method without style.
        """
        return (self._translate(images) if styles is None else self._translate(images, styles)).numpy()

    def encode_style(self, images):
        """The style codes, numpy [N, style_dim], of images [N,H,W,3] of the target domain."""
        return self._encode_style(images).numpy()
