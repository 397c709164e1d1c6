"""Random changes of the images that discriminators see."""

import numpy as np
import pytest
import tensorflow as tf

from munit_tf.models import augmentation

# Normal draws with these probabilities below them: the uniform draws.
NORMAL_OF = {0.0: -9.0, 0.25: -0.6744897501960817, 0.5: 0.0, 0.75: 0.6744897501960817, 1.0: 9.0}


def normals(*draws):
    """The random draws of one image: [1,IMAGES,DRAWS], the same for each of the IMAGES."""
    row = [NORMAL_OF[draw] for draw in draws]
    return tf.constant([[row] * augmentation.IMAGES], tf.float32)


def image(*rows):
    """[1,H,W,3] with equal channels."""
    return tf.constant(np.repeat(np.array(rows, "float32")[None, :, :, None], 3, axis=3))


def test_color_against_hand_worked_numbers():
    x = tf.constant([[[[0.0, 0.3, 0.6]], [[0.6, 0.3, 0.0]]]])
    # Brightness +0.25; mean of every pixel 0.55; saturation 0.5; mean of the image 0.55; contrast 1.5.
    result = augmentation.augment(x, ["color"], normals(0.75, 0.25, 1.0, 0.5, 0.5, 0.5, 0.5))
    expected = [[[[0.325, 0.55, 0.775]], [[0.775, 0.55, 0.325]]]]
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_draws_in_the_middle_change_no_color():
    x = tf.random.stateless_uniform([2, 4, 4, 3], [1, 2])
    draws = tf.zeros([2, augmentation.IMAGES, augmentation.DRAWS])
    np.testing.assert_allclose(augmentation.augment(x, ["color"], draws), x, atol=1e-6)


@pytest.mark.parametrize("draw, shift", [(0.0, -1), (0.5, 0), (1.0, 1)])
def test_translation_moves_whole_pixels(draw, shift):
    """Of 8 pixels, by at most 1."""
    x = np.arange(1, 65, dtype="float32").reshape(8, 8)
    down = augmentation.augment(image(*x), ["translation"], normals(0, 0, 0, draw, 0.5, 0, 0))[0, :, :, 0]
    right = augmentation.augment(image(*x), ["translation"], normals(0, 0, 0, 0.5, draw, 0, 0))[0, :, :, 0]
    for axis, moved in enumerate((down, right)):
        expected = np.roll(x, shift, axis).swapaxes(0, axis)
        if shift:
            expected[0 if shift > 0 else -1] = 0
        np.testing.assert_array_equal(moved, expected.swapaxes(0, axis))


def test_cutout_clears_half_of_each_side():
    x = np.ones((4, 6), "float32")
    middle = augmentation.augment(image(*x), ["cutout"], normals(0, 0, 0, 0, 0, 0.5, 0.5))[0, :, :, 0]
    expected = np.ones((4, 6))
    expected[1:3, 2:5] = 0
    np.testing.assert_array_equal(middle, expected)
    corner = augmentation.augment(image(*x), ["cutout"], normals(0, 0, 0, 0, 0, 0.0, 1.0))[0, :, :, 0]
    expected = np.ones((4, 6))
    expected[:1, 4:] = 0
    np.testing.assert_array_equal(corner, expected)


def test_every_image_of_a_batch_has_its_own_draws():
    """Row 1 of the second of two concatenated batches of 2 uses the draws [1, 1]."""
    draws = np.random.default_rng(0).standard_normal((2, augmentation.IMAGES, augmentation.DRAWS))
    draws = tf.constant(draws, tf.float32)
    x = tf.random.stateless_uniform([4, 16, 16, 3], [1, 2])
    result = augmentation.augment(x, list(augmentation.KINDS), draws)
    for row, (k, n) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        own = tf.repeat(draws[n, k][None, None], augmentation.IMAGES, axis=1)
        alone = augmentation.augment(x[row : row + 1], list(augmentation.KINDS), own)
        np.testing.assert_allclose(result[row : row + 1], alone, atol=1e-6)
    assert len({result[row].numpy().tobytes() for row in range(4)}) == 4


def test_gradient_reaches_the_images():
    x = tf.random.stateless_uniform([1, 8, 8, 3], [1, 2])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(
            augmentation.augment(x, ["translation", "cutout"], normals(0, 0, 0, 1.0, 0.5, 0.0, 0.0))
        )
    gradient = tape.gradient(y, x).numpy()[0, :, :, 0]
    expected = np.ones((8, 8))
    expected[-1] = 0  # Moved out of the image.
    expected[:1, :2] = 0  # Cut out, after the move by a row.
    np.testing.assert_array_equal(gradient, expected)
