"""Image files with something wrong in them, many and the same every time."""

import contextlib
import io
import random
import resource
import struct
import time
import zlib

import numpy as np
from PIL import Image

_LIMIT_MIB = 2048
_TENSORFLOW_MIB = 512
_FORMATS = {
    "jpg": ("JPEG", {}),
    "progressive.jpg": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "gif": ("GIF", {}),
    "webp": ("WEBP", {}),
    "lossless.webp": ("WEBP", {"lossless": True}),
    "bmp": ("BMP", {}),
    "tif": ("TIFF", {}),
    "lzw.tif": ("TIFF", {"compression": "tiff_lzw"}),
    "ppm": ("PPM", {}),
}
# Where files hold width and height: offset and format of each number.
_SIZES = {
    "png": ((16, ">I"), (20, ">I")),
    "gif": ((6, "<H"), (8, "<H")),
    "bmp": ((18, "<i"), (22, "<i")),
}
# One of them is allowed, and takes most of the time where a format gives all pixels that it announces.
_HUGE = (
    (13_000, 13_000),
    (60_000, 60_000),
    (65_535, 65_535),
    (2**31 - 1, 2**31 - 1),
    (1, 65_535),
    (48, 30_000),
    (0, 7),
)


def whole_files():
    """{name's end: the bytes of a whole file}, of every format that training takes."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {end: _encoded(image, format, **options) for end, (format, options) in _FORMATS.items()}
    files["exif.jpg"] = _encoded(image, "JPEG", exif=exif)
    files["exif.png"] = _encoded(image, "PNG", exif=exif)
    files["alpha.png"] = _encoded(image.convert("RGBA"), "PNG")
    files["palette.png"] = _encoded(image.quantize(16), "PNG")
    files["moving.gif"] = _encoded(image, "GIF", save_all=True, append_images=[image.rotate(90)])
    files["cmyk.jpg"] = _encoded(image.convert("CMYK"), "JPEG")
    deep = Image.fromarray(rng.integers(0, 65536, (40, 48), dtype=np.uint16))
    files["deep.png"], files["deep.tif"] = _encoded(deep, "PNG"), _encoded(deep, "TIFF")
    return files


def fuzzed(count, seed=0, suffixes=("jpg", "png", "gif", "webp", "bmp", "tif", "ppm")):
    """Yields `count` pairs (name, bytes): bits flipped, cut off, with another header, empty, huge."""
    files = {end: data for end, data in whole_files().items() if end.split(".")[-1] in suffixes}
    draw = random.Random(seed)
    for i in range(count):
        end = draw.choice(list(files))
        data = bytearray(files[end])
        way = ("flips", "header", "cut", "mixed", "huge")[i % 5]
        if way == "flips":
            _flip(data, len(data), draw)
        elif way == "header":
            _flip(data, 64, draw)
        elif way == "cut":
            del data[draw.randrange(len(data)) if i % 40 else 0 :]
        elif way == "mixed":
            other = files[draw.choice(list(files))]
            length = draw.choice((2, 8, 16, 64))
            data[:length] = other[:length]
        else:
            data = _enlarged(end, data, draw)
        yield f"{i:05d}.{end}", bytes(data)


def _flip(data, end, draw):
    for _ in range(draw.choice((1, 2, 8, 40))):
        data[draw.randrange(min(end, len(data)))] ^= 1 << draw.randrange(8)


def _enlarged(end, data, draw):
    """With another size in its header, where that is found; its checksum, if it has one, set right."""
    width, height = draw.choice(_HUGE)
    kind = end.split(".")[-1]
    if kind in _SIZES:
        for (offset, number), side in zip(_SIZES[kind], (width, height)):
            most = 65_535 if number == "<H" else 2**31 - 1
            struct.pack_into(number, data, offset, min(side, most))
        if kind == "png":
            struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
    elif kind == "jpg":
        frame = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
        struct.pack_into(">HH", data, frame + 5, min(height, 65_535), min(width, 65_535))
    elif kind == "ppm":
        data = bytearray(data.replace(b"48 40", b"%d %d" % (width, height), 1))
    elif kind == "tif":
        # Both numbers, wherever the directory has them.
        for old, new in ((48, width), (40, height)):
            position = data.find(struct.pack("<HHIH", 256 if old == 48 else 257, 3, 1, old))
            if position >= 0:
                struct.pack_into("<HIH", data, position + 2, 3, 1, min(new, 65_535))
    else:
        _flip(data, 64, draw)
    return data


def _encoded(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@contextlib.contextmanager
def bounded_memory(name):
    """Fails if what is inside takes a process above 2 GiB, but for what other tests had taken before.

    `name` is what to call it in the output.
    """
    others, begin = max(_peak_mib() - _TENSORFLOW_MIB, 0), time.monotonic()
    yield
    peak = _peak_mib() - others
    print(f"{name}: {time.monotonic() - begin:.1f} s, {peak} MiB at most")
    assert peak <= _LIMIT_MIB


def _peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
