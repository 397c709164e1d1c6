"""What a user can get wrong: one line, status 2, and nothing left behind."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from inference.run_folders import flags

from munit_tf import translate
from munit_tf.inference.padded_inference import PaddedInference


def test_too_little_memory_is_one_line(here, tmp_path, monkeypatch, capsys):
    def exhausted(*args):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(PaddedInference, "decode", exhausted)
    assert translate.main(flags(here, tmp_path / "out")) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "image0.png: there is not enough memory for 4 images of 24x24 pixels" in line


@pytest.mark.parametrize(
    "more, parts",
    [
        (["--run="], ["--run=: must not be empty"]),
        (["--run=nowhere"], ["nowhere is not a run folder"]),
        (["--run=new"], ["new has no checkpoint yet"]),
        (["--input=nothing"], ["no image found at", "nothing"]),
        (["--input=empty"], ["empty contains no image"]),
        (["--direction=a2c"], ["--direction=a2c: must be one of a2b, b2a"]),
        (["--num_styles=0"], ["--num_styles=0: must be a number from 1"]),
        (["--interpolate=1"], ["--interpolate=1: must be a number from 2"]),
        (["--num_styles=2", "--style_image=empty"], ["--num_styles and --style_image exclude each other"]),
        (["--style_image=empty"], ["empty contains no image"]),
        (["--style_from=none.npy"], ["--style_from=", "none.npy cannot be read"]),
        (["--output=photos"], ["photos contains other files and no translations"]),
        (["--output=photos/image0.png"], ["--output=", "cannot be written"]),
        (["--stlye_image=x"], ["style_image"]),
    ],
)
def test_bad_input_is_one_line(here, tmp_path, monkeypatch, capsys, more, parts):
    for name in ("run", "photos"):
        shutil.copytree(here / name, tmp_path / name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "new").mkdir()
    shutil.copy(here / "run" / "run.flags", tmp_path / "new")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    usual = ["--run=run", "--input=photos", "--direction=a2b", "--output=out"]
    assert translate.main([*usual, *more]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("munit_tf.translate: ") and len(lines) == 1, lines
    assert all(part in lines[0] for part in parts), lines[0]
    assert sorted(tmp_path.rglob("*")) == before


def test_results_that_are_not_finite_are_refused(here, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        PaddedInference, "decode", lambda self, encoded, rows, styles: np.full((len(rows), 1), np.nan)
    )
    assert translate.main(flags(here, tmp_path / "out")) == 2
    assert "image0.png: the model's result is not finite" in capsys.readouterr().err
    assert os.listdir(tmp_path / "out") == ["translate.json"]


@pytest.mark.parametrize("missing", ["run", "input", "direction", "output"])
def test_required_flags(here, capsys, missing):
    argv = [flag for flag in flags(here, here / "never") if not flag.startswith(f"--{missing}=")]
    assert translate.main(argv) == 2
    assert f"--{missing} is missing" in capsys.readouterr().err
    assert not os.path.exists(here / "never")
