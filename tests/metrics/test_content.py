"""Content, hue, reconstruction and the style gap, with answers known beforehand."""

import colorsys

import numpy as np
import pytest

from munit_tf.errors import InputError
from munit_tf.metrics import content
from munit_tf.metrics.sampling import Block


def canvas(*hues, size=8, saturation=0.9):
    """White images [len(hues), size, size, 3] whose top left quarter has a hue, and where that is."""
    images = np.ones((len(hues), size, size, 3))
    for image, hue in zip(images, hues):
        image[: size // 2, : size // 2] = 2 * np.array(colorsys.hsv_to_rgb(hue, saturation, 0.95)) - 1
    insides = np.zeros((len(hues), size, size), bool)
    insides[:, : size // 2, : size // 2] = True
    return images, insides


def test_kept_content_by_hand():
    """A step at column 3 of 8 and one at column 4: lengths 1 2 1 0 0 and 0 1 2 1 0 after the mean of 2 x 2.

    So the correlation is (4 - 16 / 5) / (6 - 16 / 5) = 2 / 7.
    """
    columns = np.arange(8)
    third, fourth = (np.where(columns < k, -0.5, 0.5) * np.ones((8, 3, 1)) for k in (3, 4))
    third, fourth = (np.moveaxis(each, 1, 2)[np.newaxis] for each in (third, fourth))
    colored = np.where(third < 0, [0.9, 0.1, -0.8], [-0.4, -0.9, 0.2])  # Other colors, darker to the right.
    flat, turned = np.zeros((1, 8, 8, 3)), np.swapaxes(third, 1, 2)
    found = [content.kept_content(third, each)[0] for each in (third, -third, colored, fourth, flat, turned)]
    np.testing.assert_allclose(found, [1, 1, 1, 2 / 7, 0, 0], atol=1e-9)


def test_reconstruction_by_hand():
    """Off by 0.5 everywhere: PSNR 10 log10(4 / 0.25) = 12.04 dB; equal images: infinite."""
    images = np.zeros((2, 4, 4, 3))
    l1, psnr = content.reconstruction(images, images + np.array([0.5, 0]).reshape(2, 1, 1, 1))
    np.testing.assert_allclose(l1, [0.5, 0])
    np.testing.assert_allclose(psnr, [12.0411998, np.inf])


def test_mean_hue_and_iou_of_filled_shapes():
    hues = (0.0, 0.1, 0.33, 0.5, 0.72, 0.99)
    images, insides = canvas(*hues)
    np.testing.assert_allclose(content.mean_hue(images, insides), hues, atol=1e-9)
    np.testing.assert_array_equal(content.content_iou(images, insides), 1)
    assert content.content_iou(np.ones((1, 8, 8, 3)), insides[:1]) == 0
    # A fill twice as large as it should be; one that fills half of it.
    np.testing.assert_allclose(content.content_iou(-np.ones((1, 8, 8, 3)), insides[:1]), 0.25)
    half = insides[:1].copy()
    half[:, :2] = False
    np.testing.assert_allclose(content.content_iou(images[:1], half), 0.5)


def test_hue_wraps_around():
    np.testing.assert_allclose(content.hue_distance([0.95, 0.25, 0.5], [0.05, 0.75, 0.5]), [0.1, 0.5, 0])
    images, insides = canvas(0.98)
    images[0, :2, :4] = canvas(0.02)[0][0, :2, :4]
    assert content.hue_distance(content.mean_hue(images, insides), 0) == pytest.approx([0], abs=1e-9)


def test_hue_entropy_by_hand():
    assert content.hue_entropy((np.arange(12) + 0.5) / 12) == pytest.approx(np.log(6))
    assert content.hue_entropy([0.1, 0.11, 0.12]) == 0
    assert content.hue_entropy([0.05, 0.05, 0.6, 0.6]) == pytest.approx(np.log(2))


def test_blocks_of_shapes_are_put_together():
    """The first input gets hues 0.05 and 0.6, the second 0.05 twice; a third output each does not count."""
    hues = (0.05, 0.6, 0.3, 0.05, 0.05, 0.3)
    images, insides = canvas(*hues)
    meter = content.ShapesContent(insides[:2], num_outputs=2)
    for start, stop in ((0, 2), (2, 3), (3, 6)):
        places = np.arange(start, stop)
        meter.add(Block(places // 3, places % 3, None, images[start:stop]))
    expected = {"content_iou": 1, "outputs": 4, "hue_entropy": np.log(2) / 2}
    assert meter.result() == pytest.approx(expected)


def test_style_gap():
    """Twice the standard deviation in one of two dimensions, a mean of (3, 4): 25 + (2 - 1)^2."""
    square = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]) * np.sqrt(3 / 4)
    assert content.style_gap(square) == pytest.approx(
        {"mean_norm": 0, "covariance_distance": 0, "std": 1, "frechet": 0}, abs=1e-9
    )
    gap = content.style_gap(square * [2, 1] + [3, 4])
    assert gap == pytest.approx({"mean_norm": 5, "covariance_distance": 3, "std": 1.5, "frechet": 26})


def test_style_gap_of_fewer_images_than_dimensions():
    """All four styles alike: the prior's variance is missing in every dimension."""
    assert content.style_gap(np.zeros((4, 8)))["frechet"] == pytest.approx(8)


def test_style_gap_bad_input():
    with pytest.raises(InputError, match="two images or more"):
        content.style_gap(np.zeros((1, 8)))
    with pytest.raises(InputError, match="not finite"):
        content.style_gap(np.full((3, 8), np.nan))
