"""Encoded images: what their headers say, and their pixels as the networks see them."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import os
import threading

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from munit_tf.config import InputError

MAX_PIXELS = 178_000_000
MAX_BYTES = 1 << 30
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
_BAND_PIXELS = 1 << 22
_LARGE_PIXELS = 50_000_000
_LARGE = threading.RLock()
_ORIENTATION = 0x0112
# Blocks of Pillow's 16 MiB stay in the C library's pools, one for each thread: training that decodes large
# photos grows by gigabytes. Those above 32 MiB go back to the system.
if "PILLOW_BLOCK_SIZE" not in os.environ:
    Image.core.set_block_size(64 << 20)


class UnreadableImage(InputError):
    """A file of which no image can be made, on any machine and at any time.

    Attributes:
        kind: "empty", "no_image", "too_large", "truncated", "damaged" or "unsupported".
    """

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


@dataclasses.dataclass(frozen=True)
class Header:
    """What an image file says of itself before anything is decoded.

    Attributes:
        format: Pillow's name, such as "JPEG".
        width: in pixels, of the upright image.
        height: likewise.
        mode: Pillow's, such as "RGB" or "CMYK".
        turned: EXIF says that it is stored in another orientation than upright.
        transparent: it has an alpha channel or a transparent colour.
        deep: it has 16 bits for each channel.
        animated: it has more than one frame or page.
    """

    format: str
    width: int
    height: int
    mode: str
    turned: bool
    transparent: bool
    deep: bool
    animated: bool


def read(path):
    """The bytes of an image file.

    Raises:
        InputError: it cannot be read.
        UnreadableImage: it is larger than MAX_BYTES.
    """
    with _opened(path) as file:
        return file.read()


def read_header(path):
    """The Header of an image file, of which little more than the header is read.

    Raises:
        InputError: it cannot be read.
        UnreadableImage: it is empty, no image, or larger than MAX_BYTES or MAX_PIXELS.
    """
    with _opened(path) as file, _pillow_image(file, path) as image:
        orientation = _exif(image).get(_ORIENTATION, 1)
        sideways = orientation in (5, 6, 7, 8)
        return Header(
            format="JPEG" if image.format == "MPO" else image.format,
            width=image.height if sideways else image.width,
            height=image.width if sideways else image.height,
            mode=image.mode,
            turned=orientation in range(2, 9),
            transparent=image.has_transparency_data,
            deep=image.mode.startswith("I") or any(";16" in str(tile) for tile in image.tile),
            animated=_is_animated(image),
        )


def decode(data, name):
    """The image in an encoded file, upright and in colour.

    Of an animation it is the first frame; EXIF orientation is applied; transparency becomes white;
    16-bit grey is scaled to 8 bits.

    Args:
        data: bytes, the whole file.
        name: what to call the file in a message.

    Returns:
        PIL image of mode RGB.

    Raises:
        UnreadableImage: the file is empty, damaged, no image, of an unknown kind, or larger than
            MAX_PIXELS (found from its header, before anything is decoded).
        InputError: memory does not suffice for it.
    """
    if not data:
        raise _empty(name)
    with _pillow_image(io.BytesIO(data), name) as image, large_alone(image):
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return _to_rgb(image, name)


def large_alone(image):
    """A context in which only one of all threads is with a large image, for the sake of memory.

    Args:
        image: anything with a width and a height, in pixels.
    """
    return _LARGE if image.width * image.height > _LARGE_PIXELS else contextlib.nullcontext()


def bands(image):
    """A PIL image in pieces of whole rows, to be worked on one by one: yields (the first row, PIL image)."""
    height = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, height):
        yield top, image.crop((0, top, image.width, min(top + height, image.height)))


def suffix(data):
    """The file name suffix, such as ".png", that suits an image file's bytes; ".jpg" where they are none."""
    try:
        with _pillow_image(io.BytesIO(data), "") as image:
            return {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif"}.get(
                image.format, "." + image.format.lower()
            )
    except UnreadableImage:
        return ".jpg"  # Whoever reads it says so, and under its name.


@contextlib.contextmanager
def _opened(path):
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size:
                raise _empty(path)
            if size > MAX_BYTES:
                raise UnreadableImage(
                    "too_large", f"{path} has more than {MAX_BYTES >> 30} GiB: scale it down or remove it"
                )
            yield file
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}; restore it or take it out of the data set"
        ) from error


def _empty(name):
    return UnreadableImage("empty", f"{name} is empty (0 bytes): fetch it again or remove it")


@contextlib.contextmanager
def _pillow_image(file, name):
    """A file as a Pillow image; inside, whatever Pillow raises is the file's fault."""
    try:
        with Image.open(file, formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            if not image.width * image.height:
                raise ValueError("no pixels")
            yield image
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"memory does not suffice to decode {name}: scale it down or remove it") from error
    except UnidentifiedImageError as error:
        raise UnreadableImage(
            "no_image",
            f"{name} is not an image, is damaged, or has an unknown format (known: "
            f"{' '.join(_FORMATS)}): convert it or remove it",
        ) from error
    except Image.DecompressionBombError as error:
        raise UnreadableImage(
            "too_large",
            f"{name} has more than {MAX_PIXELS} pixels by its header: scale it down or remove it",
        ) from error
    # Pillow's decoders raise whatever suits the format: OSError, SyntaxError, struct.error, ...
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # The disk's, not the file's: Pillow's own have no number, and EINVAL is a jump it took.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableImage(
            "truncated" if "truncated" in reason.lower() else "damaged",
            f"{name} cannot be decoded ({reason}): fetch it again, convert it or remove it",
        ) from error


def _exif(image):
    # A PNG file without EXIF would be decoded in search of it.
    return Image.Image.getexif(image) if image.format == "PNG" else image.getexif()


def _is_animated(image):
    if image.format == "MPO":  # A photo with its depth or preview.
        return False
    try:
        return getattr(image, "is_animated", False)
    except Exception:  # What comes after the first frame may be damaged in any way.
        return False


def _to_rgb(image, name):
    if image.mode == "F":
        raise _unsupported(name, "grey values in floating point")
    if image.mode.startswith("I"):
        return _joined(image, "L", lambda band: _scaled(band, name)).convert("RGB")
    if image.has_transparency_data:
        return _joined(image, "RGB", _on_white)
    return image if image.mode == "RGB" else image.convert("RGB")


def _joined(image, mode, convert):
    """`image` converted band by band, which takes little memory beside the result."""
    result = Image.new(mode, image.size)
    for top, band in bands(image):
        result.paste(convert(band), (0, top))
    return result


def _scaled(band, name):
    # Pillow's own conversion clips at 255.
    levels = np.asarray(band).astype(np.int64)
    if levels.min() < 0 or levels.max() > 65535:
        raise _unsupported(name, "grey values beyond 16 bits")
    return Image.fromarray(((levels + 128) // 257).astype(np.uint8))


def _on_white(band):
    white = Image.new("RGBA", band.size, "white")
    return Image.alpha_composite(white, band.convert("RGBA")).convert("RGB")


def _unsupported(name, reason):
    return UnreadableImage(
        "unsupported", f"{name} cannot be decoded ({reason}): fetch it again, convert it or remove it"
    )
