"""Limits on the time and memory that an image file takes, checked before Pillow parses or decodes it.

docs/limits.md lists them. A check raises ValueError with the reason if a file is damaged or hostile, and
TooLarge if decoding would exceed a limit.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO, Optional, cast

from munit_tf.data import file_structure

MAX_BYTES = 1 << 30
MAX_PIXELS = 178_000_000
MAX_SIDE = 1_000_000
MAX_MEMORY = 1 << 30
_MAX_READS = 10_000
_MAX_SLOW_VALUES = 10_000_000  # Of images that Pillow decodes in Python.
_MAX_COMMENTS = 1000
_SLACK_BYTES = 1 << 20
# Measured: copies of data other than pixels; bytes per row of an image; bytes per pixel of a WEBP image, of
# which libwebp and Pillow each hold two copies.
_COPIES, _ROW_BYTES, _WEBP_BYTES = 3, 16, 17
_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")
_BITS, _PHOTOMETRIC, _SAMPLES, _ROWS_PER_STRIP, _TILE_WIDTH, _TILE_LENGTH = 258, 262, 277, 278, 322, 323
_YCBCR = 6


class TooLarge(Exception):
    """An image that takes too much memory or time; the message gives the reason and a remedy."""

    def __init__(self, reason: str, remedy: str = "scale it down or remove it"):
        super().__init__(f"{reason}: {remedy}")


class MeteredFile:
    """A binary file with a limited number of calls to read().

    Pillow's Python parsers call read() for every chunk, segment, tag or character of a header, so the limit
    bounds their work for every format.

    Args:
        file: a seekable binary file.

    Attributes:
        size: its length in bytes.
        kept: the most bytes that Pillow keeps besides the pixels; set by `check_header`.
        read: reads as from a file; raises ValueError after the number of calls that are allowed.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self._reads_left: Optional[int] = 0
        self.size = file.seek(0, io.SEEK_END)
        self.kept = 0
        self.read = file.read

    def allow(self, reads: int | None) -> None:
        """Allows this number of further calls to read(); any number if None."""
        self._reads_left = reads
        self.read = self._file.read if reads is None else self._read

    def _read(self, size: int = -1) -> bytes:
        if not self._reads_left:  # Never None here.
            raise ValueError("its header has too many parts")
        self._reads_left -= 1
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        """Every other attribute of the file."""
        return getattr(self._file, name)


def check_header(file: MeteredFile) -> None:
    """Checks what Pillow parses to open an image, and then allows the reads that opening it needs.

    Raises:
        ValueError: there are too many parts, or too much EXIF data.
        TooLarge: the data other than pixels take too much memory.
    """
    file.allow(_MAX_READS)
    file.seek(0)
    start = file.read(16)
    stream = cast(BinaryIO, file)
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        file.kept = min(file_structure.check_png(stream, whole=False), file.size)
    elif start.startswith(b"\xff\xd8\xff"):
        file.kept = file_structure.check_jpeg(stream)
    elif start.startswith(_TIFF_SIGNATURES):
        file.kept = file_structure.check_tiff(stream, file.size)
    elif start.startswith(b"RIFF"):
        file.kept = 2 * file.size
    if _COPIES * file.kept > MAX_MEMORY:
        raise TooLarge(f"has {file.kept >> 20} MiB of metadata", "save it without metadata or remove it")
    file.seek(0)
    file.allow(_MAX_READS)


def check_size(image: Any, file_size: int) -> None:
    """Checks the size of an opened image.

    Args:
        image: a PIL image that is not decoded yet.
        file_size: the length of its file in bytes.

    Raises:
        ValueError: it has no pixels, or far more data than its pixels need.
        TooLarge: it exceeds MAX_PIXELS or MAX_SIDE, or decoding takes too long.
    """
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise TooLarge(f"has more than {MAX_PIXELS} pixels according to its header")
    if max(image.size) > MAX_SIDE:
        raise TooLarge(
            f"has a side of more than {MAX_SIDE} pixels according to its header", "crop or remove it"
        )
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
    """Checks the parts of a file that follow its header.

    Args:
        image: a PIL image that is not decoded yet.
        data: the contents of the file.

    Returns:
        The number of scans of a JPEG image; 1 for other formats.

    Raises:
        ValueError: there are too many parts, scans or comments.
    """
    if image.format in ("JPEG", "MPO"):
        return file_structure.count_scans(data)
    if image.format == "PNG":
        file_structure.check_png(io.BytesIO(data), whole=True)
    elif image.tile and image.tile[0][0] == "ppm_plain" and data.count(b"#") > _MAX_COMMENTS:
        raise ValueError(f"it has more than {_MAX_COMMENTS} comments")
    return 1


def check_exif(image: Any) -> None:
    """Checks an image's EXIF data before Pillow parses them; `check_header` checks those of TIFF files.

    Raises:
        ValueError: they are too large.
    """
    profile = image.info.get("Raw profile type exif", "")  # In hexadecimal.
    if max(len(image.info.get("exif", b"")), len(profile) // 2) > file_structure.MAX_EXIF_BYTES:
        raise file_structure.too_much_exif()


def memory(image: Any, kept: int, scans: int, turned: bool) -> int:
    """The bytes that decoding an image to upright RGB takes, in addition to its file's.

    Args:
        image: a PIL image that is not decoded yet.
        kept: MeteredFile.kept.
        scans: the result of `check_data`.
        turned: it is stored in an orientation other than upright.

    Raises:
        TooLarge: it is more than MAX_MEMORY.
    """
    pixels = image.width * image.height
    stored = {"1": 1, "L": 1, "P": 1}.get(image.mode, 2 if image.mode.startswith("I;16") else 4)
    loading: float = stored
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
    """The bytes per pixel that libjpeg holds for an image with several scans."""
    areas = [across * down for _, across, down, _ in image.layer]
    largest = max(layer[1] for layer in image.layer) * max(layer[2] for layer in image.layer)
    return 2 * sum(areas) / largest


def _strip_bytes(image: Any) -> float:
    """The decompressed size of a compressed TIFF file's largest strip or tile."""
    tags = image.tag_v2
    strip = image.width * min(tags.get(_ROWS_PER_STRIP, image.height), image.height)
    tile = tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_LENGTH, 0)
    bits = tags.get(_BITS, (1,))
    samples = tags.get(_SAMPLES, len(bits))
    # YCbCr is converted in a copy of 4 bytes per pixel.
    return max(strip, tile) * (samples * max(bits) / 8 + (4 if tags.get(_PHOTOMETRIC) == _YCBCR else 0))
