"""Decoded images of every mode as RGB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import numpy as np
from PIL import Image

# Small enough for a CPU's cache: several times faster than bands of megabytes.
_BAND_PIXELS = 1 << 18


class Unsupported(ValueError):
    """Pixel values that have no meaning as colours of 8 or 16 bits."""


def to_rgb(image: Image.Image) -> Image.Image:
    """A decoded PIL image in mode RGB: on white where it is transparent, 16-bit grey scaled to 8 bits.

    It takes the memory of the result besides the image, and none where the image is RGB already.

    Raises:
        Unsupported: grey values in floating point, negative or beyond 16 bits.
    """
    if image.mode == "F":
        raise Unsupported("grey values in floating point")
    if image.mode.startswith("I"):
        return _joined(image, _scaled)
    if image.has_transparency_data:
        return _joined(image, _on_white)
    return image if image.mode == "RGB" else image.convert("RGB")


def scaled_ppm(image: Image.Image, data: bytes) -> Image.Image:
    """The pixels of a binary PPM or PGM file whose largest value is neither 255 nor 65535.

    Pillow decodes such files value by value in Python, which takes half a minute for a photo.

    Args:
        image: a PIL image that is not decoded yet.
        data: the whole file.

    Returns:
        PIL image of mode RGB; the values are those of Pillow, and of `to_rgb` for 16-bit grey.

    Raises:
        ValueError: the file is too short.
    """
    _, _, start, (_, largest) = image.tile[0]
    kind, channels = (np.dtype(np.uint8) if largest < 256 else np.dtype(">u2")), len(image.getbands())
    most = 65535 if image.mode == "I" else 255
    levels = np.minimum(np.rint(np.arange(1 << 8 * kind.itemsize) / largest * most), most).astype(np.int64)
    table = (_to_8_bits(levels) if image.mode == "I" else levels).astype(np.uint8)
    count = image.width * image.height * channels
    if len(data) - start < count * kind.itemsize:
        raise ValueError("not enough image data")
    stored = np.frombuffer(data, kind, count, start).reshape(image.height, image.width, channels)
    result = Image.new("RGB", image.size)
    for top, rows in _spans(image):
        band = np.broadcast_to(table[stored[top : top + rows]], (rows, image.width, 3))
        result.paste(Image.fromarray(np.ascontiguousarray(band)), (0, top))
    return result


def bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """A PIL image in pieces of whole rows, to be worked on one by one: yields (the first row, PIL image)."""
    for top, rows in _spans(image):
        yield top, image.crop((0, top, image.width, top + rows))


def _spans(image: Any) -> Iterator[tuple[int, int]]:
    height = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, height):
        yield top, min(height, image.height - top)


def _joined(image: Image.Image, convert: Callable) -> Image.Image:
    """`image` converted to RGB band by band, in place where it is RGB."""
    result = image if image.mode == "RGB" else Image.new("RGB", image.size)
    for top, band in bands(image):
        result.paste(convert(band), (0, top))
    result.info.pop("transparency", None)
    return result


def _scaled(band: Image.Image) -> Image.Image:
    # Pillow's own conversion clips at 255.
    levels = np.asarray(band).astype(np.int64)
    if levels.min() < 0 or levels.max() > 65535:
        raise Unsupported("grey values beyond 16 bits")
    return Image.fromarray(_to_8_bits(levels).astype(np.uint8)).convert("RGB")


def _to_8_bits(levels: np.ndarray) -> np.ndarray:
    return (levels + 128) // 257


def _on_white(band: Image.Image) -> Image.Image:
    white = Image.new("RGBA", band.size, "white")
    return Image.alpha_composite(white, band.convert("RGBA")).convert("RGB")
