"""Images to translate: sizes and names."""

import numpy as np
import pytest
from inference.run_folders import make_images
from PIL import Image

from munit_tf.data.edges import draw_edges
from munit_tf.data.resizing import resize_shorter
from munit_tf.errors import InputError
from munit_tf.inference.input_images import Inputs


def test_shorter_side_is_resized_or_kept(tmp_path):
    folder = make_images(tmp_path, [(40, 30), (7, 21)])
    assert [image.shape for image in Inputs(str(folder), 12)] == [(12, 16, 3), (36, 12, 3)]
    assert [image.shape for image in Inputs(str(folder), None)] == [(30, 40, 3), (21, 7, 3)]


def test_values_are_the_files(tmp_path):
    Image.fromarray(np.uint8([[[0, 255, 51]]])).save(tmp_path / "x.png")
    np.testing.assert_allclose(Inputs(str(tmp_path), None)[0], [[[-1, 1, -0.6]]], atol=1e-7)


def test_edges_are_drawn_at_the_size_of_training(tmp_path):
    folder = make_images(tmp_path, [(40, 30)])
    photo = resize_shorter(Image.open(folder / "image0.png"), 24)
    assert Inputs(str(folder), 24, edges=True)[0].shape == (24, 32, 3)
    drawn = Inputs(str(folder), 24, edges=True).picture(0)
    np.testing.assert_array_equal(np.asarray(drawn), np.asarray(draw_edges(photo)))


def test_stems(tmp_path):
    make_images(tmp_path, [(2, 2)], prefix="a.b_")
    make_images(tmp_path, [(2, 2)], prefix="c", suffix=".JPG")
    assert Inputs(str(tmp_path), None).stems() == ["a.b_0", "c0"]


@pytest.mark.parametrize("second", ["a0.jpg", "sub/a0.png"])
def test_two_images_of_one_name_are_both_named(tmp_path, second):
    make_images(tmp_path, [(2, 2)], prefix="a")
    (tmp_path / "sub").mkdir()
    Image.new("RGB", (2, 2)).save(tmp_path / second)
    with pytest.raises(InputError, match="both be written as a0_0.png") as caught:
        Inputs(str(tmp_path / "**" / "*.*"), None).stems()
    assert str(tmp_path / "a0.png") in str(caught.value) and str(tmp_path / second) in str(caught.value)


def test_a_long_thin_image_is_named(tmp_path):
    make_images(tmp_path, [(3000, 1)], prefix="thin")
    with pytest.raises(InputError, match=r"thin0.png: 1x3000 pixels is too long and thin for --resize=256"):
        Inputs(str(tmp_path), 256)[0]
