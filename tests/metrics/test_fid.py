"""FID and KID against closed forms and independent implementations."""

import numpy as np
import pytest
import scipy.linalg
from sklearn.metrics.pairwise import polynomial_kernel

from munit_tf.errors import InputError
from munit_tf.metrics.fid import fid, frechet_distance, kid, mmd2

rng = np.random.default_rng(5)
MANY = rng.standard_normal((60, 7)) @ rng.standard_normal((7, 7)), rng.standard_normal((45, 7)) + 0.5
# Fewer images than dimensions: both covariances are singular.
FEW = rng.standard_normal((6, 20)), 2 * rng.standard_normal((9, 20)) + 1
MIXED = rng.standard_normal((50, 20)), rng.standard_normal((9, 20))


def fid_by_square_root(x, y):
    """The textbook's way, with SciPy's matrix square root."""
    c_x, c_y = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    # For singular matrices sqrtm needs a little help, as in the original's script.
    offset = 1e-10 * np.eye(len(c_x))
    root = scipy.linalg.sqrtm((c_x + offset) @ (c_y + offset))
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(c_x + c_y) - 2 * np.trace(np.real(root))


@pytest.mark.parametrize("x, y", [MANY, FEW, MIXED], ids=["many", "fewer than dimensions", "mixed"])
def test_fid_is_that_by_a_matrix_square_root(x, y):
    assert fid(x, y) == pytest.approx(fid_by_square_root(x, y), rel=1e-4)
    assert fid(y, x) == pytest.approx(fid(x, y), rel=1e-9)
    assert fid(x, x) == pytest.approx(0, abs=1e-8)


def test_frechet_distance_of_axis_aligned_gaussians():
    """|m|^2 + sum (s - t)^2 = 9 + 16 + (1 - 4)^2 + (2 - 5)^2."""
    distance = frechet_distance(
        np.array([0.0, 0.0]), np.diag([1.0, 2.0]), np.array([3.0, -4.0]), np.diag([4.0, 5.0])
    )
    assert distance == pytest.approx(9 + 16 + 9 + 9)


def test_frechet_distance_of_rotated_gaussians():
    """Variances 1 and 9 along the axes against 9 and 1: 2 (1 - 3)^2. Turned by 90 degrees it is no nearer."""
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    narrow = np.diag([1.0, 3.0])
    assert frechet_distance(np.zeros(2), narrow, np.zeros(2), narrow @ turn) == pytest.approx(8)


def test_fid_by_hand():
    """Points -1, 1 and 3, 7: means 0 and 5, unbiased variances 2 and 8: 25 + (sqrt 2 - sqrt 8)^2 = 27."""
    assert fid([[-1.0], [1.0]], [[3.0], [7.0]]) == pytest.approx(27)


def test_identical_images():
    """No spread at all: the distance of the means."""
    assert fid(np.ones((5, 3)), np.full((4, 3), 3.0)) == pytest.approx(12)
    assert fid(np.ones((5, 3)), np.ones((4, 3))) == 0
    assert kid(np.ones((5, 3)), np.ones((4, 3)))["mean"] == pytest.approx(0, abs=1e-12)


def test_mmd2_by_hand():
    """One dimension, kernel (xy + 1)^3: x = 0, 1: k(0, 1) = 1; y = 1, 2: k = 27; across 1, 1, 8, 27."""
    assert mmd2(np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])) == pytest.approx(1 + 27 - 2 * 37 / 4)


def test_kid_is_that_of_scikit_learns_kernel():
    x, y = MANY

    def kernel(a, b):
        return polynomial_kernel(a, b, degree=3, gamma=None, coef0=1)

    expected = -2 * kernel(x, y).mean()
    for z in (x, y):
        k = kernel(z, z)
        expected += k[~np.eye(len(z), dtype=bool)].mean()
    assert mmd2(x, y) == pytest.approx(expected, rel=1e-12)


def test_kid_is_unbiased_over_subsets():
    """The mean over many subsets is the estimate from all; halves of one set are at 0."""
    x, y = rng.standard_normal((400, 5)), rng.standard_normal((300, 5)) + 0.3
    result = kid(x, y, num_subsets=400, subset_size=100, seed=1)
    assert result["subset_size"] == 100
    error = result["std"] / np.sqrt(400)
    assert abs(result["mean"] - mmd2(x, y)) < 5 * error
    halves = kid(x[:200], x[200:], num_subsets=50, subset_size=100)
    assert abs(halves["mean"]) < 0.2 * result["mean"]
    assert kid(x, y, seed=1) == kid(x, y, seed=1) != kid(x, y, seed=2)


def test_kid_of_few_images_uses_smaller_subsets():
    assert kid(rng.standard_normal((30, 4)), rng.standard_normal((20, 4)))["subset_size"] == 10
    assert kid(rng.standard_normal((2, 4)), rng.standard_normal((3, 4)))["subset_size"] == 2


@pytest.mark.parametrize("metric, name", [(fid, "FID"), (kid, "KID")])
def test_bad_input(metric, name):
    good = rng.standard_normal((5, 3))
    with pytest.raises(InputError, match=f"{name} needs two images or more of each kind, and there is 1"):
        metric(good, good[:1])
    with pytest.raises(InputError, match="there is 0"):
        metric(good[:0], good)
    broken = good.copy()
    broken[2, 1] = np.nan
    with pytest.raises(InputError, match="not finite"):
        metric(broken, good)
