"""Conversion of decoded images of every mode to RGB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import numpy as np
from PIL import Image

# Fits in a CPU cache: several times faster than bands of several megabytes.
_BAND_PIXELS = 1 << 18


class Unsupported(ValueError):
    """Pixel values that cannot be interpreted as 8-bit or 16-bit colors."""


def to_rgb(image: Image.Image) -> Image.Image:
    """Converts a decoded image to RGB: transparency becomes white, 16-bit gray is scaled to 8 bits.

    Apart from the image, only the result takes memory; an image that is RGB already is returned unchanged.

    Raises:
        Unsupported: the gray values are floating point, negative or exceed 16 bits.
    """
    if image.mode == "F":
        raise Unsupported("floating-point gray values")
    if image.mode.startswith("I"):
        return _joined(image, _scaled)
    if image.has_transparency_data:
        return _joined(image, _on_white)
    return image if image.mode == "RGB" else image.convert("RGB")


def scaled_ppm(image: Any, data: bytes) -> Image.Image:
    """Decodes a binary PPM or PGM file whose largest value is neither 255 nor 65535.

    Pillow decodes these files value by value in Python, which takes half a minute for a photo.

    Args:
        image: the opened PIL image, not decoded yet.
        data: the contents of the file.

    Returns:
        RGB image with the same values as Pillow's, converted by `to_rgb` if it is 16-bit gray.

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
    """Splits an image into bands of full rows; yields (index of the band's first row, band)."""
    for top, rows in _spans(image):
        yield top, image.crop((0, top, image.width, top + rows))


def _spans(image: Any) -> Iterator[tuple[int, int]]:
    height = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, height):
        yield top, min(height, image.height - top)


def _joined(image: Image.Image, convert: Callable) -> Image.Image:
    """Converts `image` to RGB band by band, in place if it is RGB."""
    result = image if image.mode == "RGB" else Image.new("RGB", image.size)
    for top, band in bands(image):
        result.paste(convert(band), (0, top))
    result.info.pop("transparency", None)
    return result


def _scaled(band: Image.Image) -> Image.Image:
    # Pillow's conversion clips at 255.
    levels = np.asarray(band).astype(np.int64)
    if levels.min() < 0 or levels.max() > 65535:
        raise Unsupported("gray values that exceed 16 bits")
    return Image.fromarray(_to_8_bits(levels).astype(np.uint8)).convert("RGB")


def _to_8_bits(levels: np.ndarray) -> np.ndarray:
    return (levels + 128) // 257


def _on_white(band: Image.Image) -> Image.Image:
    white = Image.new("RGBA", band.size, "white")
    return Image.alpha_composite(white, band.convert("RGBA")).convert("RGB")
