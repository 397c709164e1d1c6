"""Inverted brightness and blobs, in images made here and in real photos."""

import pathlib

import numpy as np
import pytest

from munit_tf.data import pipeline, sources
from munit_tf.metrics import artifacts

PHOTOS = pathlib.Path("/work/shared/data/summer2winter")


def test_luminance_correlation_by_hand():
    """Luminances 0 0 1 1 and 0 1 0 1 are not correlated; green counts 0.587 and red 0.299."""
    first = np.array([0, 0, 1, 1]).reshape(1, 2, 2, 1) * np.ones(3)
    second = np.array([0, 1, 0, 1]).reshape(1, 2, 2, 1) * np.ones(3)
    red_green = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]]).reshape(1, 2, 2, 3)
    flat = np.full((1, 2, 2, 3), 0.3)
    pairs = [(first, 2 * first - 1), (first, -first), (first, second), (first, red_green), (first, flat)]
    found = [artifacts.luminance_correlation(x, y)[0] for x, y in pairs]
    np.testing.assert_allclose(found, [1, -1, 0, 1, 0], atol=1e-9)


def test_blob_contrasts_by_hand():
    """A square of 3 x 3 pixels, an edge and a line, each from luminance 0 to 1, and a blue square."""
    images = np.full((5, 32, 40, 3), -1.0)
    images[0, 10:13, 20:23] = 1
    images[1] = -images[0]
    images[2, :, 20:] = 1
    images[3, :, 20:23] = 1
    images[4, 10:13, 20:23, 2] = 1
    expected = [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0], [0.114, 0, 1]]
    np.testing.assert_allclose(artifacts.blob_contrasts(images), expected, atol=1e-9)
    # Four times as large, they are reduced before; an image may also be too small for a blob.
    large = images.repeat(4, axis=1).repeat(4, axis=2)
    np.testing.assert_allclose(artifacts.blob_contrasts(large[:, :, :100])[2:4], 0, atol=1e-9)
    np.testing.assert_allclose(artifacts.blob_contrasts(large)[0], [1, 0, 0], atol=1e-9)
    assert artifacts.blob_contrasts(images[:, :8, :8]).tolist() == [[0, 0, 0]] * 5


def test_share_of_images_with_blobs_by_hand():
    """95 % of the real images have at most 0.4, 0.1 and 0.2: limits 0.44, 0.2 and 0.22."""
    real = np.tile([0.4, 0.1, 0.2], (100, 1))
    real[:2] = 0.9
    found = np.array([[0.45, 0.19, 0.21], [0.43, 0.19, 0.23], [0.43, 0.19, 0.23], [0.43, 0.19, 0.21]])
    assert artifacts.blob_share(found, real) == 0.5
    assert artifacts.blob_share(real, real) == 0.02


def with_disks(images, color):
    """Images with a disk of 4 % of the height somewhere in each."""
    rng, result = np.random.default_rng(0), images.copy()
    rows, columns = np.mgrid[: images.shape[1], : images.shape[2]]
    for image in result:
        row, column = rng.uniform(0.2, 0.8, 2) * images.shape[1:3]
        image[np.hypot(rows - row, columns - column) < 0.04 * images.shape[1]] = color
    return result


def test_photos_have_none_until_they_are_added():
    if not PHOTOS.exists():
        pytest.skip(f"there is no {PHOTOS}")
    winter, winter_2, summer = (
        pipeline.load_images(
            sources.list_images(str(PHOTOS / name)), range(60), resize=64, image_size=(64, 64)
        )
        for name in ("testB", "trainB", "testA")
    )
    real = artifacts.blob_contrasts(winter)
    shares = [
        artifacts.blob_share(artifacts.blob_contrasts(images), real)
        for images in (winter_2, summer, with_disks(summer, (1, 1, 1)), with_disks(summer, (1, -1, -1)))
    ]
    assert max(shares[:2]) < 0.15 and min(shares[2:]) > 0.5, shares
    assert np.median(artifacts.luminance_correlation(summer, winter)) > 0
