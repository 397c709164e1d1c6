"""Small image files that ask for much work or memory, built part by part."""

import io
import struct
import zlib

from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encoded(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def chunk(kind, body=b""):
    """A PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(before=b"", after=b"", pixels=None, size=(8, 8)):
    """A black gray PNG image with other chunks before and after its pixels."""
    width, height = size
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes((width + 1) * height))) if pixels is None else pixels
    return PNG_SIGNATURE + header + before + pixels + after + chunk(b"IEND")


def exif(*tags, rest=b""):
    """EXIF data, or a TIFF file: one directory of (tag, type, count, value), and then `rest`."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + rest


def tiff(*tags, size=(8, 8), rest=b"", without=()):
    """A gray TIFF image, whose pixels are the first bytes of the file, with other tags."""
    width, height = size
    own = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: width * height}
    own = [(tag, 4, 1, value) for tag, value in own.items() if tag not in without]
    return exif(*sorted([*own, *tags]), rest=rest + bytes(width * height))


def segment(marker, body=b""):
    """A JPEG segment."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg(before=b"", size=(16, 16), mode="RGB", **options):
    """A black JPEG image with other segments after its first marker."""
    data = encoded(Image.new(mode, size), "JPEG", **options)
    return data[:2] + before + data[2:]


def jpeg_scans(count, before=b""):
    """A progressive JPEG image with `count` copies of its last scan, each after other segments."""
    data = jpeg(progressive=True)
    last = data.rindex(b"\xff\xc4")  # The scan's Huffman table comes first.
    return data[:-2] + (before + data[last:-2]) * count + data[-2:]


def gif(before=b"", between=b""):
    """An animated GIF image of two frames, with other blocks before each."""
    data = encoded(Image.new("L", (8, 8)), "GIF")
    frame = data.index(b",\0\0\0\0")
    return data[:frame] + before + data[frame:-1] + between + data[frame:]


def gif_comment(blocks):
    return b"!\xfe" + b"\1a" * blocks + b"\0"


def bmp_run_lengths(width, height, data):
    """A BMP image of 8 bits in run-length coding."""
    palette = bytes(4) + b"\1\2\3\0"
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 2, 0)
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + palette + data
