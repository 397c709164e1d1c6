"""One fixed rule from floats to pixels; grids that a person can read."""

import numpy as np

from munit_tf.data import pictures


def test_to_uint8_is_round_of_x_plus_1_times_127_5():
    x = np.array([-1, -0.5, 0, 1 / 255, 0.5, 1, -1.2, 1.2])
    assert pictures.to_uint8(x).tolist() == [0, 64, 128, 128, 191, 255, 0, 255]


def test_every_byte_survives_the_way_there_and_back():
    pixels = np.arange(256)
    np.testing.assert_array_equal(pictures.to_uint8(pixels.astype("float32") / 127.5 - 1), pixels)


def test_no_contrast_stretch():
    dull = np.full((4, 4, 3), 0.1, "float32")
    assert (pictures.to_uint8(dull) == 140).all()


def test_grid_places_and_enlarges_cells_by_a_whole_number():
    red, blue = (np.full((40, 60, 3), -1, "float32") for _ in range(2))
    red[..., 0] = blue[..., 2] = 1
    grid = np.asarray(pictures.grid([[red, None], [blue, red]], ["first", "second"]))
    assert grid.shape == (22 + 2 * (120 + 4) + 4, 2 * (180 + 4) + 4, 3)
    first, second = slice(26, 146), slice(150, 270)
    left, right = slice(4, 184), slice(188, 368)
    assert (grid[first, left] == (255, 0, 0)).all()
    assert (grid[first, right] == 255).all()
    assert (grid[second, left] == (0, 0, 255)).all()
    assert (grid[second, right] == (255, 0, 0)).all()
    assert (grid[:22, left] < 100).any() and (grid[:22, right] < 100).any()  # Labels.


def test_large_images_keep_their_size():
    image = np.zeros((128, 100, 3), "float32")
    assert pictures.grid([[image]], ["x"]).size == (108, 22 + 132 + 4)
