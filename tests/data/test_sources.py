"""Decoding is checked pixel by pixel, listing by the names that come out."""

import io
import pathlib
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from munit_tf.config import InputError
from munit_tf.data import sources

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


def pixels(data):
    image = sources.decode(data, "x")
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
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(pixels(data), np.full((4, 4, 3), (255, 0, 0)))


def test_grey_and_palette_and_bilevel_become_colour():
    grey = np.array([[0, 77, 255]], np.uint8)
    np.testing.assert_array_equal(pixels(encode(grey)), np.stack([grey] * 3, -1))
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
def test_16_bit_grey_is_scaled(format):
    levels = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    expected = [0, 0, 1, 1, 128, 255]
    assert pixels(encode(levels, format))[0, :, 0].tolist() == expected
    assert pixels(encode(levels, format))[0, :, 2].tolist() == expected


def test_32_bit_grey_beyond_16_bits_is_refused():
    data = encode(np.array([[70000]], np.int32), "TIFF")
    with pytest.raises(InputError, match="x cannot be decoded .*beyond 16 bits"):
        sources.decode(data, "x")


def test_floating_point_grey_is_refused():
    with pytest.raises(InputError, match="floating point"):
        sources.decode(encode(np.array([[0.5]], np.float32), "TIFF"), "x")


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
        sources.decode(data, "x.jpg")
    assert "\n" not in str(error.value)
    assert "remove it" in str(error.value)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [13_350, 60_000])  # Pillow's own limit lies between.
def test_decompression_bomb_is_found_by_its_header(side):
    def chunk(kind, body):
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    with pytest.raises(InputError, match=r"x\.png has more than 178000000 pixels"):
        sources.decode(bomb, "x.png")


def test_halves_of_a_side_by_side_pair(tmp_path):
    (tmp_path / "1.png").write_bytes(encode(np.concatenate([SEEN[:, :2], SEEN[:, 1:]], axis=1)))
    path = str(tmp_path / "1.png")
    np.testing.assert_array_equal(sources.Files([path], half="left")[0], SEEN[:, :2])
    right = sources.Files([path], half="right")
    np.testing.assert_array_equal(right[0], SEEN[:, 1:])
    assert right.name(0) == f"{path} (right half)"


def test_a_file_that_went_away_is_named(tmp_path):
    files = sources.Files([str(tmp_path / "gone.png")])
    with pytest.raises(InputError, match=r"cannot read .*gone\.png: No such file"):
        files[0]


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.JPG", "c.webp", ".hidden.png", "notes.txt", "sub/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encode(SEEN))
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def names(files, folder):
    return [path[len(str(folder)) + 1 :] for path in files.paths]


def test_folder_is_listed_sorted_without_hidden_files_and_subfolders(folder):
    files = sources.list_images(str(folder))
    assert names(files, folder) == ["a.JPG", "b.png", "c.webp"]
    assert len(files) == 3
    assert files.name(1) == str(folder / "b.png")
    np.testing.assert_array_equal(files[1], SEEN)


def test_glob(folder):
    assert names(sources.list_images(f"{folder}/*"), folder) == ["a.JPG", "b.png", "c.webp"]
    assert names(sources.list_images(f"{folder}/**/*.png"), folder) == ["b.png", "sub/d.png"]
    assert names(sources.list_images(f"{folder}/b.png"), folder) == ["b.png"]


def test_list_file_keeps_its_order_and_is_relative_to_itself(folder, monkeypatch):
    (folder / "sub" / "list.txt").write_text(f"../c.webp\n\n{folder}/a.JPG\n d.png\n", "utf-8-sig")
    monkeypatch.chdir(folder / "sub")
    expected = [folder / "c.webp", folder / "a.JPG", folder / "sub" / "d.png"]
    for spec in (f"{folder}/sub/list.txt", "list.txt"):
        files = sources.list_images(spec)
        assert [pathlib.Path(path).resolve() for path in files.paths] == expected


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nowhere", "no image is at .*nowhere"),
        ("*.bmp", r"no image is at .*\*\.bmp"),
        ("folder.png", r"folder\.png has no image in it"),
        ("nowhere.txt", r"cannot read .*nowhere\.txt: No such file"),
        ("empty.txt", r"empty\.txt lists no image"),
        ("bad.txt", r"bad\.txt lists .*missing\.png, which is no file"),
        ("binary.txt", r"binary\.txt is not UTF-8"),
    ],
)
def test_what_is_not_there_is_named(folder, spec, message):
    (folder / "empty.txt").write_text("\n")
    (folder / "bad.txt").write_text("a.JPG\nmissing.png\n")
    (folder / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=message):
        sources.list_images(str(folder / spec))


@pytest.mark.parametrize(
    ("format", "expected"), [("JPEG", ".jpg"), ("PNG", ".png"), ("BMP", ".bmp"), ("TIFF", ".tif")]
)
def test_suffix_by_content(format, expected):
    assert sources.suffix(encode(SEEN, format), "x") == expected


def test_suffix_of_no_image():
    with pytest.raises(InputError, match="record 3"):
        sources.suffix(b"text", "record 3")
