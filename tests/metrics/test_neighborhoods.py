"""Precision, recall, density and coverage of points on a line, worked out by hand."""

import numpy as np
import pytest

from munit_tf.errors import InputError
from munit_tf.metrics import neighborhoods
from munit_tf.metrics.neighborhoods import density_coverage, precision_recall


def line(*places):
    return np.array(places, float)[:, np.newaxis]


def test_neighborhoods_on_a_line():
    """Radii for k = 1: of the real points 1, 1, 1, 6 (the last is an outlier); of the others 1, 1, 10."""
    real, generated = line(0, 1, 2, 8), line(3, 4, 14)
    # 3 is in the balls of 2 and 8, 4 and 14 in that of 8 alone.
    # Of the real points, 2 is in the ball of 3; 8 is in that of 14, which 4 is the nearest neighbor of.
    assert precision_recall(real, generated, k=1) == {"precision": 1, "recall": 2 / 4}
    # The balls of 2 and 8 hold generated points.
    assert density_coverage(real, generated, k=1) == {"density": (2 + 1 + 1) / 3, "coverage": 2 / 4}


def test_the_second_neighbor():
    """Radii for k = 2: real 2, 1, 2, 7; generated 11, 10, 11."""
    real, generated = line(0, 1, 2, 8), line(3, 4, 14)
    assert precision_recall(real, generated, k=2) == {"precision": 1, "recall": 1}
    # 3: the balls of 2 and 8; 4: of 2 and 8; 14: of 8.
    assert density_coverage(real, generated, k=2) == {"density": 5 / 3 / 2, "coverage": 2 / 4}


def test_equal_sets_and_sets_far_apart():
    x = np.random.RandomState(0).randn(60, 8)
    assert precision_recall(x, x) == {"precision": 1, "recall": 1}
    assert density_coverage(x, x)["coverage"] == 1
    nothing = {"precision": 0, "recall": 0, "density": 0, "coverage": 0}
    assert {**precision_recall(x, x + 100), **density_coverage(x, x + 100)} == nothing


def test_quality_without_diversity_and_the_reverse():
    """Copies of few real images are precise and cover little; noise around all of them is the reverse."""
    random = np.random.RandomState(1)
    real = random.randn(200, 4)
    few = real[:5].repeat(40, axis=0) + random.randn(200, 4) * 1e-3
    scattered = random.randn(200, 4) * 4
    precise, diverse = precision_recall(real, few), precision_recall(real, scattered)
    assert precise["precision"] == 1 and precise["recall"] < 0.1 < 0.9 < diverse["recall"]
    assert diverse["precision"] < 0.5
    assert density_coverage(real, few)["coverage"] < 0.2


def test_parts_of_the_distances_change_nothing(monkeypatch):
    random = np.random.RandomState(2)
    x, y = random.randn(50, 3), random.randn(70, 3) + 0.5
    whole = precision_recall(x, y), density_coverage(x, y)
    monkeypatch.setattr(neighborhoods, "_ROWS", 7)
    assert (precision_recall(x, y), density_coverage(x, y)) == whole


@pytest.mark.parametrize("function", [precision_recall, density_coverage])
def test_bad_input(function):
    with pytest.raises(InputError, match="more than 3 images of each kind, and there are 3"):
        function(np.zeros((3, 2)), np.zeros((9, 2)), k=3)
    with pytest.raises(InputError, match="not finite"):
        function(np.full((9, 2), np.nan), np.zeros((9, 2)))
