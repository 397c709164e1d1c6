"""Which styles the flags ask for, and what can be wrong with their files."""

import types

import numpy as np
import pytest
from inference.run_folders import make_images

from munit_tf.errors import InputError
from munit_tf.inference import styles
from munit_tf.translate import TranslateConfig


class Model:
    """Draws codes that tell the count and the seed."""

    style_dim = 2
    has_style_encoder = True
    encode_style = None  # Never called: `choose` is given `encode`.

    def prior_style(self, count, seed):
        codes = np.arange(1, 2 * count + 1, dtype="float32").reshape(count, 2) + 100 * seed
        return types.SimpleNamespace(numpy=lambda: codes)


def encode(images):
    """The mean of red and of green as a code."""
    return images[..., :2].mean(axis=(1, 2))


def choose(model=None, **flags):
    options = TranslateConfig(run="r", input="i", direction="a2b", output="o", **flags)
    styles.check(options)
    return styles.choose(options, model or Model(), encode, 8)


def refused(model=None, **flags):
    with pytest.raises(InputError) as caught:
        choose(model, **flags)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_ten_random_styles_by_default():
    found = choose()
    assert found.codes.shape == (10, 2) and found.codes.dtype == np.float32
    assert found.labels[0] == "style 0" and len(found) == 10
    assert found.origin == ["--num_styles=10", "--seed=0"]


def test_number_and_seed():
    assert choose(num_styles=2, seed=3).codes.tolist() == [[301, 302], [303, 304]]


def test_interpolates_between_the_two_first_random_styles():
    found = choose(interpolate=3)
    np.testing.assert_array_equal(found.codes[[0, 2]], [[1, 2], [3, 4]])
    assert found.labels == ["0.00", "0.50", "1.00"]
    assert found.origin == ["--num_styles=2", "--seed=0", "--interpolate=3"]


def test_references_in_the_order_of_their_names(tmp_path):
    folder = make_images(tmp_path / "refs", [(8, 8), (11, 16)])
    found = choose(style_image=str(folder))
    assert found.codes.shape == (2, 2) and found.labels == ["reference 0", "reference 1"]
    np.testing.assert_array_equal(found.codes[1], encode(found.references[1][np.newaxis])[0])
    assert found.references.picture(1).size == (8, 11)
    assert choose(style_image=str(folder), interpolate=5).codes.shape == (5, 2)
    one = choose(style_image=str(folder / "image1.png"))
    np.testing.assert_array_equal(one.codes, found.codes[1:])
    assert "give two, not 1" in refused(style_image=str(folder / "image1.png"), interpolate=5)


def test_origin_changes_with_a_files_content(tmp_path):
    folder = make_images(tmp_path / "refs", [(8, 8)])
    before = choose(style_image=str(folder)).origin
    assert choose(style_image=str(folder)).origin == before
    make_images(folder, [(8, 9)])
    assert choose(style_image=str(folder)).origin != before


def test_codes_of_a_file(tmp_path):
    path = tmp_path / "codes.npy"
    np.save(path, np.float64([[1, 2], [3, 4], [5, 6]]))
    found = choose(style_from=str(path))
    assert found.codes.tolist() == [[1, 2], [3, 4], [5, 6]] and found.codes.dtype == np.float32
    assert "give two, not 3" in refused(style_from=str(path), interpolate=4)


@pytest.mark.parametrize(
    "codes, message",
    [
        (np.zeros((3, 5)), "[number of styles, 2], not one of shape [3, 5]"),
        (np.zeros(2), "not one of shape [2]"),
        (np.zeros((0, 2)), "not one of shape [0, 2]"),
        (np.float32([[0, 0], [0, np.nan]]), "row 1 has NaN"),
        (np.array([["a", "b"]]), "not of <U1"),
        (np.array([[1j, 2]]), "not of complex128"),
        (np.array([[{}, 2]]), "is not a .npy file"),
    ],
    ids=["width", "one", "empty", "nan", "text", "complex", "pickled"],
)
def test_wrong_codes(tmp_path, codes, message):
    np.save(tmp_path / "codes.npy", codes, allow_pickle=True)
    assert message in refused(style_from=str(tmp_path / "codes.npy"))


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is damaged"),
        (b"P6 1 1 255", "is damaged"),
        (b"PK\x03\x04 torn", "is damaged"),
        (b"\x93NUMPY\x01\x00", "is damaged"),
    ],
)
def test_files_that_are_none_of_numpys(tmp_path, content, message):
    (tmp_path / "codes.npy").write_bytes(content)
    assert message in refused(style_from=str(tmp_path / "codes.npy"))


def test_torn_archived_and_missing_files(tmp_path):
    whole, torn = tmp_path / "whole.npy", tmp_path / "torn.npy"
    np.save(whole, np.zeros((9, 2)))
    torn.write_bytes(whole.read_bytes()[:-8])
    assert "is damaged" in refused(style_from=str(torn))
    np.savez(tmp_path / "several.npz", codes=np.zeros((1, 2)))
    assert "not several arrays" in refused(style_from=str(tmp_path / "several.npz"))
    assert "No such file" in refused(style_from=str(tmp_path / "none.npy"))
    assert "Is a directory" in refused(style_from=str(tmp_path))


@pytest.mark.parametrize(
    "flags, names",
    [
        (dict(num_styles=2, style_image="x"), "--num_styles and --style_image"),
        (dict(style_image="x", style_from="y"), "--style_image and --style_from"),
        (dict(num_styles=2, interpolate=8), "--num_styles and --interpolate"),
    ],
)
def test_flags_that_exclude_each_other(flags, names):
    assert refused(**flags) == f"{names} exclude each other: give one of them"


def test_a_method_that_cannot_encode_a_style(tmp_path):
    make_images(tmp_path / "references", [(8, 8)])
    model = types.SimpleNamespace(style_dim=2, has_style_encoder=False)
    message = refused(model=model, style_image=str(tmp_path / "references"))
    assert message.startswith("--style_image: this method cannot encode a style")


def test_a_method_without_style():
    model = types.SimpleNamespace(style_dim=0)
    found = choose(model)
    assert found.codes is None and len(found) == 1
    assert "--num_styles: this method has no style" in refused(model=model, num_styles=2)
    assert "--interpolate: this method has no style" in refused(model=model, interpolate=2)
