"""Spherical interpolation against values worked out by hand."""

import numpy as np

from munit_tf.inference.interpolation import slerp


def test_quarter_turn():
    half = np.sqrt(0.5)
    np.testing.assert_allclose(slerp([1, 0], [0, 1], 3), [[1, 0], [half, half], [0, 1]], atol=1e-7)


def test_thirds_of_a_quarter_turn_of_another_length():
    """Steps of 30 degrees on a circle of radius 2."""
    expected = [[2, 0], [np.sqrt(3), 1], [1, np.sqrt(3)], [0, 2]]
    np.testing.assert_allclose(slerp([2, 0], [0, 2], 4), expected, atol=1e-6)


def test_ends_of_other_lengths_stay_exactly():
    """An angle of 60 degrees: half-way is (a + b) sin 30 / sin 60."""
    a, b = [1.0, 0.0], [1.5, 1.5 * np.sqrt(3)]
    codes = slerp(a, b, 3)
    np.testing.assert_array_equal(codes[[0, 2]], np.float32([a, b]))
    np.testing.assert_allclose(codes[1], [2.5 / np.sqrt(3), 1.5], atol=1e-6)


def test_straight_where_there_is_no_one_arc():
    np.testing.assert_allclose(slerp([1, 2], [3, 6], 3), [[1, 2], [2, 4], [3, 6]], atol=1e-6)
    np.testing.assert_allclose(slerp([1], [-3], 3), [[1], [-1], [-3]], atol=1e-6)
    np.testing.assert_allclose(slerp([0, 0], [0, 2], 3), [[0, 0], [0, 1], [0, 2]], atol=1e-6)


def test_type():
    assert slerp([1, 0], [0, 1], 2).dtype == np.float32
