"""The folder of results: whole files, and never a mixture of settings."""

import io
import os
import zlib

import numpy as np
import pytest
from damage import BAD_JSON, npy, put
from inference.run_folders import read
from PIL import Image

from munit_tf.errors import InputError
from munit_tf.inference.output_folder import OutputFolder
from munit_tf.inference.styles import Styles

STYLES = Styles(np.zeros((2, 3), np.float32), ["style 0", "style 1"], [])


def started(path, settings=("--seed=0", "--direction=a2b"), styles=STYLES):
    output = OutputFolder(path, styles)
    output.begin(list(settings))
    return output


def fill(output, stem="x"):
    for k in range(2):
        output.write_picture(stem, k, np.full((2, 3, 3), k - 0.5, np.float32))
    output.write_styles(stem)


def test_files_and_their_values(tmp_path):
    fill(started(tmp_path / "new" / "out"))
    assert sorted(os.listdir(tmp_path / "new" / "out")) == [
        "translate.json",
        "x_0.png",
        "x_1.png",
        "x_styles.npy",
    ]
    assert (read(tmp_path / "new" / "out" / "x_0.png") == 64).all()
    assert (read(tmp_path / "new" / "out" / "x_1.png") == 191).all()
    np.testing.assert_array_equal(np.load(tmp_path / "new" / "out" / "x_styles.npy"), STYLES.codes)


@pytest.mark.parametrize("missing", ["x_0.png", "x_1.png", "x_styles.npy"])
def test_an_input_is_done_when_all_its_files_are_there(tmp_path, missing):
    fill(started(tmp_path))
    assert started(tmp_path).is_done("x") and not started(tmp_path).is_done("y")
    (tmp_path / missing).unlink()
    (tmp_path / f"{missing}.tmp").write_bytes(b"torn")
    assert not started(tmp_path).is_done("x")


def test_without_style_there_are_no_codes(tmp_path):
    output = started(tmp_path, styles=Styles(None, ["translation"], []))
    output.write_picture("x", 0, np.zeros((2, 2, 3)))
    output.write_styles("x")
    assert sorted(os.listdir(tmp_path)) == ["translate.json", "x_0.png"]
    assert started(tmp_path, styles=Styles(None, ["translation"], [])).is_done("x")


def test_other_settings_are_named(tmp_path):
    started(tmp_path)
    with pytest.raises(InputError, match="was started with --seed=0, not with --seed=1: give the same flags"):
        started(tmp_path, ["--seed=1", "--direction=a2b"])
    with pytest.raises(InputError, match="was started with fewer flags, not with --interpolate=3"):
        started(tmp_path, ["--seed=0", "--direction=a2b", "--interpolate=3"])


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "x_0.png").write_bytes(b"mine")
    with pytest.raises(InputError, match="contains other files and no translations"):
        started(tmp_path)
    assert os.listdir(tmp_path) == ["x_0.png"]


def test_killed_before_the_record_was_whole(tmp_path):
    (tmp_path / "translate.json.tmp").write_bytes(b"[")
    fill(started(tmp_path))


BAD_RECORDS = {
    **BAD_JSON,
    "an object": b'{"a": 1}',
    "a text and a number": b'["--seed=0", 3]',
    "a text and a list": b'["--seed=0", ["--direction=a2b"]]',
    "a text and null": b'["--seed=0", null]',
}


@pytest.mark.parametrize("name", BAD_RECORDS)
def test_a_damaged_record(tmp_path, name):
    put(tmp_path / "translate.json", BAD_RECORDS[name])
    with pytest.raises(InputError) as caught:
        started(tmp_path)
    assert "translate.json" in str(caught.value) and "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["translate.json"]


def png(size=(3, 2), mode="RGB"):
    file = io.BytesIO()
    Image.new(mode, size, 100).save(file, "PNG")
    return file.getvalue()


def other(kind):
    file = io.BytesIO()
    Image.new("RGB", (3, 2)).save(file, kind)
    return file.getvalue()


def chunk(kind, data):
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


HEADER = png()[:33]  # Its signature and its size.
BAD_PICTURES = {
    "empty": b"",
    "garbage": b"garbage",
    "NUL bytes": bytes(200),
    "cut off in the header": png()[:20],
    "cut off after the header": HEADER,
    "cut off": png()[:50],
    "cut off before its end": png()[:-12],
    "a flipped bit": png()[:45] + bytes([png()[45] ^ 1]) + png()[46:],
    "NUL bytes at the end": png()[:45] + bytes(len(png()) - 45),
    "no pixels": HEADER + png()[-12:],
    "a JPEG": other("JPEG"),
    "a GIF": other("GIF"),
    "in gray": png(mode="L"),
    "a size of zero": HEADER[:8] + chunk(b"IHDR", bytes(8) + HEADER[24:29]) + png()[33:],
    "a size too large": HEADER[:8] + chunk(b"IHDR", b"\x7f\xff\xff\xff" * 2 + HEADER[24:29]) + png()[33:],
}
BAD_STYLES = {
    "empty": b"",
    "garbage": b"garbage",
    "cut off": npy(STYLES.codes)[:-1],
    "other numbers of styles": npy(np.zeros((3, 3), np.float32)),
    "other dimensions": npy(np.zeros((2, 4), np.float32)),
    "NaN": npy(np.full((2, 3), np.nan, np.float32)),
    "text": npy(np.full((2, 3), "x")),
}


@pytest.mark.parametrize("file, name", [(f, n) for f in ("x_0.png", "x_1.png") for n in BAD_PICTURES])
def test_an_input_with_a_damaged_picture_is_not_done(tmp_path, capsys, file, name):
    fill(started(tmp_path))
    assert started(tmp_path).is_done("x") and capsys.readouterr().err == ""
    put(tmp_path / file, BAD_PICTURES[name])
    output = started(tmp_path)
    assert not output.is_done("x")
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: ") and str(tmp_path / file) in line
    fill(output)
    assert started(tmp_path).is_done("x")


@pytest.mark.parametrize("name", BAD_STYLES)
def test_an_input_with_damaged_codes_is_not_done(tmp_path, capsys, name):
    fill(started(tmp_path))
    put(tmp_path / "x_styles.npy", BAD_STYLES[name])
    output = started(tmp_path)
    assert not output.is_done("x")
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: ") and str(tmp_path / "x_styles.npy") in line
    fill(output)
    assert started(tmp_path).is_done("x")


def test_a_picture_of_right_checksums_that_cannot_be_decoded_is_named(tmp_path):
    """Nothing but malice makes one, so only the grid, which shows it, finds out."""
    fill(started(tmp_path))
    (tmp_path / "x_0.png").write_bytes(HEADER + chunk(b"IDAT", b"garbage") + png()[-12:])
    output = started(tmp_path)
    assert output.is_done("x")
    with pytest.raises(InputError, match="x_0.png is damaged"):
        output.picture("x", 0)


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--output=.*file cannot be written"):
        started(tmp_path / "file")
    with pytest.raises(InputError, match="--output=.*cannot be written"):
        started(tmp_path / "file" / "out")


def test_a_write_that_fails_leaves_nothing(tmp_path):
    output = started(tmp_path)
    with pytest.raises(InputError, match="_0.png cannot be written: File name too long"):
        output.write_picture("x" * 250, 0, np.zeros((2, 2, 3)))
    (tmp_path / "x_0.png").mkdir()
    with pytest.raises(InputError, match="x_0.png cannot be written: Is a directory"):
        output.write_picture("x", 0, np.zeros((2, 2, 3)))
    assert sorted(os.listdir(tmp_path)) == ["translate.json", "x_0.png"]
