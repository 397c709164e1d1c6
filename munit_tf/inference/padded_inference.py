"""Translation of images of any size."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from munit_tf.models.memory import check_translation
from munit_tf.models.translator import DIRECTIONS, Translator
from munit_tf.networks.input_padding import pad_to_fit


@dataclasses.dataclass(frozen=True)
class Encoded:
    """N images of one size, encoded as far as possible without a style.

    Attributes:
        code: content codes [N,h,w,C], or the padded images if the method has no content code.
        height: of the images, in pixels.
        width: of the images, in pixels.
    """

    code: tf.Tensor
    height: int
    width: int


class PaddedInference:
    """Pads images to a size that fits the networks, and crops the results.

    Translation takes two steps; another style repeats only the second. Each step is traced once for all
    sizes and batch sizes.

    Args:
        model: the model.
        direction: one of `model.directions`.
    """

    def __init__(self, model: Translator, direction: str):
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

        # The code needs no autograph, and tracing without it takes half as long.
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
        """Checks that there is memory to translate a number of images at once.

        Args:
            count: the number of images.
            height: of the images, in pixels.
            width: of the images, in pixels.
            what: the file or flag to name in the message.

        Raises:
            InputError: there is not enough memory.
        """
        check_translation(self._config, count, height, width, what)

    def encode(self, images: np.ndarray) -> Encoded:
        """Encodes images [N,H,W,3] in [-1, 1] of the source domain."""
        height, width = images.shape[1:3]
        return Encoded(self._encode(images), height, width)

    def decode(self, encoded: Encoded, rows: list[int], styles: np.ndarray | None) -> np.ndarray:
        """Translates encoded images.

        Args:
            encoded: N images.
            rows: for each of M translations, the index of its image, from 0 to N - 1.
            styles: [M,style_dim], the style of each, or None for a method without style.

        Returns:
            [M,H,W,3] in [-1, 1], of the target domain.
        """
        images = self._decode()(encoded.code, np.array(rows, np.int32), *([] if styles is None else [styles]))
        return images[:, : encoded.height, : encoded.width].numpy()

    def encode_style(self, images: np.ndarray) -> np.ndarray:
        """The style codes [N,style_dim] of images [N,H,W,3] of the target domain."""
        return self._encode_style(images).numpy()
