"""FID and KID: distances of two sets of images, computed from their features."""

import numpy as np

from munit_tf.errors import InputError


def fid(features_x: np.ndarray, features_y: np.ndarray) -> float:
    """Frechet inception distance: the distance of Gaussians fitted to two sets of features.

    Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", NeurIPS 2017, equation 6:
    |m_x - m_y|^2 + tr(C_x + C_y - 2 (C_x C_y)^(1/2)), with the unbiased covariances.

    The formula is exact even for fewer images than dimensions. As an estimate it is biased upwards, and the
    bias grows as the number of images falls: compare only values from equal numbers of images.

    Args:
        features_x: [N,D], N at least 2.
        features_y: [M,D], M at least 2.

    Raises:
        InputError: fewer than two images, or values that are not finite.
    """
    x, y = _checked("FID", features_x, features_y)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    return frechet_distance(mean_x, _factor(x - mean_x, len(x) - 1), mean_y, _factor(y - mean_y, len(y) - 1))


def frechet_distance(
    mean_x: np.ndarray, factor_x: np.ndarray, mean_y: np.ndarray, factor_y: np.ndarray
) -> float:
    """Squared Frechet (2-Wasserstein) distance of two Gaussians.

    Args:
        mean_x: [D].
        factor_x: [K,D], any matrix A such that A^T A is the covariance.
        mean_y: [D].
        factor_y: [L,D], any matrix B such that B^T B is the covariance.
    """
    # The eigenvalues of C_x C_y = A^T A B^T B are the squared singular values of A B^T. This avoids the
    # square root of a matrix that is singular for fewer images than dimensions.
    root = np.linalg.svd(factor_x @ factor_y.T, compute_uv=False).sum()
    distance = np.sum((mean_x - mean_y) ** 2) + np.sum(factor_x**2) + np.sum(factor_y**2) - 2 * root
    return max(float(distance), 0.0)


def kid(
    features_x: np.ndarray,
    features_y: np.ndarray,
    num_subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> dict[str, float]:
    """Kernel inception distance: unbiased MMD^2 with the kernel (x.y / D + 1)^3, over random subsets.

    Binkowski et al., "Demystifying MMD GANs", ICLR 2018. It may be negative for similar sets.

    Args:
        features_x: [N,D], N at least 2.
        features_y: [M,D], M at least 2.
        num_subsets: number of subsets; each is drawn without replacement.
        subset_size: images per subset. If a set has fewer than twice as many, half of the smaller set
            (at least 2) is used, since overlapping subsets underestimate the standard deviation.
        seed: seed of the subsets.

    Returns:
        {"mean", "std" over the subsets, "subset_size" that was used}.

    Raises:
        InputError: fewer than two images, or values that are not finite.
    """
    x, y = _checked("KID", features_x, features_y)
    size = max(2, min(subset_size, min(len(x), len(y)) // 2))
    random = np.random.default_rng(seed)
    values = [
        mmd2(x[random.choice(len(x), size, replace=False)], y[random.choice(len(y), size, replace=False)])
        for _ in range(num_subsets)
    ]
    return {"mean": float(np.mean(values)), "std": float(np.std(values)), "subset_size": size}


def mmd2(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy with KID's kernel.

    Args:
        x: [N,D], N at least 2.
        y: [M,D], M at least 2.
    """
    return _mean_off_diagonal(_kernel(x, x)) + _mean_off_diagonal(_kernel(y, y)) - 2 * _kernel(x, y).mean()


def _kernel(x, y):
    return (x @ y.T / x.shape[1] + 1) ** 3


def _mean_off_diagonal(kernel):
    n = len(kernel)
    return (kernel.sum() - np.trace(kernel)) / (n * (n - 1))


def _factor(centered, degrees_of_freedom):
    """A matrix A with at most D rows such that A^T A is the covariance."""
    factor = centered / np.sqrt(degrees_of_freedom)
    return np.linalg.qr(factor, mode="r") if factor.shape[0] > factor.shape[1] else factor


def _checked(name, *sets):
    for features in sets:
        if len(features) < 2:
            raise InputError(f"{name} needs two images or more of each kind, and there is {len(features)}")
        if not np.all(np.isfinite(features)):
            raise InputError(f"{name}: features of an image are not finite: check the images for NaN")
    return [np.asarray(features, np.float64) for features in sets]
