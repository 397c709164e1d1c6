"""Distances from the true image, worked out by hand."""

import numpy as np

from munit_tf.metrics.lpips import mean_absolute_difference
from munit_tf.metrics.sampling import Block
from munit_tf.metrics.true_targets import DistanceToTarget


def gray(*levels):
    return np.array(levels, np.float32)[:, None, None, None] * np.ones((1, 2, 2, 3), np.float32)


def test_mean_and_best_output():
    """Targets 0 and 1; outputs 0.5, -0.25 (and one too many) of the first input, 1 and 0.5 of the second."""
    targets = gray(0, 1)
    meter = DistanceToTarget(mean_absolute_difference, lambda indices: targets[indices], 2)
    meter.add(Block(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 0]), None, gray(0.5, -0.25, 9, 1)))
    meter.add(Block(np.array([1]), np.array([2]), None, gray(9)))
    meter.add(Block(np.array([1]), np.array([1]), None, gray(0.5)))
    assert meter.result() == {
        "mean": (0.5 + 0.25 + 0 + 0.5) / 4,
        "best": (0.25 + 0) / 2,
        "inputs": 2,
        "outputs_per_input": 2,
    }
