"""Pictures as visitors bring them, made fit for the networks."""

import dataclasses
import os
from typing import Any

from PIL import Image

from munit_tf.data import decoding, pipeline
from munit_tf.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """A picture as the model sees it.

    Attributes:
        name: what to call it, without folder and suffix.
        image: a PIL RGB image, resized.
        notes: str, sentences: what was done to it.
    """

    name: str
    image: Any
    notes: str


def fit(name, image, resize, max_pixels, notes=""):
    """A Picture with the shorter side resized as in training, and no more pixels than the device takes.

    Args:
        name: what to call it.
        image: a PIL RGB image.
        resize: the shorter side after resizing, in pixels.
        max_pixels: the most height x width afterwards; above it the picture gets smaller in proportion.
        notes: what was done to it already.

    Raises:
        InputError: it is too long and thin to be resized.
    """
    try:
        fitted = pipeline.resize_shorter(image, resize)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    reason = "its shorter side as in training"
    if fitted.width * fitted.height > max_pixels:
        factor = (max_pixels / (fitted.width * fitted.height)) ** 0.5
        size = [max(1, int(side * factor)) for side in fitted.size]
        # A line of pixels can still be too long.
        size = [min(side, max_pixels // min(size)) for side in size]
        fitted = image.resize(size, Image.Resampling.BILINEAR)
        reason = f"the {max_pixels} pixels that --max_pixels allows"
    if fitted.size != image.size:
        notes += f" Resized from {_size(image)} to {_size(fitted)} pixels, {reason}."
    return Picture(name, fitted, notes.strip())


def read(path, resize, max_pixels):
    """The Picture in an uploaded file; see `fit`.

    Raises:
        InputError: the file is empty, damaged, no image, or has too many pixels.
    """
    file_name = os.path.basename(path)
    with open(path, "rb") as file:
        data = file.read()
    image, header = decoding.decode(data, file_name), decoding.read_header(path)
    notes = ""
    if header.animated:
        notes += " Of an animation this is the first frame."
    if header.mode == "CMYK":
        notes += " Its CMYK colours were converted to RGB, without a colour profile."
    if header.transparent:
        notes += " What is transparent became white."
    return fit(os.path.splitext(file_name)[0], image, resize, max_pixels, notes)


def _size(image):
    return f"{image.width} x {image.height}"
