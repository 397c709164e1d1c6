"""Listing is checked by the names that come out."""

import io
import pathlib

import numpy as np
import pytest
from PIL import Image

from munit_tf.data import sources
from munit_tf.errors import InputError

SEEN = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[255, 255, 0], [0, 255, 255], [255, 0, 255]]],
    np.uint8,
)


def encode(image):
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "PNG")
    return buffer.getvalue()


def test_halves_of_a_side_by_side_pair(tmp_path):
    (tmp_path / "1.png").write_bytes(encode(np.concatenate([SEEN[:, :2], SEEN[:, 1:]], axis=1)))
    path = str(tmp_path / "1.png")
    np.testing.assert_array_equal(sources.ImageFiles([path], half="left")[0], SEEN[:, :2])
    right = sources.ImageFiles([path], half="right")
    np.testing.assert_array_equal(right[0], SEEN[:, 1:])
    assert right.name(0) == f"{path} (right half)"


def test_a_file_that_went_away_is_named(tmp_path):
    files = sources.ImageFiles([str(tmp_path / "gone.png")])
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
        ("nowhere", "no image found at .*nowhere"),
        ("*.bmp", r"no image found at .*\*\.bmp"),
        ("folder.png", r"folder\.png contains no image"),
        ("nowhere.txt", r"cannot read .*nowhere\.txt: No such file"),
        ("empty.txt", r"empty\.txt lists no image"),
        ("bad.txt", r"bad\.txt lists .*missing\.png, which is not a file"),
        ("binary.txt", r"binary\.txt is not UTF-8"),
    ],
)
def test_what_is_not_there_is_named(folder, spec, message):
    (folder / "empty.txt").write_text("\n")
    (folder / "bad.txt").write_text("a.JPG\nmissing.png\n")
    (folder / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=message):
        sources.list_images(str(folder / spec))
