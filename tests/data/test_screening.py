"""Files that ask for more time or memory than any photo are refused; what is below the limits is read."""

import io
import json
import pathlib
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from data.hostile import (
    bmp_run_lengths,
    chunk,
    encoded,
    exif,
    gif,
    gif_comment,
    jpeg,
    jpeg_scans,
    png,
    segment,
    tiff,
)
from PIL import Image, PpmImagePlugin

from munit_tf.data import decoding, screening

pytestmark = pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning", "ignore:Metadata")
ICC = chunk(b"iCCP", b"a\0\0" + zlib.compress(b"b" * 1000))
LARGE_EXIF = exif((0x9286, 7, 131_073, 26), rest=bytes(131_073))
ORIENTATION = exif((0x0112, 3, 1, 6))
DIRECTORY_OF_1000 = struct.pack("<H", 1000) + struct.pack("<HHII", 65000, 4, 1, 0) * 1000
# name: (file, kind, words of the reason, whether the header alone shows it)
REFUSED = {
    "PNG, chunks before pixels": (png(chunk(b"tEXt", b"a\0b") * 1001), "damaged", "1000 chunks", True),
    "PNG, profiles": (png(ICC * 1001), "damaged", "1000 chunks", True),
    "PNG, unknown chunks": (png(chunk(b"aaAa") * 1001), "damaged", "1000 chunks", True),
    "PNG, chunks after pixels": (png(after=ICC * 1001), "damaged", "1000 chunks", False),
    "PNG, pixels in empty chunks": (
        png(pixels=chunk(b"IDAT") * 131_073), "damaged", "131072 chunks of pixels", False
    ),
    "PNG, frames": (png(after=chunk(b"fcTL") * 131_073), "damaged", "131072 chunks of pixels", False),
    "PNG, EXIF": (png(chunk(b"eXIf", LARGE_EXIF)), "damaged", "EXIF .* 128 KiB", True),
    "PNG, EXIF after pixels": (png(after=chunk(b"eXIf", LARGE_EXIF)), "damaged", "EXIF .* 128 KiB", False),
    "PNG, EXIF as text": (
        png(chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 9\n" + b"0" * 263_000)),
        "damaged", "EXIF .* 128 KiB", True,
    ),
    "PNG, turned after 150 million pixels": (
        png(after=chunk(b"eXIf", ORIENTATION), size=(15_000, 10_000)),
        "too_large", "1024 MiB of memory", False,
    ),
    "PNG, a million pixels long": (png(size=(1, 1_000_001)), "too_large", "1000000 pixels", True),
    "PNG, 150 million transparent pixels": (
        png(chunk(b"tRNS", bytes(2))).replace(
            chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)),
            chunk(b"IHDR", struct.pack(">IIBBBBB", 15_000, 10_000, 8, 6, 0, 0, 0)),
        ),
        "too_large", "1024 MiB of memory", True,
    ),
    "JPEG, segments": (jpeg(segment(0xEE) * 1001), "damaged", "1000 segments", True),
    "JPEG, comments": (jpeg(segment(0xFE, b"a") * 1001), "damaged", "1000 segments", True),
    "JPEG, EXIF": (
        jpeg(segment(0xE1, b"Exif\0\0" + bytes(60_000)) * 3), "damaged", "EXIF .* 128 KiB", True
    ),
    "JPEG, fill bytes": (jpeg(b"\xff" * 11_000), "damaged", "too many parts", True),
    "JPEG, bytes between segments": (jpeg(b"\xff\0" + b"\1" * 11_000), "damaged", "too many parts", True),
    "JPEG, scans": (jpeg_scans(60), "damaged", "64 scans", False),
    "JPEG, scans after a comment that looks like the end": (
        jpeg_scans(60, segment(0xFE, b"\xff\xd9")), "damaged", "64 scans", False
    ),
    "JPEG, segments between scans": (jpeg_scans(1, segment(0xFE) * 2001), "damaged", "2000 segments", False),
    "JPEG, 112 million pixels in scans": (
        jpeg(progressive=True, subsampling=0).replace(
            struct.pack(">HH", 16, 16), struct.pack(">HH", 11_200, 10_000), 1
        ),
        "too_large", "1024 MiB of memory", True,
    ),
    "GIF, comment": (gif(gif_comment(6000)), "damaged", "too many parts", True),
    "GIF, comments": (gif(gif_comment(1) * 6000), "damaged", "too many parts", True),
    "GIF, bytes between blocks": (gif(b"\1" * 11_000), "damaged", "too many parts", True),
    "TIFF, tags": (
        tiff(*((tag, 3, 1, 1) for tag in range(1000, 2000))), "damaged", "1000 tags", True
    ),
    "TIFF, the same tag": (tiff(*[(65000, 3, 1, 1)] * 1000), "damaged", "1000 tags", True),
    "TIFF, EXIF tags": (tiff((34665, 4, 1, 134), rest=DIRECTORY_OF_1000), "damaged", "1000 tags", True),
    "TIFF, resolutions": (
        tiff((282, 5, 262_145, 8), rest=bytes(8 * 262_145)), "damaged", "262144 numbers", True
    ),
    "TIFF, strips": (
        tiff((273, 4, 262_145, 8), rest=bytes(4 * 262_145), without=[273]), "damaged", "262144 numbers", True
    ),
    "TIFF, tags of the same 1 MiB": (
        tiff(*((tag, 7, 1 << 20, 8) for tag in range(60_000, 60_400)), rest=bytes(1 << 20)),
        "too_large", "400 MiB of metadata", True,
    ),
    "TIFF, a tile of 1.6 billion pixels": (
        tiff(
            (259, 4, 1, 8), (322, 4, 1, 40_000), (323, 4, 1, 40_000), (324, 4, 1, 8), (325, 4, 1, 8),
            without=[259, 273, 278, 279],
        ),
        "too_large", "1024 MiB of memory", True,
    ),
    "PPM, comment": (b"P6\n#" + b"a" * 11_000 + b"\n8 8 255\n" + bytes(192), "damaged", "too many", True),
    "PPM, spaces": (b"P6" + b" " * 11_000 + b"8 8 255\n" + bytes(192), "damaged", "too many", True),
    "PPM, text": (b"P2 10001 1000 255\n", "too_large", "10000000 values as text", True),
    "PPM, comments in text": (b"P2 8 8 255\n" + b"#\n" * 1001, "damaged", "1000 comments", False),
    "PPM, spaces in text": (b"P2 8 8 255\n" + b" " * 1_100_000, "damaged", "more data than", True),
    "BMP, run lengths": (bmp_run_lengths(10_001, 1000, b""), "too_large", "values as run lengths", True),
    "BMP, run lengths of nothing": (
        bmp_run_lengths(1, 8, b"\xff\1" * 530_000), "damaged", "more data than", True
    ),
    "WEBP, 64 million pixels": (
        encoded(Image.new("L", (8000, 8000)), "WEBP", method=0), "too_large", "1024 MiB of memory", True
    ),
}  # fmt: skip
# name: (file, expected color of every pixel)
READ = {
    "PNG, many chunks": (png(chunk(b"tEXt", b"a\0b") * 990, ICC + chunk(b"tIME", bytes(7))), 0),
    "PNG, pixels in many chunks": (
        png(pixels=chunk(b"IDAT") * 1000 + chunk(b"IDAT", zlib.compress(bytes(72)))), 0
    ),
    "PNG, EXIF of a camera": (png(chunk(b"eXIf", exif((0x9286, 7, 65_000, 26), rest=bytes(65_000)))), 0),
    "JPEG, a large profile": (jpeg(icc_profile=bytes(2_000_000)), 0),
    "JPEG, a depth map of 20 MB": (
        jpeg(segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(65_000)) * 300), 0
    ),
    "JPEG, another file after it": (jpeg(progressive=True) + b"\xff\xda" * 1000, 0),
    "JPEG, a thumbnail": (jpeg(segment(0xE1, b"Exif\0\0" + ORIENTATION + jpeg())), 0),
    "JPEG, scans": (jpeg_scans(50), 0),
    "GIF, a comment of 60 kB": (gif(b"!\xfe" + (b"\xff" + bytes(255)) * 240 + b"\0"), 0),
    "TIFF, many pages": (
        encoded(Image.new("L", (8, 8), 7), "TIFF", save_all=True,
                append_images=[Image.new("L", (8, 8))] * 300), 7
    ),
    "TIFF, 20 MB of layers": (tiff((37724, 7, 20_000_000, 200), rest=bytes(20_000_200)), None),
    "TIFF, a tag that is longer than the file": (tiff((65_000, 4, 1 << 28, 8)), None),
    "PPM, text": (b"P2 # a comment\n8 8 255\n" + b"9 " * 64, 9),
    "BMP, run lengths": (bmp_run_lengths(8, 8, b"\x08\1\0\0" * 8 + b"\0\1"), None),
}  # fmt: skip


def refusal(action, *arguments):
    with pytest.raises(decoding.UnreadableImage) as caught:
        action(*arguments)
    return caught


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_files_are_refused(name, tmp_path):
    data, kind, reason, by_header = REFUSED[name]
    caught = refusal(decoding.decode, data, "x.png")
    assert caught.value.kind == kind and caught.match(f"^x.png .*{reason}") and caught.match("remove it$")
    (tmp_path / "x").write_bytes(data)
    if by_header:
        assert refusal(decoding.read_header, str(tmp_path / "x")).value.kind == kind
    else:
        assert decoding.read_header(str(tmp_path / "x")).width


@pytest.mark.parametrize("name", READ)
def test_files_below_the_limits_are_read(name, tmp_path):
    data, level = READ[name]
    (tmp_path / "x").write_bytes(data)
    header = decoding.read_header(str(tmp_path / "x"))
    pixels = np.asarray(decoding.decode(data, "x"))
    assert pixels.shape == (header.height, header.width, 3)
    if level is not None:
        assert (pixels == level).all()


@pytest.mark.parametrize("between", [b"", gif_comment(1) * 1000, gif_comment(100_000)])
def test_a_gif_file_is_searched_for_its_second_frame_only_so_far(between, tmp_path):
    (tmp_path / "x").write_bytes(gif(between=between))
    assert decoding.read_header(str(tmp_path / "x")).animated == (len(between) < 10_000)


def test_exif_after_the_pixels_of_a_png_file_counts():
    assert decoding.decode(png(after=chunk(b"eXIf", ORIENTATION), size=(8, 4)), "x").size == (4, 8)


def test_the_reads_that_open_a_file_are_counted():
    file = screening.MeteredFile(io.BytesIO(b"abc"))
    file.seek(0)
    file.allow(2)
    assert [file.read(1), file.read(1)] == [b"a", b"b"] and file.size == 3
    with pytest.raises(ValueError):
        file.read(1)
    file.allow(None)
    assert file.read() == b"c"


@pytest.mark.parametrize("largest", [1, 100, 254, 256, 4095, 65534, 65535])
@pytest.mark.parametrize("kind, channels", [("P5", 1), ("P6", 3)])
def test_ppm_files_with_any_largest_value_have_pillows_pixels(kind, channels, largest):
    shape = (5, 7, channels)
    levels = np.random.default_rng(0).integers(0, largest + 1, shape)
    data = f"{kind} 7 5 {largest}\n".encode() + levels.astype(np.uint8 if largest < 256 else ">u2").tobytes()
    pixels = np.asarray(decoding.decode(data, "x"))
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image).astype(int)
    if image.mode == "I":
        expected = (expected + 128) // 257
    np.testing.assert_array_equal(pixels, np.broadcast_to(expected.reshape(shape), (5, 7, 3)))
    assert refusal(decoding.decode, data[:-1], "x").value.kind in ("damaged", "truncated")


def test_what_pillow_decodes_value_by_value_is_not_left_to_it(monkeypatch):
    monkeypatch.setattr(PpmImagePlugin.PpmDecoder, "decode", None)  # It fails where it is called.
    decoding.decode(b"P6 1000 1000 254\n" + bytes(3_000_000), "x")


SIDE = 3000
TURNED = Image.Exif()
TURNED[0x0112] = 6
LARGE = {
    "rgba.png": ("RGBA", "PNG", {}),
    "la.png": ("LA", "PNG", {}),
    "transparent rgb.png": ("RGB", "PNG", {"transparency": (0, 0, 0)}),
    "transparent palette.png": ("P", "PNG", {"transparency": 0}),
    "16 bits.png": ("I;16", "PNG", {}),
    "turned.png": ("RGBA", "PNG", {"exif": TURNED}),
    "palette.gif": ("P", "GIF", {}),
    "rgb.jpg": ("RGB", "JPEG", {}),
    "scans.jpg": ("RGB", "JPEG", {"progressive": True, "subsampling": 0}),
    "cmyk scans.jpg": ("CMYK", "JPEG", {"progressive": True}),
    "lossy.webp": ("RGB", "WEBP", {"method": 0}),
    "lossless.webp": ("RGBA", "WEBP", {"method": 0, "lossless": True}),
    "one strip.tif": ("RGB", "TIFF", {"compression": "tiff_adobe_deflate", "strip_size": 1 << 30}),
    "turned.tif": ("RGBA", "TIFF", {"tiffinfo": {274: 6}}),
}
# For each file {what was said: what was taken}, in bytes, each in a process of its own.
MEASURE = """
import json, os, sys
from munit_tf.data import decoding
def resident(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(key))
for path in sys.argv[1:]:
    if os.fork():
        assert os.wait()[1] == 0
        continue
    data, said = decoding.read(path), decoding.read_header(path).memory
    before = resident("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    decoding.decode(data, path)
    print(json.dumps([os.path.basename(path), said, resident("VmHWM") - before]), flush=True)
    os._exit(0)
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """{name: (bytes that the header says decoding takes, bytes that it takes)}."""
    if not pathlib.Path("/proc/self/clear_refs").exists():
        pytest.skip("peaks of memory are measured on Linux only")
    folder = tmp_path_factory.mktemp("large")
    for name, (mode, format, options) in LARGE.items():
        (folder / name).write_bytes(encoded(Image.new(mode, (SIDE, SIDE)), format, **options))
    command = [sys.executable, "-c", MEASURE, *(str(folder / name) for name in LARGE)]
    root = pathlib.Path(__file__).parent.parent.parent
    lines = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout.splitlines()
    return {name: (said, taken) for name, said, taken in map(json.loads, lines)}


@pytest.mark.parametrize("name", LARGE)
def test_decoding_takes_no_more_memory_than_the_header_says(name, measured):
    said, taken = measured[name]
    assert said / SIDE**2 < 17.1
    assert taken <= said + (16 << 20)


@pytest.mark.parametrize("name, bytes_of_a_pixel", [("transparent rgb.png", 4), ("16 bits.png", 6)])
def test_conversion_takes_little_memory(name, bytes_of_a_pixel, measured):
    assert measured[name][1] <= bytes_of_a_pixel * SIDE**2 + (16 << 20)
