"""Counts the parts of an image file before Pillow parses them.

Each function raises ValueError with the reason if there are more than photos have.
"""

from __future__ import annotations

import os
import re
import struct
from typing import BinaryIO

MAX_EXIF_BYTES = 128 << 10
_MAX_PARTS = 1000  # Chunks, segments or tags.
# 1 GiB in chunks of 8 KiB, as libpng and libtiff write them.
_MAX_PIXEL_PARTS = 1 << 17
_MAX_SCANS = 64

_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)
_SOS, _EOI, _APP1 = 0xDA, 0xD9, 0xE1
# JPEG markers without a length.
_BARE_MARKERS = {0x01, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)}
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_TIFF_BYTES = (1, 2, 7)  # Types that Pillow keeps as bytes; it converts others to Python numbers.
_TIFF_DIRECTORIES = (34665, 34853, 40965)  # EXIF, GPS and interoperability.


def check_png(file: BinaryIO, whole: bool) -> int:
    """Counts the chunks of a PNG file.

    Args:
        file: the file.
        whole: whether to count the chunks after the first pixels, too.

    Returns:
        The total length of the chunks without pixels, in bytes.
    """
    file.seek(8)
    parts = pixel_parts = kept = 0
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        if kind in (b"IDAT", b"fdAT", b"fcTL"):
            if not whole and kind != b"fcTL":
                break
            pixel_parts += 1
        else:
            parts += 1
            kept += length
        if parts > _MAX_PARTS:
            raise _too_many("chunks without pixels", _MAX_PARTS)
        if pixel_parts > _MAX_PIXEL_PARTS:
            raise _too_many("chunks of pixels", _MAX_PIXEL_PARTS)
        if kind == b"IEND":
            break
        file.seek(length + 4, os.SEEK_CUR)
    return kept


def check_jpeg(file: BinaryIO) -> int:
    """Counts the segments of a JPEG file before the first scan; returns their total length in bytes."""
    file.seek(2)
    kept = exif = 0
    for _ in range(_MAX_PARTS):
        marker = _next_marker(file)
        if marker in (None, _SOS):
            return kept
        if marker in _BARE_MARKERS:
            continue
        length = max(int.from_bytes(file.read(2), "big") - 2, 0)
        start = file.read(min(length, 6))
        file.seek(length - len(start), os.SEEK_CUR)
        kept += length
        if marker == _APP1 and start == b"Exif\0\0":
            exif += length
        if exif > MAX_EXIF_BYTES:
            raise too_much_exif()
    raise _too_many("segments before its pixels", _MAX_PARTS)


def count_scans(data: bytes) -> int:
    """Returns the number of scans of a JPEG file; limits the number of other segments, too."""
    scans, place = 0, 2
    for _ in range(2 * _MAX_PARTS):
        match = _MARKER.search(data, place)
        if not match or match[1][0] == _EOI:
            return scans
        place = match.end()
        if match[1][0] == _SOS:
            scans += 1
            if scans > _MAX_SCANS:
                raise _too_many("scans", _MAX_SCANS)
        if match[1][0] not in _BARE_MARKERS:
            place += int.from_bytes(data[place : place + 2], "big")
    raise _too_many("segments", 2 * _MAX_PARTS)


def check_tiff(file: BinaryIO, size: int) -> int:
    """Counts the tags of a TIFF file's first page and their values.

    Args:
        file: the file.
        size: its length in bytes.

    Returns:
        The total length of the values, in bytes.
    """
    file.seek(0)
    head = file.read(16)
    order, big = ("<" if head.startswith(b"II") else ">"), 43 in head[2:4]
    offset, count_format, inline = ("Q", "Q", 8) if big else ("I", "H", 4)
    entry = struct.Struct(f"{order}HH{offset}{inline}s")

    def number(kind: str, data: bytes) -> int:
        length = struct.calcsize(order + kind)
        return struct.unpack(order + kind, data[:length].ljust(length, b"\0"))[0]

    parts = values = kept = 0
    directories = [number(offset, head[8:] if big else head[4:])]
    for place in directories:  # The loop appends to the list.
        if place >= size:
            continue
        file.seek(place)
        for _ in range(number(count_format, file.read(8 if big else 2))):
            parts += 1
            if parts > _MAX_PARTS:
                raise _too_many("tags", _MAX_PARTS)
            data = file.read(entry.size)
            if len(data) < entry.size:
                break
            tag, kind, count, value = entry.unpack(data)
            length = count * _TIFF_SIZES.get(kind, 0)
            if length > size:
                continue  # Pillow ignores it.
            if tag in _TIFF_DIRECTORIES and length:
                directories.append(number(offset, value))
            kept += length
            values += count if length and kind not in _TIFF_BYTES else 0
            if values > 2 * _MAX_PIXEL_PARTS:
                raise _too_many("numbers in its tags", 2 * _MAX_PIXEL_PARTS)
    return kept


def too_much_exif() -> ValueError:
    """The error for more than MAX_EXIF_BYTES of EXIF data."""
    return ValueError(f"its EXIF data have more than {MAX_EXIF_BYTES >> 10} KiB")


def _too_many(what: str, most: int) -> ValueError:
    return ValueError(f"it has more than {most} {what}")


def _next_marker(file: BinaryIO) -> int | None:
    """The second byte of a JPEG file's next marker; None at the end of the file."""
    last = b""
    while byte := file.read(1):
        if last == b"\xff" and byte not in (b"\0", b"\xff"):
            return byte[0]
        last = byte
    return None
