"""The model and the images of the data set, which all visitors share."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from munit_tf.config.options import DataConfig
from munit_tf.data import pipeline, registry
from munit_tf.data.edges import draw_edges
from munit_tf.data.sources import Source
from munit_tf.errors import InputError
from munit_tf.explorer import photos
from munit_tf.explorer.photos import Picture
from munit_tf.inference.padded_inference import Encoded, PaddedInference
from munit_tf.models.translator import DIRECTIONS
from munit_tf.runs import loading, run_folder
from munit_tf.terminal import say

PICTURES_SHOWN = 12
_SMALL = 128
_PIXELS_PER_BATCH = 4 * 256 * 256
# The reason in an error message, without the remedy, which is for training.
_REASON = re.compile(r".+?(?=[:;] |$)")


class ModelService:
    """A trained model for the visitors of the page.

    Args:
        run: the run folder.
        max_pixels: the most pixels of a picture; larger ones are scaled down.
        weights: "newest" or "best"; see `loading.load`.
        averaged: see `loading.load`.

    Attributes:
        model: the model.
        guided: whether it can encode the style of a picture.
        subject: the name of its training data.
        resize: the shorter side of pictures after resizing, in pixels.
        small: whether pictures are so small that the page enlarges them.
        no_images_reason: why the images of the data set are unavailable, in a sentence, or None.

    Raises:
        InputError: `run` is not a run folder, or has no checkpoint.
    """

    def __init__(
        self, run: str | pathlib.Path, max_pixels: int, weights: str = "newest", averaged: bool = True
    ) -> None:
        options = run_folder.RunFolder.to_read(run).options()
        self.model = loading.load(run, weights=weights, averaged=averaged)
        self.guided = self.model.has_style_encoder and bool(self.model.style_dim)
        self._dataset = options.data.dataset or ""
        self.subject = self._dataset.rstrip("/").rpartition("/")[2] or "own images"
        self.resize = options.data.resize
        self._max_pixels = max_pixels
        self.small = min(self.resize, max_pixels**0.5) < _SMALL
        self._has_edges = registry.has_edges(options.data)
        self._images, self.no_images_reason = open_images(options.data)
        self._networks = {name: PaddedInference(self.model, name) for name in self.model.directions}
        self._computing = threading.Lock()

    def domain_names(self, direction: str) -> list[str]:
        """The contents of the source and the target domain, in a few words each."""
        entry = registry.ENTRIES.get(self._dataset)
        return [getattr(entry, each) if entry else f"domain {each.upper()}" for each in DIRECTIONS[direction]]

    def is_drawn(self, direction: str) -> bool:
        """Whether the source domain consists of edges, which visitors can draw."""
        return DIRECTIONS[direction].source == "a" and self._has_edges

    def first_thing_to_do(self, direction: str) -> str:
        """What a visitor must do before anything can be translated, as a sentence."""
        return "Draw, or choose a picture." if self.is_drawn(direction) else "Choose a picture first."

    def pictures(self, domain: str, page: int) -> list[Picture]:
        """The readable ones among PICTURES_SHOWN images of the data set; after the last, the first follow."""
        if self._images is None:
            return []
        images, pictures = self._images[domain], list[Picture]()
        for position in range(min(PICTURES_SHOWN, len(images))):
            index = (page * PICTURES_SHOWN + position) % len(images)
            try:
                pictures.append(self.to_picture(f"{domain}{index}", images[index]))
            except InputError as error:
                say(f"munit_tf.explore: {error}", file=sys.stderr)
        return pictures

    def read(self, path: str, edges: bool = False) -> Picture:
        """Reads an uploaded file, or the edges of a photo; raises InputError, see `photos.read`."""
        picture = photos.read(path, self.resize, self._max_pixels)
        return dataclasses.replace(picture, image=draw_edges(picture.image)) if edges else picture

    def to_picture(self, name: str, image: Image.Image) -> Picture:
        """An RGB image as a picture of the page."""
        return photos.fit(name, image, self.resize, self._max_pixels)

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
            try:
                with self._computing:
                    rows = [0] * (1 if group is None else len(group))
                    images = self._networks[direction].decode(encoded, rows, group)
            except tf.errors.ResourceExhaustedError as error:
                raise InputError(
                    f"There is not enough memory for a picture of {encoded.width} x {encoded.height} pixels: "
                    "start the page with a smaller --max_pixels."
                ) from error
            if not np.isfinite(images).all():
                raise InputError("The model's result is not finite: its training failed.")
            yield from images


def open_images(config: DataConfig) -> tuple[dict[str, Source] | None, str | None]:
    """Opens the images of a data set without downloading anything.

    Returns:
        ({domain: source}, None) with test images or, if it has none, training images; or (None, reason).
    """
    if not (config.dataset or config.train_b):
        return None, "The run does not say which images it was trained on."
    if not registry.is_here(config):
        return None, f"The images of {config.dataset} are not on this machine."
    try:
        dataset = registry.open_dataset(config)
    except InputError as error:
        reason: Any = _REASON.match(str(error))
        return None, f"The images of the data set are unavailable: {reason[0]}."
    return dataset.test or dataset.train, None
