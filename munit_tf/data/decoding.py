"""Reading image files: their headers, and their pixels as upright RGB."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import os
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO

from PIL import Image, UnidentifiedImageError

from munit_tf.data import screening
from munit_tf.data.color import Unsupported, scaled_ppm, to_rgb
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
# The C library keeps Pillow's default blocks of 16 MiB in a pool for each thread, so that training on large
# photos takes gigabytes. It returns blocks above 32 MiB to the system.
if "PILLOW_BLOCK_SIZE" not in os.environ:
    Image.core.set_block_size(64 << 20)


class UnreadableImage(InputError):
    """A file that cannot be decoded, on any machine and at any time.

    Attributes:
        kind: "empty", "no_image", "too_large", "truncated", "damaged" or "unsupported".
    """

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


@dataclasses.dataclass(frozen=True)
class Header:
    """The properties of an image file that are known before it is decoded.

    Attributes:
        format: Pillow's name of the format, e.g. "JPEG".
        width: of the upright image, in pixels.
        height: of the upright image, in pixels.
        mode: Pillow's mode, e.g. "RGB" or "CMYK".
        turned: EXIF gives an orientation other than upright.
        transparent: it has an alpha channel or a transparent color.
        deep: it has 16 bits per channel.
        animated: it has several frames or pages.
        memory: the most bytes that decoding takes, in addition to the file's.
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
    """Returns the contents of an image file.

    Raises:
        InputError: it cannot be read.
        UnreadableImage: it is larger than MAX_BYTES.
    """
    with _opened(path) as file:
        return file.read()


def read_header(path: str) -> Header:
    """Returns the Header of an image file; reads little more than its header.

    Raises:
        InputError: it cannot be read.
        UnreadableImage: it is empty, not an image, or its header exceeds a limit of `screening`.
    """
    with _opened(path) as opened, _blamed(path), _pillow_image(opened) as (image, file):
        orientation = _orientation(image)
        turned = orientation in _UPRIGHT
        width, height = _stored_size(image)
        if orientation in (5, 6, 7, 8):
            width, height = height, width
        return Header(
            format=_format(image),
            width=width,
            height=height,
            mode=image.mode,
            turned=turned,
            transparent=image.has_transparency_data,
            deep=image.mode.startswith("I") or any(";16" in str(tile) for tile in image.tile),
            animated=_is_animated(image, file),
            memory=screening.memory(image, file.kept, 1, turned),
        )


def decode(data: bytes, name: str, upright: bool = True) -> Image.Image:
    """Decodes an image file to upright RGB.

    Takes the first frame of an animation, applies the EXIF orientation, replaces transparency by white and
    scales 16-bit gray to 8 bits.

    Args:
        data: the contents of the file.
        name: the file's name in messages.
        upright: whether to apply the EXIF orientation.

    Returns:
        RGB image.

    Raises:
        UnreadableImage: the file is empty, damaged, not an image, of an unknown kind, or exceeds a limit of
            `screening` (checked before decoding).
        InputError: there is not enough memory.
    """
    if not data:
        raise _empty(name)
    with _blamed(name), contextlib.ExitStack() as alone:
        image, orientation = _decode_stored(data, alone)
        if not upright or orientation not in _UPRIGHT:
            return image
        image = image.transpose(_UPRIGHT[orientation])
        for key in ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"):
            image.info.pop(key, None)
        return image


def large_alone(memory: int) -> contextlib.AbstractContextManager:
    """A context that at most one thread enters at a time for a large image, to limit memory.

    Args:
        memory: the bytes that decoding the image takes.
    """
    return _LARGE if memory > _LARGE_BYTES else contextlib.nullcontext()


def suffix(data: bytes) -> str:
    """The file name suffix for the contents of an image file, e.g. ".png"; ".jpg" if they are unreadable."""
    try:
        with _blamed(""), _pillow_image(io.BytesIO(data)) as (image, _):
            kind = _format(image)
            return {"JPEG": ".jpg", "TIFF": ".tif"}.get(kind, f".{kind.lower()}")
    except UnreadableImage:
        return ".jpg"  # The error is reported when the file is read.


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size:
                raise _empty(path)
            if size > MAX_BYTES:
                raise UnreadableImage(
                    "too_large", f"{path} is larger than {MAX_BYTES >> 30} GiB: scale it down or remove it"
                )
            yield file
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}; restore it or remove it from the data set"
        ) from error


def _empty(name: str) -> UnreadableImage:
    return UnreadableImage("empty", f"{name} is empty (0 bytes): fetch it again or remove it")


@contextlib.contextmanager
def _pillow_image(file: BinaryIO) -> Iterator[tuple[Any, screening.MeteredFile]]:
    """Yields an opened Pillow image, not decoded yet, and its metered file."""
    metered: Any = screening.MeteredFile(file)
    screening.check_header(metered)
    with Image.open(metered, formats=_FORMATS) as image:
        screening.check_size(image, metered.size)
        metered.allow(None)
        yield image, metered


def _decode_stored(data: bytes, alone: contextlib.ExitStack) -> tuple[Image.Image, int]:
    """Returns (RGB image as stored, EXIF orientation); frees Pillow's image. `alone` holds the lock."""
    with _pillow_image(io.BytesIO(data)) as (image, file):
        scans = screening.check_data(image, data)
        # PNG files may have EXIF data after the pixels, and Pillow looks for them only once.
        turned = image.format != "PNG" and _orientation(image) in _UPRIGHT
        alone.enter_context(large_alone(screening.memory(image, file.kept, scans, turned)))
        if image.tile and image.tile[0][0] == "ppm":
            return scaled_ppm(image, data), 1
        image.load()
        orientation = _orientation(image)  # 1 for TIFF: load() has made it upright.
        memory = screening.memory(image, file.kept, scans, orientation in _UPRIGHT)
        alone.enter_context(large_alone(memory))
        return to_rgb(image), orientation


@contextlib.contextmanager
def _blamed(name: str) -> Iterator[None]:
    """Turns every exception of Pillow into an error about the file `name`."""
    try:
        yield
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"not enough memory to decode {name}: scale it down or remove it") from error
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
            f"{name} has more than {MAX_PIXELS} pixels according to its header: scale it down or remove it",
        ) from error
    # Pillow's decoders raise different types: OSError, SyntaxError, struct.error, ...
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # A disk error. Pillow's have no errno, or EINVAL after an invalid seek.
        reason = " ".join(str(error).split()) or type(error).__name__
        kind = "truncated" if "truncated" in reason.lower() else "damaged"
        raise UnreadableImage(
            "unsupported" if isinstance(error, Unsupported) else kind,
            f"{name} cannot be decoded ({reason}): fetch it again, convert it or remove it",
        ) from error


def _format(image: Any) -> str:
    """Pillow's name of the format; MPO is JPEG with further images."""
    return "JPEG" if image.format == "MPO" else image.format


def _orientation(image: Any) -> int:
    """The EXIF orientation, from 1 (upright) to 8."""
    screening.check_exif(image)
    # PngImageFile.getexif decodes the image if the header has no EXIF.
    exif = Image.Image.getexif(image) if image.format == "PNG" else image.getexif()
    return exif.get(_ORIENTATION, 1)


def _stored_size(image: Any) -> tuple[int, int]:
    """(width, height) as stored; for TIFF files, some versions of Pillow return the upright size."""
    return (image.tag_v2[256], image.tag_v2[257]) if image.format == "TIFF" else image.size


def _is_animated(image: Any, file: screening.MeteredFile) -> bool:
    if image.format == "MPO":  # The other images are a depth map or a preview.
        return False
    # Pillow reads a GIF file up to its next frame, in blocks of 255 bytes in a valid file.
    file.allow(10_000 + file.size // 64)
    try:
        return getattr(image, "is_animated", False)
    except Exception:  # The file may be damaged after its first frame.
        return False
