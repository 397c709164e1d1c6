"""One image under one style after another, as fast as the method allows."""

import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from munit_tf.models.content import ContentTranslator
from munit_tf.models.translator import DIRECTIONS
from munit_tf.padding import pad_to_fit


@dataclasses.dataclass(frozen=True)
class Encoded:
    """What of an image does not depend on the style.

    Attributes:
        code: its content code [1,h,w,C]; of a method without one the padded image itself.
        height: the image's, in pixels.
        width: the same.
    """

    code: Any
    height: int
    width: int


class Repeated:
    """Translates an image of any size in two steps, of which a new style repeats only the second.

    Each step is traced once, however many sizes and numbers of styles it meets; results are those of
    `AnySize`.

    Args:
        model: a Translator.
        direction: one of `model.directions`.
    """

    def __init__(self, model, direction):
        config, (source, target) = model.config, DIRECTIONS[direction]
        separable = isinstance(model, ContentTranslator)

        def encode(images):
            images = pad_to_fit(images, config.size_multiple, config.smallest_input)
            return model.encode_content(images, source) if separable else images

        def decode(code, style=None):
            if style is not None:
                code = tf.repeat(code, tf.shape(style)[0], axis=0)
            if separable:
                return model.decode(code, style, target)
            return model.translate(code, direction, style=style)

        # There is no control flow to convert, and tracing takes half as long.
        traced = functools.partial(tf.function, autograph=False)
        self._encode = traced(encode, input_signature=[tf.TensorSpec([1, None, None, 3], tf.float32)])
        styles_like = [tf.TensorSpec([None, model.style_dim], tf.float32)] if model.style_dim else []

        def traced_decode():
            code_like = self._encode.get_concrete_function().structured_outputs
            return traced(decode, input_signature=[tf.TensorSpec.from_tensor(code_like), *styles_like])

        self._decode = functools.lru_cache(None)(traced_decode)

    def encode(self, image):
        """An image [H,W,3] of the source domain in [-1, 1] -> Encoded."""
        return Encoded(self._encode(image[np.newaxis]), *image.shape[:2])

    def decode(self, encoded, styles):
        """The image under styles [N,style_dim]: numpy [N,H,W,3] in [-1, 1].

        `styles` is None for a method without style; then N is 1.
        """
        images = self._decode()(encoded.code, *([] if styles is None else [styles]))
        return images[:, : encoded.height, : encoded.width].numpy()
