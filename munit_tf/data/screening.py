"""Limits on the time and memory that an image file takes, checked before Pillow parses or decodes it.

docs/limits.md lists them. A check raises ValueError, with the reason, where a file is damaged or hostile, and
TooLarge where decoding takes more than a limit allows.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO

from munit_tf.data import structure

MAX_BYTES = 1 << 30
MAX_PIXELS = 178_000_000
MAX_SIDE = 1_000_000
MAX_MEMORY = 1 << 30
_MAX_READS = 10_000
# Of images that Pillow decodes in Python.
_MAX_SLOW_VALUES = 10_000_000
_MAX_COMMENTS = 1000
_SLACK_BYTES = 1 << 20
# Measured: copies of what a file has besides pixels; bytes for a row of an image; bytes for a pixel of a WEBP
# image, which libwebp and Pillow hold twice each.
_COPIES, _ROW_BYTES, _WEBP_BYTES = 3, 16, 17
_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")
_BITS, _PHOTOMETRIC, _SAMPLES, _ROWS_PER_STRIP, _TILE_WIDTH, _TILE_LENGTH = 258, 262, 277, 278, 322, 323
_YCBCR = 6


class TooLarge(Exception):
    """An image that takes too much memory or time; the message says what it has and what to do."""

    def __init__(self, reason: str, remedy: str = "scale it down or remove it"):
        super().__init__(f"{reason}: {remedy}")


class MeteredFile:
    """A binary file that can be read only so often.

    Pillow's Python parsers call read() for every chunk, segment, tag or character of a header, so this bounds
    their work whatever the format.

    Args:
        file: a seekable binary file.

    Attributes:
        size: its length in bytes.
        kept: how many bytes of it Pillow keeps besides pixels, at most; set by `check_header`.
        read: as a file's; raises ValueError where it was called more often than allowed.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self._reads_left = 0
        self.size = file.seek(0, io.SEEK_END)
        self.kept = 0
        self.read = file.read

    def allow(self, reads: int | None) -> None:
        """From now on read() may be called so often; any number of times if None."""
        self._reads_left = reads
        self.read = self._file.read if reads is None else self._read

    def _read(self, size: int = -1) -> bytes:
        if not self._reads_left:
            raise ValueError("its header has too many parts")
        self._reads_left -= 1
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the file's."""
        return getattr(self._file, name)


def check_header(file: MeteredFile) -> None:
    """Checks what Pillow parses to open an image, and allows it as much reading as headers need.

    Raises:
        ValueError: there are too many parts, or too much EXIF.
        TooLarge: what is there besides pixels takes too much memory.
    """
    file.allow(_MAX_READS)
    file.seek(0)
    start = file.read(16)
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        file.kept = min(structure.check_png(file, whole=False), file.size)
    elif start.startswith(b"\xff\xd8\xff"):
        file.kept = structure.check_jpeg(file)
    elif start.startswith(_TIFF_SIGNATURES):
        file.kept = structure.check_tiff(file, file.size)
    elif start.startswith(b"RIFF"):
        file.kept = 2 * file.size
    if _COPIES * file.kept > MAX_MEMORY:
        raise TooLarge(f"has {file.kept >> 20} MiB besides its pixels", "save it without them or remove it")
    file.seek(0)
    file.allow(_MAX_READS)


def check_size(image: Any, file_size: int) -> None:
    """Checks what an opened image says of its size.

    Args:
        image: a PIL image that is not decoded yet.
        file_size: the length of its file in bytes.

    Raises:
        ValueError: it has no pixels, or far more data than its pixels need.
        TooLarge: it has more pixels than MAX_PIXELS or MAX_SIDE, or decoding takes too long.
    """
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise TooLarge(f"has more than {MAX_PIXELS} pixels by its header")
    if max(image.size) > MAX_SIDE:
        raise TooLarge(f"has a side of more than {MAX_SIDE} pixels by its header", "crop or remove it")
    if not pixels:
        raise ValueError("no pixels")
    slow = {"bmp_rle": "run lengths in a BMP file", "ppm_plain": "text in a PPM file"}
    decoder = image.tile[0][0] if image.tile else ""
    if decoder in slow:
        values = pixels * len(image.getbands())
        if values > _MAX_SLOW_VALUES:
            raise TooLarge(
                f"has more than {_MAX_SLOW_VALUES} values as {slow[decoder]}",
                "convert it to PNG or remove it",
            )
        most = 2 * values + 4 * image.height if decoder == "bmp_rle" else 16 * values
        if file_size > most + _SLACK_BYTES:
            raise ValueError("it has far more data than its pixels need")


def check_data(image: Any, data: bytes) -> int:
    """Checks what the header of a file does not show.

    Args:
        image: a PIL image that is not decoded yet.
        data: the whole file.

    Returns:
        The number of scans of a JPEG image; 1 for other formats.

    Raises:
        ValueError: there are too many parts, scans or comments.
    """
    if image.format in ("JPEG", "MPO"):
        return structure.count_scans(data)
    if image.format == "PNG":
        structure.check_png(io.BytesIO(data), whole=True)
    elif image.tile and image.tile[0][0] == "ppm_plain" and data.count(b"#") > _MAX_COMMENTS:
        raise ValueError(f"it has more than {_MAX_COMMENTS} comments")
    return 1


def check_exif(image: Any) -> None:
    """Checks an image's EXIF data before Pillow parses them; those of TIFF files `check_header` has checked.

    Raises:
        ValueError: they are too large.
    """
    profile = image.info.get("Raw profile type exif", "")  # In hexadecimal.
    if max(len(image.info.get("exif", b"")), len(profile) // 2) > structure.MAX_EXIF_BYTES:
        raise structure.too_much_exif()


def memory(image: Any, kept: int, scans: int, turned: bool) -> int:
    """How many bytes decoding an image to upright RGB takes, besides those of its file.

    Args:
        image: a PIL image that is not decoded yet.
        kept: MeteredFile's.
        scans: what `check_data` returned.
        turned: it is stored in another orientation than upright.

    Raises:
        TooLarge: more than MAX_MEMORY.
    """
    pixels = image.width * image.height
    stored = {"1": 1, "L": 1, "P": 1}.get(image.mode, 2 if image.mode.startswith("I;16") else 4)
    loading = stored
    if image.format in ("JPEG", "MPO") and (scans > 1 or image.info.get("progressive")):
        loading += _coefficient_bytes(image)
    elif image.format == "WEBP":
        loading = _WEBP_BYTES
    elif image.tile and image.tile[0][0] == "libtiff":
        loading += _strip_bytes(image) / pixels
    converting = stored + (0 if image.mode == "RGB" else 4)
    turning = 8 if turned else 0
    needed = max(loading, converting, turning) * pixels + _ROW_BYTES * max(image.size) + _COPIES * kept
    if needed > MAX_MEMORY:
        raise TooLarge(f"takes more than {MAX_MEMORY >> 20} MiB of memory to decode")
    return int(needed)


def _coefficient_bytes(image: Any) -> float:
    """How many bytes libjpeg holds for each pixel of an image in several scans."""
    areas = [across * down for _, across, down, _ in image.layer]
    largest = max(layer[1] for layer in image.layer) * max(layer[2] for layer in image.layer)
    return 2 * sum(areas) / largest


def _strip_bytes(image: Any) -> float:
    """The size of a compressed TIFF file's largest strip or tile when it is decompressed."""
    tags = image.tag_v2
    strip = image.width * min(tags.get(_ROWS_PER_STRIP, image.height), image.height)
    tile = tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_LENGTH, 0)
    bits = tags.get(_BITS, (1,))
    samples = tags.get(_SAMPLES, len(bits))
    # Colour is converted from YCbCr in a copy of 4 bytes a pixel.
    return max(strip, tile) * (samples * max(bits) / 8 + (4 if tags.get(_PHOTOMETRIC) == _YCBCR else 0))
