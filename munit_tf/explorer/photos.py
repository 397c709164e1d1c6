"""Uploaded images, resized for the networks."""

from __future__ import annotations

import dataclasses
import os

from PIL import Image

from munit_tf.data import decoding, pipeline
from munit_tf.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """A picture as an input of the model.

    Attributes:
        name: of the file, without folder and suffix.
        image: RGB, resized.
        notes: sentences that say how it was changed.
    """

    name: str
    image: Image.Image
    notes: str


def fit(name: str, image: Image.Image, resize: int, max_pixels: int, notes: str = "") -> Picture:
    """Resizes the shorter side to `resize` pixels, as in training, or less if height x width > `max_pixels`.

    `notes` are those of earlier changes.

    Raises:
        InputError: the picture is too long and thin to be resized.
    """
    try:
        fitted = pipeline.resize_shorter(image, resize)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    reason = "its shorter side as in training"
    if fitted.width * fitted.height > max_pixels:
        factor = (max_pixels / (fitted.width * fitted.height)) ** 0.5
        width, height = (max(1, int(side * factor)) for side in fitted.size)
        # A picture that is one pixel wide can still be too long.
        longest = max_pixels // min(width, height)
        fitted = image.resize((min(width, longest), min(height, longest)), Image.Resampling.BILINEAR)
        reason = f"the {max_pixels} pixels that --max_pixels allows"
    if fitted.size != image.size:
        notes += f" Resized from {_size(image)} to {_size(fitted)} pixels, {reason}."
    return Picture(name, fitted, notes.strip())


def read(path: str, resize: int, max_pixels: int) -> Picture:
    """Reads an uploaded file; see `fit`.

    Raises:
        InputError: the file is empty, damaged, not an image, or has too many pixels.
    """
    name = os.path.basename(path)
    with open(path, "rb") as file:
        image = decoding.decode(file.read(), name)
    header = decoding.read_header(path)
    notes = {
        " This is the first frame of an animation.": header.animated,
        " Its CMYK colors were converted to RGB without a color profile.": header.mode == "CMYK",
        " Transparent areas became white.": header.transparent,
    }
    text = "".join(note for note, applies in notes.items() if applies)
    return fit(os.path.splitext(name)[0], image, resize, max_pixels, text)


def _size(image: Image.Image) -> str:
    return f"{image.width} x {image.height}"
