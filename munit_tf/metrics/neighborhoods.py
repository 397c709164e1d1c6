"""Quality and diversity apart: precision and recall, density and coverage of sets of images, from features.

Each image of a set has a neighborhood: the ball around its features that reaches its k-th nearest neighbor in
the set.
"""

from __future__ import annotations

import numpy as np

from munit_tf.errors import InputError

_ROWS = 1000  # Of a matrix of distances in memory.


def precision_recall(real: np.ndarray, generated: np.ndarray, k: int = 3) -> dict[str, float]:
    """Precision: share of generated images in a neighborhood of a real one. Recall: the reverse.

    Kynkaanniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", NeurIPS 2019,
    equations 1 and 2.

    Args:
        real: features [N,D], N greater than `k`.
        generated: features [M,D], M greater than `k`.
        k: which nearest neighbor limits a neighborhood; the paper's is 3.

    Returns:
        {"precision", "recall"}, each in [0, 1].

    Raises:
        InputError: too few images, or values that are not finite.
    """
    real, generated = _checked(real, generated, k)
    return {
        "precision": float(np.mean(_neighborhoods_of(real, generated, k) > 0)),
        "recall": float(np.mean(_neighborhoods_of(generated, real, k) > 0)),
    }


def density_coverage(real: np.ndarray, generated: np.ndarray, k: int = 5) -> dict[str, float]:
    """Density: how many neighborhoods of real images a generated one is in, divided by `k`.

    Coverage: share of real images with a generated one in their neighborhood. Naeem et al., "Reliable
    Fidelity and Diversity Metrics for Generative Models", ICML 2020, section 3. An outlier among the real
    images raises precision more than density; one among the generated images raises recall, not coverage.

    Args:
        real: features [N,D], N greater than `k`.
        generated: features [M,D], M greater than `k`.
        k: which nearest neighbor limits a neighborhood; the paper's is 5.

    Returns:
        {"density", which can exceed 1, "coverage", in [0, 1]}.

    Raises:
        InputError: too few images, or values that are not finite.
    """
    real, generated = _checked(real, generated, k)
    radii = _radii(real, k)
    nearest = np.concatenate([d.min(1) for _, d in _distances(real, generated)])
    return {
        "density": float(np.mean(_neighborhoods_of(real, generated, k)) / k),
        "coverage": float(np.mean(nearest <= radii)),
    }


def _neighborhoods_of(centers, points, k):
    """For each point, how many of the centers' neighborhoods it is in."""
    radii = _radii(centers, k)
    return np.concatenate([np.sum(d <= radii, axis=1) for _, d in _distances(points, centers)])


def _radii(x, k):
    """Squared distances to the k-th nearest neighbor in the same set."""
    radii = []
    for rows, distances in _distances(x, x):
        distances[np.arange(len(distances)), rows] = np.inf  # An image is not its own neighbor.
        radii.append(np.partition(distances, k - 1, axis=1)[:, k - 1])
    return np.concatenate(radii)


def _distances(x, y):
    """(indices of rows, squared distances [rows, len(y)]) for successive rows of x."""
    squares = np.sum(y**2, axis=1)
    for start in range(0, len(x), _ROWS):
        part = x[start : start + _ROWS]
        distances = np.sum(part**2, axis=1)[:, np.newaxis] + squares - 2 * part @ y.T
        yield np.arange(start, start + len(part)), np.maximum(distances, 0)


def _checked(real, generated, k):
    for features in (real, generated):
        if len(features) <= k:
            raise InputError(f"needs more than {k} images of each kind, and there are {len(features)}")
        if not np.all(np.isfinite(features)):
            raise InputError("features of an image are not finite: check the images for NaN")
    return np.asarray(real, np.float64), np.asarray(generated, np.float64)
