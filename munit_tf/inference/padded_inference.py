"""A model's public methods for images of any size."""

import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from munit_tf.models.memory import check_translation
from munit_tf.models.translator import DIRECTIONS
from munit_tf.networks.input_padding import pad_to_fit


@dataclasses.dataclass(frozen=True)
class Encoded:
    """What of N images of one size does not depend on the style.

    Attributes:
        code: their content codes [N,h,w,C]; of a method without one the padded images themselves.
        height: the images', in pixels.
        width: the same.
    """

    code: Any
    height: int
    width: int


class PaddedInference:
    """Pads images until the networks take them, and crops the results back.

    It translates in two steps, of which another style repeats only the second. Each step is traced once,
    however many sizes and batch sizes it meets.

    Args:
        model: a Translator.
        direction: one of `model.directions`.
    """

    def __init__(self, model, direction):
        config, (source, target) = model.config, DIRECTIONS[direction]
        self._config = config
        separable = model.has_content_code

        def fit(images):
            return pad_to_fit(images, config.size_multiple, config.smallest_input)

        def encode(images):
            return model.encode_content(fit(images), source) if separable else fit(images)

        def decode(code, rows, style=None):
            code = tf.gather(code, rows)
            if separable:
                return model.decode(code, style, target)
            return model.translate(code, direction, style=style)

        def encode_style(images):
            return model.encode_style(fit(images), target)

        # There is no control flow to convert, and tracing takes half as long.
        traced = functools.partial(tf.function, autograph=False)
        images_like = [tf.TensorSpec([None, None, None, 3], tf.float32)]
        rows_like = tf.TensorSpec([None], tf.int32)
        styles_like = [tf.TensorSpec([None, model.style_dim], tf.float32)] if model.style_dim else []
        self._encode = traced(encode, input_signature=images_like)
        self._encode_style = traced(encode_style, input_signature=images_like)

        def traced_decode():
            code_like = self._encode.get_concrete_function().structured_outputs
            likes = [tf.TensorSpec.from_tensor(code_like), rows_like, *styles_like]
            return traced(decode, input_signature=likes)

        self._decode = functools.lru_cache(None)(traced_decode)

    def check_memory(self, count: int, height: int, width: int, what: str) -> None:
        """Raises InputError where so many images of a size, in pixels, cannot be translated at once.

        `what` asks for it, such as a file.
        """
        check_translation(self._config, count, height, width, what)

    def encode(self, images):
        """Images [N,H,W,3] of the source domain in [-1, 1] -> Encoded."""
        return Encoded(self._encode(images), *images.shape[1:3])

    def decode(self, encoded, rows, styles):
        """Translations of encoded images.

        Args:
            encoded: of N images.
            rows: M of 0 to N - 1, which image each translation is of.
            styles: [M,style_dim], the style of each, or None for a method without style.

        Returns:
            Numpy [M,H,W,3] in [-1, 1], of the target domain.
        """
        images = self._decode()(encoded.code, np.int32(rows), *([] if styles is None else [styles]))
        return images[:, : encoded.height, : encoded.width].numpy()

    def encode_style(self, images):
        """The style codes, numpy [N, style_dim], of images [N,H,W,3] of the target domain."""
        return self._encode_style(images).numpy()
