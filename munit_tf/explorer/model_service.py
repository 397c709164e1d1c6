"""The model and the images of the data set, which all visitors share."""

from __future__ import annotations

import pathlib
import re
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from munit_tf.config.options import DataConfig, Options
from munit_tf.data import pipeline, registry
from munit_tf.data.sources import Source
from munit_tf.errors import InputError
from munit_tf.explorer import photos
from munit_tf.explorer.photos import Picture
from munit_tf.inference.padded_inference import Encoded, PaddedInference
from munit_tf.models.translator import DIRECTIONS
from munit_tf.runs import loading, run_folder

_PIXELS_PER_BATCH = 4 * 256 * 256
# The reason in an error message, without the remedy, which is for training.
_REASON = re.compile(r".+?(?=[:;] |$)")


class ModelService:
    """A trained model for the visitors of the page.

    Args:
        run: the run folder.
        max_pixels: the most pixels of a picture; larger ones are scaled down.

    Attributes:
        model: the model.
        directions: names of its directions.
        style_dim: length of a style code; 0: it has none.
        guided: whether it can encode the style of a picture.
        separable: whether it has a content code.
        subject: the name of its training data.
        method: the method's name.
        step: number of training steps.
        no_images_reason: why the images of the data set are unavailable, in a sentence, or None.

    Raises:
        InputError: `run` is not a run folder, or has no checkpoint.
    """

    def __init__(self, run: str | pathlib.Path, max_pixels: int):
        options = run_folder.RunFolder(run).options()
        self.model = loading.load(run)
        self.directions = self.model.directions
        self.style_dim = self.model.style_dim
        self.guided = self.model.has_style_encoder and bool(self.style_dim)
        self.separable = self.model.has_content_code
        self.subject = _subject(options)
        self.method = type(self.model).__name__
        self.step = int(self.model.step)
        self._dataset = options.data.dataset
        self._resize = options.data.resize
        self._max_pixels = max_pixels
        self._images, self.no_images_reason = open_images(options.data)
        self._networks = {name: PaddedInference(self.model, name) for name in self.directions}
        self._computing = threading.Lock()

    def __deepcopy__(self, memo: dict[int, Any]) -> ModelService:
        """Returns itself: Gradio copies sessions, which refer to it."""
        return self

    def domain_name(self, domain: str) -> str:
        """The contents of domain "a" or "b", in a few words."""
        entry = registry.ENTRIES.get(self._dataset or "")
        return getattr(entry, domain) if entry else f"domain {domain.upper()}"

    def count(self, domain: str) -> int:
        """The number of images of a domain in the data set."""
        return len(self._images[domain]) if self._images else 0

    def picture(self, domain: str, index: int) -> Picture:
        """Image `index` of a domain of the data set."""
        assert self._images is not None
        image = self._images[domain][index]
        return photos.fit(f"{domain}{index}", image, self._resize, self._max_pixels)

    def read(self, path: str) -> Picture:
        """Reads an uploaded file; raises InputError, see `photos.read`."""
        return photos.read(path, self._resize, self._max_pixels)

    def random_codes(self, count: int, seed: int) -> np.ndarray:
        """Style codes [count,style_dim] from the prior, the same as with `translate --seed`."""
        return self.model.prior_style(count, seed).numpy().astype(np.float32)

    def style_of(self, picture: Picture, direction: str) -> np.ndarray:
        """The style code [style_dim] of a picture of the target domain."""
        image = pipeline.to_array(picture.image)[np.newaxis]
        with self._computing:
            return self._networks[direction].encode_style(image)[0]

    def encode(self, picture: Picture, direction: str) -> Encoded:
        """Encodes a picture as far as possible without a style."""
        with self._computing:
            return self._networks[direction].encode(pipeline.to_array(picture.image)[np.newaxis])

    def content_size(self, encoded: Encoded) -> tuple[int, ...]:
        """(height, width, channels) of a content code."""
        return tuple(encoded.code.shape[1:])

    def translations(
        self, encoded: Encoded, direction: str, codes: np.ndarray | None
    ) -> Iterator[np.ndarray]:
        """Yields the translation [H,W,3] for each of the codes [N,style_dim], or a single one for None.

        Releases the model to other visitors after every batch.

        Raises:
            InputError: there is not enough memory, or the result is not finite.
        """
        size = max(1, _PIXELS_PER_BATCH // (encoded.height * encoded.width))
        batches: list[Any] = [None] if codes is None else np.split(codes, range(size, len(codes), size))
        for group in batches:
            with self._computing:
                images = self._decode(encoded, direction, group)
            yield from images

    def _decode(self, encoded: Encoded, direction: str, codes: np.ndarray | None) -> np.ndarray:
        try:
            rows = [0] * (1 if codes is None else len(codes))
            images = self._networks[direction].decode(encoded, rows, codes)
        except tf.errors.ResourceExhaustedError as error:
            raise InputError(
                f"There is not enough memory for a picture of {encoded.width} x {encoded.height} pixels: "
                "start the page with a smaller --max_pixels."
            ) from error
        if not np.isfinite(images).all():
            raise InputError("The model's result is not finite: its training failed.")
        return images


def _subject(options: Options) -> str:
    """The name of a known data set or of a folder."""
    dataset = options.data.dataset
    return dataset.rstrip("/").rpartition("/")[2] if dataset else "own images"


def open_images(config: DataConfig) -> tuple[dict[str, Source] | None, str | None]:
    """Opens the images of a data set without downloading anything.

    Returns:
        ({domain: source}, None) with test images or, if it has none, training images; or (None, reason).
    """
    if not (config.dataset or config.train_a):
        return None, "The run does not say which images it was trained on."
    if not registry.is_here(config):
        return None, f"The images of {config.dataset} are not on this machine."
    try:
        dataset = registry.open_dataset(config)
    except InputError as error:
        reason: Any = _REASON.match(str(error))
        return None, f"The images of the data set are unavailable: {reason[0]}."
    return dataset.test or dataset.train, None


def source_domain(direction: str) -> str:
    """The source domain of a direction."""
    return DIRECTIONS[direction].source


def target_domain(direction: str) -> str:
    """The target domain of a direction."""
    return DIRECTIONS[direction].target
