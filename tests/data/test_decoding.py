"""Decoding is checked pixel by pixel."""

import io
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image

from munit_tf.data import color, decoding
from munit_tf.data.decoding import UnreadableImage
from munit_tf.errors import InputError

# 2 rows of 3 pixels: what each orientation stores so that this is what one sees.
SEEN = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[255, 255, 0], [0, 255, 255], [255, 0, 255]]],
    np.uint8,
)
STORED = {
    1: SEEN,
    2: SEEN[:, ::-1],
    3: SEEN[::-1, ::-1],
    4: SEEN[::-1],
    5: SEEN.transpose(1, 0, 2),
    6: SEEN.transpose(1, 0, 2)[::-1],
    7: SEEN.transpose(1, 0, 2)[::-1, ::-1],
    8: SEEN.transpose(1, 0, 2)[:, ::-1],
}


def encode(image, format="PNG", **options):
    if not isinstance(image, Image.Image):
        image = Image.fromarray(np.ascontiguousarray(image))
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png(width, height, depth=8):
    """A PNG file of RGB that announces a size and holds no pixels."""

    def chunk(kind, body):
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def pixels(data):
    image = decoding.decode(data, "x")
    assert image.mode == "RGB"
    return np.asarray(image)


@pytest.mark.parametrize(
    ("format", "options"),
    [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("PPM", {})],
)
def test_lossless_formats_give_exact_pixels(format, options):
    np.testing.assert_array_equal(pixels(encode(SEEN, format, **options)), SEEN)


def test_jpeg():
    flat = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    assert np.abs(pixels(encode(flat, "JPEG", quality=95)).astype(int) - flat).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(pixels(encode(STORED[orientation], exif=exif)), SEEN)


def test_exif_orientation_of_a_jpeg():
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.zeros((8, 24, 3), np.uint8)
    stored[:, 16:] = 255
    image = pixels(encode(stored, "JPEG", exif=exif))
    assert image.shape == (24, 8, 3)
    assert image[:8].max() < 30 and image[20:].min() > 225


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(pixels(data), np.full((4, 4, 3), (255, 0, 0)))


def test_gray_and_palette_and_bilevel_become_color():
    gray = np.array([[0, 77, 255]], np.uint8)
    np.testing.assert_array_equal(pixels(encode(gray)), np.stack([gray] * 3, -1))
    palette = Image.fromarray(SEEN).quantize(8)
    assert palette.mode == "P"
    np.testing.assert_array_equal(pixels(encode(palette)), SEEN)
    bilevel = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    np.testing.assert_array_equal(pixels(encode(bilevel)), [[[0] * 3, [255] * 3]])


def test_cmyk_jpeg():
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    middle = pixels(encode(image, "JPEG", quality=95))[8, 8].astype(int)
    assert np.abs(middle - (255, 0, 0)).max() <= 6


def test_transparency_becomes_white():
    rgba = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 51]]], np.uint8)
    np.testing.assert_array_equal(pixels(encode(rgba)), [[[255, 0, 0], [255, 255, 255], [204, 204, 204]]])
    la = Image.new("LA", (1, 1), (100, 0))
    np.testing.assert_array_equal(pixels(encode(la)), [[[255, 255, 255]]])
    palette = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    palette.putpalette([9, 8, 7, 1, 2, 3])
    np.testing.assert_array_equal(pixels(encode(palette, transparency=0)), [[[255, 255, 255], [1, 2, 3]]])


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_16_bit_gray_is_scaled(format):
    levels = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    expected = [0, 0, 1, 1, 128, 255]
    assert pixels(encode(levels, format))[0, :, 0].tolist() == expected
    assert pixels(encode(levels, format))[0, :, 2].tolist() == expected


def test_32_bit_gray_beyond_16_bits_is_refused():
    data = encode(np.array([[70000]], np.int32), "TIFF")
    with pytest.raises(UnreadableImage, match="x cannot be decoded .*exceed 16 bits"):
        decoding.decode(data, "x")


def test_floating_point_gray_is_refused():
    with pytest.raises(InputError, match="floating-point"):
        decoding.decode(encode(np.array([[0.5]], np.float32), "TIFF"), "x")


def _noise_jpeg():
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    return encode(noise, "JPEG")


DAMAGED = {
    "nothing": (b"", r"x\.jpg is empty"),
    "a web page": (b"<html>404</html>", r"x\.jpg is not an image"),
    "half a header": (b"\xff\xd8\xff", r"x\.jpg is not an image"),
    "cut-off JPEG": (_noise_jpeg()[:-1000], r"x\.jpg cannot be decoded .*truncated"),
    "cut-off PNG": (encode(SEEN)[:45], r"x\.jpg cannot be decoded"),
    "PNG with wrong bytes": (encode(SEEN)[:45] + b"????" + encode(SEEN)[49:], r"x\.jpg cannot be decoded"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_file_is_named_in_one_line(kind):
    data, message = DAMAGED[kind]
    with pytest.raises(InputError, match=message) as error:
        decoding.decode(data, "x.jpg")
    assert "\n" not in str(error.value)
    assert "remove it" in str(error.value)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [13_350, 60_000])  # Pillow's own limit lies between.
def test_decompression_bomb_is_found_by_its_header(side):
    bomb = png(side, side)
    with pytest.raises(InputError, match=r"x\.png has more than 178000000 pixels"):
        decoding.decode(bomb, "x.png")


@pytest.mark.parametrize(
    ("format", "expected"), [("JPEG", ".jpg"), ("PNG", ".png"), ("BMP", ".bmp"), ("TIFF", ".tif")]
)
def test_suffix_by_content(format, expected):
    assert decoding.suffix(encode(SEEN, format)) == expected


def test_suffix_of_no_image():
    """It is written out like the others: whoever reads it finds out, and skips it or names the file."""
    assert decoding.suffix(b"text") == ".jpg"


def header(tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    return decoding.read_header(str(tmp_path / "x"))


def test_headers_say_the_upright_size_and_what_is_special(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    seen = header(tmp_path, encode(SEEN, "JPEG"))
    assert seen == decoding.Header(
        format="JPEG",
        width=3,
        height=2,
        mode="RGB",
        turned=False,
        transparent=False,
        deep=False,
        animated=False,
        memory=seen.memory,
    )
    for format in ("JPEG", "PNG", "WEBP", "TIFF"):
        turned = header(tmp_path, encode(SEEN, format, exif=exif))
        assert (turned.format, turned.width, turned.height, turned.turned) == (format, 2, 3, True)
    levels = np.zeros((2, 3), np.uint16)
    assert header(tmp_path, encode(levels)).deep and header(tmp_path, encode(levels, "TIFF")).deep
    rgb16 = header(tmp_path, png(3, 2, depth=16))
    assert rgb16.deep and rgb16.mode == "RGB"
    assert header(tmp_path, encode(Image.new("RGBA", (3, 2)))).transparent
    assert header(tmp_path, encode(Image.new("CMYK", (3, 2)), "JPEG")).mode == "CMYK"
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    for format in ("GIF", "PNG", "WEBP", "TIFF"):
        data = encode(frames[0], format, save_all=True, append_images=frames[1:])
        assert header(tmp_path, data).animated, format


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_header_is_no_decoding(tmp_path):
    """Neither damage nor size costs anything."""
    assert header(tmp_path, png(13_000, 13_000)).width == 13_000
    assert header(tmp_path, _noise_jpeg()[:700]).format == "JPEG"


@pytest.mark.parametrize(
    ("kind", "data"),
    [("empty", b""), ("no_image", b"text"), ("too_large", "bomb"), ("no_image", b"P6 0 4 255\n")],
)
def test_a_header_that_is_none_is_of_a_kind(tmp_path, kind, data):
    data = png(60_000, 60_000) if data == "bomb" else data
    with pytest.raises(UnreadableImage) as caught:
        header(tmp_path, data)
    assert caught.value.kind == kind and str(tmp_path / "x") in str(caught.value)


def test_a_file_too_large_to_be_an_image_is_not_read(tmp_path):
    with open(tmp_path / "x.jpg", "wb") as file:
        file.truncate((1 << 30) + 1)  # Sparse: it uses no disk space.
    for read in (decoding.read, decoding.read_header):
        with pytest.raises(UnreadableImage, match=r"x\.jpg is larger than 1 GiB: scale it down"):
            read(str(tmp_path / "x.jpg"))


def test_little_memory_is_not_the_files_fault(monkeypatch):
    def fail(*args):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "convert", fail)
    with pytest.raises(InputError, match="not enough memory to decode x") as caught:
        decoding.decode(encode(Image.new("CMYK", (3, 2)), "JPEG"), "x")
    assert not isinstance(caught.value, UnreadableImage)


def test_conversion_in_bands_is_the_one_of_the_whole(monkeypatch):
    rng = np.random.default_rng(0)
    rgba, deep = rng.integers(0, 256, (9, 7, 4), np.uint8), rng.integers(0, 65536, (9, 7), np.uint16)
    whole = [pixels(encode(image)) for image in (rgba, deep)]
    monkeypatch.setattr(color, "_BAND_PIXELS", 20)
    assert [top for top, _ in color.bands(Image.new("L", (7, 9)))] == [0, 2, 4, 6, 8]
    for image, expected in zip((rgba, deep), whole):
        np.testing.assert_array_equal(pixels(encode(image)), expected)


def test_large_images_are_decoded_one_at_a_time():
    """Many of them, or many headers that lie, would take all memory."""
    small, large = 200_000_000, 200_000_001
    entered = []

    def enter(memory):
        with decoding.large_alone(memory):
            entered.append(memory)

    with decoding.large_alone(large):
        threads = [threading.Thread(target=enter, args=[memory], daemon=True) for memory in (large, small)]
        threads[0].start()
        threads[1].start()
        threads[1].join()
        assert entered == [small]
    threads[0].join()
    assert entered == [small, large]


def test_large_images_lie_in_blocks_that_the_system_gets_back():
    assert Image.core.get_block_size() == 64 << 20
