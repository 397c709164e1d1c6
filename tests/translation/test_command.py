"""The command on image files, with the values that it writes."""

import os
import shutil
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from translation.run_folders import RESIZE, expected, files, make_images, make_run, read

import munit_tf
from munit_tf import runs, translate
from munit_tf.data import pipeline
from munit_tf.translation.any_size import AnySize

SIZES = [(24, 24), (40, 27), (27, 40), (24, 24), (60, 33)]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A run, and images of several sizes."""
    folder = tmp_path_factory.mktemp("translate")
    make_run(folder / "run")
    make_images(folder / "photos", SIZES)
    return folder


@pytest.fixture(scope="module")
def model(here):
    return munit_tf.load(here / "run")


def flags(here, output, *more, input="photos", direction="a2b"):
    return [
        f"--run={here / 'run'}",
        f"--input={here / input}",
        f"--direction={direction}",
        f"--output={output}",
        *more,
    ]


def run(here, output, *more, **given):
    assert translate.main(flags(here, output, *more, **given)) == 0
    return files(output)


@pytest.fixture(scope="module")
def three_styles(here):
    return run(here, here / "three", "--num_styles=3")


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_pictures_are_the_models_outputs_exactly(here, model, tmp_path, direction):
    run(here, tmp_path / "out", "--num_styles=3", "--seed=5", "--batch_size=3", direction=direction)
    for i, size in enumerate(SIZES):
        codes = np.load(tmp_path / "out" / f"image{i}_styles.npy")
        np.testing.assert_array_equal(codes, model.prior_style(3, seed=5))
        photo = pipeline.resize_shorter(Image.open(here / "photos" / f"image{i}.png"), RESIZE)
        assert min(photo.size) == RESIZE and photo.size[0] * size[1] // (photo.size[1] * size[0]) in (0, 1)
        wanted = expected(model, direction, np.asarray(photo), codes)
        assert np.abs(wanted[0].astype(int) - wanted[1]).max() > 20
        for k in range(3):
            np.testing.assert_array_equal(read(tmp_path / "out" / f"image{i}_{k}.png"), wanted[k])


def test_keep_size_of_odd_and_thin_images(here, model, tmp_path):
    sizes = [(1, 1), (1, 50), (33, 1), (17, 90), (64, 64)]
    make_images(tmp_path / "in", sizes)
    run(here, tmp_path / "out", "--num_styles=2", "--batch_size=2", "--keep_size", input=tmp_path / "in")
    for i, (width, height) in enumerate(sizes):
        pixels = read(tmp_path / "in" / f"image{i}.png")
        codes = np.load(tmp_path / "out" / f"image{i}_styles.npy")
        for k, wanted in enumerate(expected(model, "a2b", pixels, codes)):
            result = read(tmp_path / "out" / f"image{i}_{k}.png")
            assert result.shape == (height, width, 3)
            np.testing.assert_array_equal(result, wanted)


def test_what_is_written(three_styles):
    names = [f"image{i}_{k}" for i in range(5) for k in ("0.png", "1.png", "2.png", "styles.npy")]
    assert sorted(three_styles) == sorted([*names, "grid.png", "translate.json"])


def test_the_same_seed_gives_the_same_files_and_another_does_not(here, three_styles, tmp_path):
    again = run(here, tmp_path / "again", "--num_styles=3")
    assert again == three_styles
    other = run(here, tmp_path / "other", "--num_styles=3", "--seed=1")
    assert [name for name in other if name.endswith(".png") and other[name] == again[name]] == []


def test_styles_do_not_depend_on_the_batch_and_are_shared_by_all(here, three_styles, tmp_path):
    large = run(here, tmp_path / "large", "--num_styles=3", "--batch_size=20")
    assert len({large[f"image{i}_styles.npy"] for i in range(5)} | {three_styles["image0_styles.npy"]}) == 1
    for i in range(5):
        for k in range(3):
            name = f"image{i}_{k}.png"
            difference = read(tmp_path / "large" / name).astype(int) - read(here / "three" / name)
            assert np.abs(difference).max() <= 1  # Convolutions of another batch differ in their last bit.


def test_saved_styles_give_the_same_pictures(here, three_styles, tmp_path):
    again = run(here, tmp_path / "out", f"--style_from={here / 'three' / 'image1_styles.npy'}")
    for name in three_styles.keys() - {"translate.json"}:
        assert again[name] == three_styles[name], name


def test_guided_has_the_styles_of_the_references(here, model, tmp_path):
    refs = make_images(tmp_path / "refs", [(24, 24), (28, 36)])
    guided = run(here, tmp_path / "out", f"--style_image={refs}")
    padded = [
        np.asarray(pipeline.resize_shorter(Image.open(path), RESIZE)) for path in sorted(refs.iterdir())
    ]
    padded[1] = np.pad(padded[1], [(0, 2), (0, 0), (0, 0)], mode="reflect")  # 30 pixels -> 32.
    codes = [model.encode_style(x[np.newaxis].astype("float32") / 127.5 - 1, "b")[0] for x in padded]
    np.testing.assert_allclose(np.load(tmp_path / "out" / "image0_styles.npy"), codes, atol=1e-6)
    saved = tmp_path / "out" / "image0_styles.npy"
    from_codes = run(here, tmp_path / "from_codes", f"--style_from={saved}")
    same = [f"image{i}_{k}.png" for i in range(5) for k in range(2)]
    assert [guided[name] for name in same] == [from_codes[name] for name in same]
    assert guided["grid.png"] != from_codes["grid.png"]  # References on top.


def test_interpolation_goes_from_the_first_random_style_to_the_second(here, model, tmp_path):
    run(here, tmp_path / "out", "--interpolate=4", "--seed=2", input="photos/image0.png")
    assert len(files(tmp_path / "out")) == 4 + 3
    codes = np.load(tmp_path / "out" / "image0_styles.npy")
    np.testing.assert_array_equal(codes[[0, 3]], model.prior_style(2, seed=2))


def test_a_second_run_skips_what_is_there_and_does_what_is_not(here, tmp_path, capsys):
    """In a batch that holds both, too."""
    out = tmp_path / "out"
    whole = run(here, out, "--num_styles=3", "--batch_size=20")
    (out / "image1_2.png").unlink()
    (out / "image3_styles.npy").unlink()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("image[024]_*")}
    assert run(here, out, "--num_styles=3", "--batch_size=20") == whole
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert "translated: 2 of 5 images; 3 were done before" in capsys.readouterr().out


@pytest.mark.parametrize(
    "more, named",
    [
        (["--num_styles=3", "--seed=1"], "--seed=0, not with --seed=1"),
        (["--num_styles=4"], "--num_styles=3, not with --num_styles=4"),
        (["--num_styles=3", "--keep_size"], "not with --keep_size"),
        (["--num_styles=3", "--direction=b2a"], "--direction=a2b, not with --direction=b2a"),
        (["--num_styles=3", "--input=."], "--input="),
        (["--interpolate=3"], "--num_styles=3, not with --num_styles=2 --interpolate=3"),
    ],
)
def test_other_settings_are_refused(here, three_styles, tmp_path, monkeypatch, capsys, more, named):
    monkeypatch.chdir(make_images(tmp_path / "elsewhere", [(24, 24)]))
    assert translate.main(flags(here, here / "three", *more)) == 2
    assert named in capsys.readouterr().err.splitlines()[-1]
    assert files(here / "three") == three_styles


def test_other_weights_of_the_same_step_are_refused(here, three_styles, capsys):
    shutil.move(here / "run", here / "kept")
    try:
        make_run(here / "run", seed=1)
        assert translate.main(flags(here, here / "three", "--num_styles=3")) == 2
    finally:
        shutil.rmtree(here / "run")
        shutil.move(here / "kept", here / "run")
    assert "at step 7 (weights " in capsys.readouterr().err
    assert files(here / "three") == three_styles


def test_killed_half_way_it_goes_on_to_the_same_files(here, tmp_path):
    """A process of its own, ended by SIGKILL."""
    make_images(tmp_path / "in", [(24, 24), (30, 24)] * 60)
    more = ["--num_styles=3", "--batch_size=7"]
    command = [
        sys.executable,
        "-m",
        "munit_tf.translate",
        *flags(here, tmp_path / "out", *more, input=tmp_path / "in"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(list(tmp_path.glob("out/*_styles.npy"))) < 5:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = files(tmp_path / "out")
    assert sum(name.endswith(".npy") for name in left) < 120
    run(here, tmp_path / "whole", *more, input=tmp_path / "in")
    shutil.copy(tmp_path / "out" / "translate.json", tmp_path / "whole")
    whole = files(tmp_path / "whole")
    assert [name for name in left if not name.endswith(".tmp") and left[name] != whole[name]] == []
    run(here, tmp_path / "out", *more, input=tmp_path / "in")
    assert files(tmp_path / "out") == whole


def test_a_broken_image_is_named_and_the_finished_ones_stay(here, three_styles, tmp_path, capsys):
    shutil.copytree(here / "photos", tmp_path / "in")
    broken = tmp_path / "in" / "image3.png"
    broken.write_bytes(broken.read_bytes()[:200])
    more = flags(here, tmp_path / "out", "--num_styles=3", input=tmp_path / "in")
    assert translate.main(more) == 2
    assert (
        capsys.readouterr().err.splitlines()[-1].startswith(f"munit_tf.translate: {broken} cannot be decoded")
    )
    assert len(list((tmp_path / "out").glob("image[012]_*"))) == len(files(tmp_path / "out")) - 1 == 12
    shutil.copy(here / "photos" / "image3.png", broken)
    run(here, tmp_path / "out", "--num_styles=3", input=tmp_path / "in")
    assert "3 were done before" in capsys.readouterr().out
    done = files(tmp_path / "out")
    assert all(done[name] == three_styles[name] for name in done if name != "translate.json")


class Negative:
    """A stand-in for a method without style that has one direction: the negative, of sizes that fit only."""

    directions = ("a2b",)
    style_dim = 0
    step = 3
    config = types.SimpleNamespace(size_multiple=8, smallest_input=16)

    def named_weights(self):
        return {}

    def translate(self, images, direction, style=None):
        assert direction == "a2b" and style is None
        size = tf.shape(images)[1:3]
        fits = tf.reduce_all(size % 8 == 0) & tf.reduce_all(size >= 16)
        return tf.where(fits, -images, 0)


def test_a_method_without_style_and_with_one_direction(here, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runs, "load", lambda path: Negative())
    written = run(here, tmp_path / "out", "--keep_size", "--batch_size=2")
    names = [f"image{i}_0.png" for i in range(5)]
    assert sorted(written) == sorted([*names, "grid.png", "translate.json"])
    for i in range(5):
        pixels = read(here / "photos" / f"image{i}.png")
        np.testing.assert_array_equal(read(tmp_path / "out" / f"image{i}_0.png"), 255 - pixels)
    assert run(here, tmp_path / "out", "--keep_size") == written
    assert translate.main(flags(here, tmp_path / "none", "--style_from=x.npy")) == 2
    assert "--style_from: this method has no style" in capsys.readouterr().err
    assert translate.main(flags(here, tmp_path / "none", direction="b2a")) == 2
    assert "--direction=b2a: this method translates a2b only" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_too_little_memory_is_one_line(here, tmp_path, monkeypatch, capsys):
    def exhausted(*args):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(AnySize, "translate", exhausted)
    assert translate.main(flags(here, tmp_path / "out")) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "image0.png: there is not enough memory for 4 pictures of 24x24 pixels" in line


@pytest.mark.parametrize(
    "more, parts",
    [
        (["--run="], ["--run=: must not be empty"]),
        (["--run=nowhere"], ["nowhere is not a run folder"]),
        (["--run=new"], ["new has no checkpoint yet"]),
        (["--input=nothing"], ["no image is at", "nothing"]),
        (["--input=empty"], ["empty has no image in it"]),
        (["--direction=a2c"], ["--direction=a2c: must be one of a2b, b2a"]),
        (["--num_styles=0"], ["--num_styles=0: must be a number of at least 1"]),
        (["--interpolate=1"], ["--interpolate=1: must be a number of at least 2"]),
        (["--num_styles=2", "--style_image=empty"], ["--num_styles and --style_image exclude each other"]),
        (["--style_image=empty"], ["empty has no image in it"]),
        (["--style_from=none.npy"], ["--style_from=", "none.npy cannot be read"]),
        (["--output=photos"], ["photos holds other files and no translations"]),
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
    monkeypatch.setattr(AnySize, "translate", lambda self, images, styles: images + np.nan)
    assert translate.main(flags(here, tmp_path / "out")) == 2
    assert "image0.png: the model's result is not finite" in capsys.readouterr().err
    assert os.listdir(tmp_path / "out") == ["translate.json"]


@pytest.mark.parametrize("missing", ["run", "input", "direction", "output"])
def test_required_flags(here, capsys, missing):
    argv = [flag for flag in flags(here, here / "never") if not flag.startswith(f"--{missing}=")]
    assert translate.main(argv) == 2
    assert f"--{missing} is missing" in capsys.readouterr().err
    assert not os.path.exists(here / "never")
