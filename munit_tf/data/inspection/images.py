"""Inspection of one image: its header and its pixels."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator
from typing import Any, Optional

import numpy as np
from PIL import Image, ImageChops

from munit_tf.config.options import DataConfig
from munit_tf.data import color, decoding
from munit_tf.data.inspection.findings import Finding
from munit_tf.data.resizing import resize_shorter, resized
from munit_tf.data.sources import ImageFiles
from munit_tf.errors import InputError

THUMBNAIL = 8
_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg"),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm"),
}
_EXPLAINED = ("truncated", "damaged", "unsupported", "too_large")  # The other kinds need no detail.
_CONSTANT_LEVELS = 2  # Of 255; JPEG compression artifacts of a constant image.
_GRAY_LEVELS = 4


@dataclasses.dataclass
class Look:
    """The result of the inspection of one image.

    Attributes:
        place: "trainA", "trainB", "testA" or "testB".
        name: the name of the file.
        findings: about this image alone.
        header: None if it cannot be read.
        file_digest: equal for equal bytes; None if the image was not decoded, as are the following.
        pixel_digest: equal for equal pixels.
        thumbnail: uint8 [8,8,3], the image scaled down.
        gray: whether all pixels are gray.
    """

    place: str
    name: str
    findings: list[Finding]
    header: Optional[decoding.Header] = None
    file_digest: Optional[bytes] = None
    pixel_digest: Optional[bytes] = None
    thumbnail: Optional[np.ndarray] = None
    gray: Optional[bool] = None


def look(source: ImageFiles, index: int, place: str, data_options: DataConfig, decode: bool) -> Look:
    """Inspects image `index` of a source.

    Args:
        source: the images.
        index: of the image.
        place: "trainA", "trainB", "testA" or "testB".
        data_options: data options, of which `resize` and `image_size` are used.
        decode: whether to decode the image, or to read the header only.

    Returns:
        What was found.
    """
    seen = Look(place, source.name(index), [])
    try:
        seen.header = header = source.header(index)
        seen.findings += _of_header(seen.name, source.paths[index], header, data_options)
        if decode:
            with decoding.large_alone(header.memory):
                _look_at_pixels(seen, source, index, data_options)
    except decoding.UnreadableImage as error:
        detail = _reason(error, ": ", source.paths[index]) if error.kind in _EXPLAINED else ""
        seen.findings.append(Finding(error.kind, (seen.name,), detail))
    except InputError as error:
        seen.findings.append(Finding("missing", (seen.name,), _reason(error, "; ", source.paths[index])))
    return seen


def _of_header(name: str, path: str, header: decoding.Header, data_options: DataConfig) -> Iterator[Finding]:
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in _SUFFIXES.get(header.format, (f".{header.format.lower()}",)):
        yield Finding("misnamed", (name,), f"contains {header.format}")
    size = f"{header.height}x{header.width}"
    if header.animated:
        yield Finding("animated", (name,))
    if header.mode == "CMYK":
        yield Finding("cmyk", (name,))
    if header.deep:
        yield Finding("deep", (name,))
    if header.transparent:
        yield Finding("transparent", (name,))
    if header.turned:
        yield Finding("turned", (name,))
    resize, (height, width) = data_options.resize, data_options.image_size
    try:
        new_width, new_height = resized(header.width, header.height, resize)
    except InputError:
        yield Finding("too_thin", (name,), size)
        return
    shorter, longer = sorted((header.width, header.height))
    if new_width < width or new_height < height:
        yield Finding("too_small", (name,), f"{size}, {new_height}x{new_width} after --resize={resize}")
    elif shorter < resize:
        yield Finding("enlarged", (name,), size)
    if shorter >= 4 * resize:
        yield Finding("oversized", (name,), size)
    if longer > 3 * shorter:
        yield Finding("elongated", (name,), size)


def _look_at_pixels(seen: Look, source: ImageFiles, index: int, data_options: DataConfig) -> None:
    data = source.read(index)
    seen.file_digest = hashlib.blake2b(data + str(source.half).encode(), digest_size=16).digest()
    image = source.decoded(index, data)
    del data
    digest = hashlib.blake2b(str(image.size).encode(), digest_size=16)
    for _, band in color.bands(image):
        digest.update(band.tobytes())
    seen.pixel_digest = digest.digest()
    if min(image.size) > data_options.resize:
        image = resize_shorter(image, data_options.resize)
    extrema: Any = image.getextrema()
    if max(high - low for low, high in extrema) <= _CONSTANT_LEVELS:
        seen.findings.append(Finding("constant", (seen.name,)))
        return
    red, green, blue = image.split()
    differences: Any = [ImageChops.difference(one, green).getextrema()[1] for one in (red, blue)]
    seen.gray = max(differences) <= _GRAY_LEVELS
    seen.thumbnail = np.asarray(image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))


def _reason(error: InputError, end: str, path: str) -> str:
    """An error's message without its remedy and the file's name, which the report gives itself."""
    return str(error).rsplit(end, 1)[0].replace(f"{path} ", "").replace(path, "it")
