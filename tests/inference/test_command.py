"""The command on image files, with the values that it writes."""

import types

import numpy as np
import pytest
import tensorflow as tf
from inference.run_folders import (
    RESIZE,
    SIZES,
    assert_rounded,
    expected,
    files,
    flags,
    make_images,
    make_run,
    read,
    run,
)
from PIL import Image

import munit_tf
from munit_tf import translate
from munit_tf.data import pipeline
from munit_tf.data.edges import draw_edges
from munit_tf.runs import loading


@pytest.fixture(scope="module")
def model(here):
    return munit_tf.load(here / "run")


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_pictures_are_the_models_outputs_rounded(here, model, tmp_path, direction):
    run(here, tmp_path / "out", "--num_styles=3", "--seed=5", "--batch_size=3", direction=direction)
    for i, size in enumerate(SIZES):
        codes = np.load(tmp_path / "out" / f"image{i}_styles.npy")
        np.testing.assert_array_equal(codes, model.prior_style(3, seed=5))
        photo = pipeline.resize_shorter(Image.open(here / "photos" / f"image{i}.png"), RESIZE)
        assert min(photo.size) == RESIZE and photo.size[0] * size[1] // (photo.size[1] * size[0]) in (0, 1)
        wanted = expected(model, direction, np.asarray(photo), codes)
        assert np.abs(wanted[0] - wanted[1]).max() > 20 / 127.5
        for k in range(3):
            assert_rounded(read(tmp_path / "out" / f"image{i}_{k}.png"), wanted[k])


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
            assert_rounded(result, wanted)


def test_edges_of_photos(here, model, tmp_path):
    run(here, tmp_path / "out", "--num_styles=2", "--edges")
    photo = pipeline.resize_shorter(Image.open(here / "photos" / "image1.png"), RESIZE)
    wanted = expected(model, "a2b", np.asarray(draw_edges(photo)), model.prior_style(2))
    for k in range(2):
        assert_rounded(read(tmp_path / "out" / f"image1_{k}.png"), wanted[k])


def test_photos_for_a_model_of_drawings_and_the_reverse(here, tmp_path, monkeypatch, capfd, eagerly):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "drawings", dataset="edges2flowers")
    Image.new("RGB", (24, 24), "white").save(tmp_path / "white.png")
    photo = here / "photos" / "image0.png"
    for output, name, more, warned in [
        ("a", photo, [], "image0.png looks like a photo"),
        ("b", "white.png", [], None),
        ("c", photo, ["--edges"], None),
    ]:
        flags = ["--run=drawings", f"--input={name}", f"--output={output}", *more]
        assert translate.main([*flags, "--direction=a2b", "--num_styles=1"]) == 0
        error = capfd.readouterr().err
        assert warned in error if warned else "warning" not in error
    assert translate.main([*flags, "--direction=b2a"]) == 2
    assert "--edges is for" in capfd.readouterr().err


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


def test_guided_has_the_styles_of_the_references(here, model, tmp_path, eagerly):
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


def test_interpolation_goes_from_the_first_random_style_to_the_second(here, model, tmp_path, eagerly):
    run(here, tmp_path / "out", "--interpolate=4", "--seed=2", input="photos/image0.png")
    assert len(files(tmp_path / "out")) == 4 + 3
    codes = np.load(tmp_path / "out" / "image0_styles.npy")
    np.testing.assert_array_equal(codes[[0, 3]], model.prior_style(2, seed=2))


class Negative:
    """A fake method without style and with one direction: the negative, for suitable sizes only."""

    directions = ("a2b",)
    style_dim = 0
    has_style_encoder = has_content_code = False
    step = 3
    config = types.SimpleNamespace(size_multiple=8, smallest_input=16, gen_dim=1)

    def named_weights(self):
        return {}

    def translate(self, images, direction, style=None):
        assert direction == "a2b" and style is None
        size = tf.shape(images)[1:3]
        fits = tf.reduce_all(size % 8 == 0) & tf.reduce_all(size >= 16)
        return tf.where(fits, -images, 0)


def test_a_method_without_style_and_with_one_direction(here, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loading, "load", lambda path, **_: Negative())
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
