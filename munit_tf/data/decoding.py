"""Encoded images: what their headers say, and their pixels as the networks see them."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import os
import threading
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from munit_tf.data import screening
from munit_tf.data.colour import Unsupported, scaled_ppm, to_rgb
from munit_tf.data.screening import MAX_BYTES, MAX_PIXELS
from munit_tf.errors import InputError

_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
_LARGE_BYTES = 200_000_000
_LARGE = threading.RLock()
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
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
        memory: how many bytes decoding takes at most, besides those of the file.
    """

    format: str
    width: int
    height: int
    mode: str
    turned: bool
    transparent: bool
    deep: bool
    animated: bool
    memory: int


def read(path: str) -> bytes:
    """The bytes of an image file.

    Raises:
        InputError: it cannot be read.
        UnreadableImage: it is larger than MAX_BYTES.
    """
    with _opened(path) as file:
        return file.read()


def read_header(path: str) -> Header:
    """The Header of an image file, of which little more than the header is read.

    Raises:
        InputError: it cannot be read.
        UnreadableImage: it is empty, no image, or exceeds a limit of `screening` by its header.
    """
    with _opened(path) as opened, _blamed(path), _pillow_image(opened) as (image, file):
        orientation = _orientation(image)
        turned = orientation in _UPRIGHT
        width, height = _stored_size(image)
        if orientation in (5, 6, 7, 8):
            width, height = height, width
        return Header(
            format="JPEG" if image.format == "MPO" else image.format,
            width=width,
            height=height,
            mode=image.mode,
            turned=turned,
            transparent=image.has_transparency_data,
            deep=image.mode.startswith("I") or any(";16" in str(tile) for tile in image.tile),
            animated=_is_animated(image, file),
            memory=screening.memory(image, file.kept, 1, turned),
        )


def decode(data: bytes, name: str) -> Image.Image:
    """The image in an encoded file, upright and in colour.

    Of an animation it is the first frame; EXIF orientation is applied; transparency becomes white;
    16-bit grey is scaled to 8 bits.

    Args:
        data: the whole file.
        name: what to call the file in a message.

    Returns:
        PIL image of mode RGB.

    Raises:
        UnreadableImage: the file is empty, damaged, no image, of an unknown kind, or exceeds a limit of
            `screening`, which is found before anything is decoded.
        InputError: memory does not suffice for it.
    """
    if not data:
        raise _empty(name)
    with _blamed(name), contextlib.ExitStack() as alone:
        image, orientation = _decode_stored(data, alone)
        if orientation not in _UPRIGHT:
            return image
        image = image.transpose(_UPRIGHT[orientation])
        for key in ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"):
            image.info.pop(key, None)
        return image


def large_alone(memory: int) -> contextlib.AbstractContextManager:
    """A context in which only one of all threads is with a large image, for the sake of memory.

    Args:
        memory: how many bytes it takes to decode.
    """
    return _LARGE if memory > _LARGE_BYTES else contextlib.nullcontext()


def suffix(data: bytes) -> str:
    """The file name suffix, such as ".png", that suits an image file's bytes; ".jpg" where they are none."""
    try:
        with _blamed(""), _pillow_image(io.BytesIO(data)) as (image, _):
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
def _pillow_image(file: BinaryIO) -> Iterator[tuple[Image.Image, screening.MeteredFile]]:
    """A file as a Pillow image that is not decoded yet, and the file as it was checked."""
    metered = screening.MeteredFile(file)
    screening.check_header(metered)
    with Image.open(metered, formats=_FORMATS) as image:
        screening.check_size(image, metered.size)
        metered.allow(None)
        yield image, metered


def _decode_stored(data: bytes, alone: contextlib.ExitStack) -> tuple[Image.Image, int]:
    """(RGB image as it is stored, EXIF orientation); Pillow's own image is freed. `alone` keeps the lock."""
    with _pillow_image(io.BytesIO(data)) as (image, file):
        scans = screening.check_data(image, data)
        # A PNG file may have its EXIF data after its pixels, and Pillow looks for them only once.
        turned = image.format != "PNG" and _orientation(image) in _UPRIGHT
        alone.enter_context(large_alone(screening.memory(image, file.kept, scans, turned)))
        if image.tile and image.tile[0][0] == "ppm":
            return scaled_ppm(image, data), 1
        image.load()
        orientation = _orientation(image)  # 1 for a TIFF image, which is upright now.
        memory = screening.memory(image, file.kept, scans, orientation in _UPRIGHT)
        alone.enter_context(large_alone(memory))
        return to_rgb(image), orientation


@contextlib.contextmanager
def _blamed(name: str) -> Iterator[None]:
    """Inside, whatever Pillow raises is the fault of the file of this name."""
    try:
        yield
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
    except screening.TooLarge as error:
        raise UnreadableImage("too_large", f"{name} {error}") from error
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
        kind = "truncated" if "truncated" in reason.lower() else "damaged"
        raise UnreadableImage(
            "unsupported" if isinstance(error, Unsupported) else kind,
            f"{name} cannot be decoded ({reason}): fetch it again, convert it or remove it",
        ) from error


def _orientation(image: Image.Image) -> int:
    """EXIF's, from 1, which is upright, to 8."""
    screening.check_exif(image)
    # A PNG file without EXIF would be decoded in search of it.
    exif = Image.Image.getexif(image) if image.format == "PNG" else image.getexif()
    return exif.get(_ORIENTATION, 1)


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) as stored; for TIFF files, some versions of Pillow give the upright image's."""
    return (image.tag_v2[256], image.tag_v2[257]) if image.format == "TIFF" else image.size


def _is_animated(image: Image.Image, file: screening.MeteredFile) -> bool:
    if image.format == "MPO":  # A photo with its depth or preview.
        return False
    # A GIF file is read up to its next frame, in pieces of 255 bytes where it is sound.
    file.allow(10_000 + file.size // 64)
    try:
        return getattr(image, "is_animated", False)
    except Exception:  # What comes after the first frame may be damaged in any way.
        return False
