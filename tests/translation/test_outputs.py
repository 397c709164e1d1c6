"""The folder of results: whole files, and never a mixture of settings."""

import os

import numpy as np
import pytest
from translation.run_folders import read

from munit_tf.config import InputError
from munit_tf.translation.outputs import OutputFolder
from munit_tf.translation.styles import Styles

STYLES = Styles(np.zeros((2, 3), np.float32), ["style 0", "style 1"], [])


def begun(path, settings=("--seed=0", "--direction=a2b"), styles=STYLES):
    output = OutputFolder(path, styles)
    output.begin(list(settings))
    return output


def fill(output, stem="x"):
    for k in range(2):
        output.write_picture(stem, k, np.full((2, 3, 3), k - 0.5, np.float32))
    output.write_styles(stem)


def test_files_and_their_values(tmp_path):
    fill(begun(tmp_path / "new" / "out"))
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
    fill(begun(tmp_path))
    assert begun(tmp_path).is_done("x") and not begun(tmp_path).is_done("y")
    (tmp_path / missing).unlink()
    (tmp_path / f"{missing}.tmp").write_bytes(b"torn")
    assert not begun(tmp_path).is_done("x")


def test_without_style_there_are_no_codes(tmp_path):
    output = begun(tmp_path, styles=Styles(None, ["translation"], []))
    output.write_picture("x", 0, np.zeros((2, 2, 3)))
    output.write_styles("x")
    assert sorted(os.listdir(tmp_path)) == ["translate.json", "x_0.png"]
    assert begun(tmp_path, styles=Styles(None, ["translation"], [])).is_done("x")


def test_other_settings_are_named(tmp_path):
    begun(tmp_path)
    with pytest.raises(InputError, match="was begun with --seed=0, not with --seed=1: give the same flags"):
        begun(tmp_path, ["--seed=1", "--direction=a2b"])
    with pytest.raises(InputError, match="was begun with fewer flags, not with --interpolate=3"):
        begun(tmp_path, ["--seed=0", "--direction=a2b", "--interpolate=3"])


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "x_0.png").write_bytes(b"mine")
    with pytest.raises(InputError, match="holds other files and no translations"):
        begun(tmp_path)
    assert os.listdir(tmp_path) == ["x_0.png"]


def test_killed_before_the_record_was_whole(tmp_path):
    (tmp_path / "translate.json.tmp").write_bytes(b"[")
    fill(begun(tmp_path))


@pytest.mark.parametrize("text", ["", "[", "3", '{"a": 1}', "\xff"])
def test_a_damaged_record(tmp_path, text):
    (tmp_path / "translate.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match="translate.json is damaged"):
        begun(tmp_path)


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--output=.*file cannot be written"):
        begun(tmp_path / "file")
    with pytest.raises(InputError, match="--output=.*cannot be written"):
        begun(tmp_path / "file" / "out")


def test_a_write_that_fails_leaves_nothing(tmp_path):
    output = begun(tmp_path)
    with pytest.raises(InputError, match="_0.png cannot be written: File name too long"):
        output.write_picture("x" * 250, 0, np.zeros((2, 2, 3)))
    (tmp_path / "x_0.png").mkdir()
    with pytest.raises(InputError, match="x_0.png cannot be written: Is a directory"):
        output.write_picture("x", 0, np.zeros((2, 2, 3)))
    assert sorted(os.listdir(tmp_path)) == ["translate.json", "x_0.png"]
