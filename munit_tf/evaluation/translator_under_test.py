"""A model and its test images in one direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from munit_tf.config.options import DataConfig
from munit_tf.data import pipeline
from munit_tf.data.registry import Dataset, makes_edges
from munit_tf.data.sources import Source
from munit_tf.metrics import lpips
from munit_tf.models.memory import check_translation
from munit_tf.models.translator import DIRECTIONS, Translator


class TranslatorUnderTest:
    """Translates test images for an evaluation.

    Args:
        model: the model.
        dataset: a data set with test images.
        data_options: data options, for the size of the images.
        direction: "a2b" or "b2a".

    Attributes:
        model: the model.
        direction: "a2b" or "b2a".
        source: the source domain.
        target: the target domain.
        inputs: test images of the source domain.
        targets: test images of the target domain.
        is_paired: whether target i is the true result of input i.
        encodes_style: whether the method can encode the style of an image.
    """

    def __init__(self, model: Translator, dataset: Dataset, data_options: DataConfig, direction: str):
        self.model = model
        self.direction = direction
        self.source, self.target = DIRECTIONS[direction]
        # Those of the `shapes` data have more methods than Source.
        self.inputs: Any = dataset.test[self.source]
        self.targets: Any = dataset.test[self.target]
        self.is_paired = data_options.paired or makes_edges(data_options)
        self.encodes_style = model.has_style_encoder
        self._data_options = data_options
        self._translate, self._encode_style = _traced(model, data_options.image_size)

    def unavailable_reason(self, metric: str) -> str | None:
        """Why the method, the data or the direction does not support a metric, in one line, or None."""
        model = self.model
        if metric == "lpips" or (metric == "target_lpips" and self.is_paired):
            return lpips.size_problem(*self._data_options.image_size)
        if metric in ("l1", "cis", "style") and not model.style_dim:
            return "the method has no style"
        if metric == "style" and not self.encodes_style:
            return "the method cannot encode a style"
        if metric == "reconstruction" and not model.has_content_code:
            return "the method has no decoder that reconstructs its input"
        if metric == "cycle" and len(model.directions) < 2:
            return "the method has one direction only"
        if metric in ("target_lpips", "target_l1") and not self.is_paired:
            return "the true results are known only if the run has paired data (--paired or --edges)"
        if metric == "shapes" and not (hasattr(self.inputs, "inside") and self.direction == "a2b"):
            return "the right results are known only for a2b with --dataset=shapes"
        return None

    def check_memory(self, batch_size: int) -> None:
        """Raises InputError if there is not enough memory to translate a batch."""
        height, width = self._data_options.image_size
        what = f"--batch_size={batch_size}"
        check_translation(self.model.config, batch_size, height, width, what)

    def translate(self, images: np.ndarray, styles: np.ndarray | None = None) -> np.ndarray:
        """Translates images [N,H,W,3] of the source domain; styles [N,style_dim] or None."""
        return self._run(self.direction, images, styles)

    def encode_style(self, images: np.ndarray, domain: str) -> np.ndarray:
        """The style codes [N,style_dim] of images [N,H,W,3] of a domain."""
        return self._encode_style[domain](images).numpy()

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Reconstructs images [N,H,W,3] with the encoders and the decoder of the source domain."""
        return self.model.decode(*self.model.encode(images, self.source), self.source).numpy()

    def cycle(self, images: np.ndarray, styles: np.ndarray | None = None) -> np.ndarray:
        """Translates images to the target domain and back.

        Args:
            images: [N,H,W,3] of the source domain.
            styles: [N,style_dim] for the first translation, or None. The second uses the style of `images`,
                or one from the prior if the method cannot encode styles.
        """
        back = next(name for name in self.model.directions if DIRECTIONS[name].target == self.source)
        style = None
        if self.encodes_style:
            style = self.encode_style(images, self.source)
        elif self.model.style_dim:
            style = self.model.prior_style(len(images))
        return self._run(back, self.translate(images, styles), style)

    def styles(self, num_outputs: int, num_inputs: int, seed: int) -> np.ndarray | None:
        """Codes from the prior [num_outputs, num_inputs, style_dim], or None if the method has no style.

        The codes of output k do not depend on the number of outputs.
        """
        if not self.model.style_dim:
            return None
        # One seed per output, distinct from those of other evaluations.
        seeds = (seed * 1_000_003 + k for k in range(num_outputs))
        return np.stack([self.model.prior_style(num_inputs, each).numpy() for each in seeds])

    def loader(self, images: Source) -> Callable[[Sequence[int]], np.ndarray]:
        """A function: indices into a source -> images [N,H,W,3] in [-1, 1]."""
        options = self._data_options
        return lambda indices: pipeline.load_images(
            images, indices, resize=options.resize, image_size=options.image_size
        )

    def insides(self, indices: Sequence[int]) -> np.ndarray:
        """The areas that translations of `shapes` should fill, cropped like the inputs: bool [N,H,W]."""
        height, width = self._data_options.image_size
        full = np.stack([self.inputs.inside(i) for i in indices])
        top, left = (full.shape[1] - height) // 2, (full.shape[2] - width) // 2
        return full[:, top : top + height, left : left + width]

    def _run(self, direction, images, styles):
        return self._translate[direction](images, *([] if styles is None else [styles])).numpy()


def _traced(model, image_size):
    """({direction: translate(images[, style])}, {domain: encode_style(images)}), each traced once."""
    images = tf.TensorSpec([None, *image_size, 3], tf.float32)
    style = [tf.TensorSpec([None, model.style_dim], model.result_dtype)] if model.style_dim else []

    # The code needs no autograph, and tracing without it takes half as long.
    def traced(function, *specs):
        return tf.function(function, input_signature=specs, autograph=False)

    translate = {
        name: traced(lambda x, *style, name=name: model.translate(x, name, *style), images, *style)
        for name in model.directions
    }
    encode = {
        domain: traced(lambda x, domain=domain: model.encode_style(x, domain), images)
        for domain in ("ab" if style else "")
    }
    return translate, encode
