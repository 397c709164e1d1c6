"""Features of a fixed convolutional network with random weights: KID without pretrained weights.

Random features of images order sets of images by their distance much as pretrained ones do, if each feature
is standardized; they do not know objects. Their scale depends on the real images and the seed, so compare
only values with the same real images.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from munit_tf.metrics.fid import mmd2

# Luminance and two differences of colors, each in [-1, 1]: rows for R, G, B.
_OPPONENT = ((1 / 3, 1 / 2, -1 / 4), (1 / 3, -1 / 2, -1 / 4), (1 / 3, 0, 1 / 2))
_FIRST = 8  # The 3 x 3 filters that sum to zero have eight dimensions.
_SECOND = 32
_SCALES = 4
_SMALLEST = 8
_EPSILON = 1e-4
# Standardized features: the least standard deviation, and the largest absolute value.
_LEAST_STD = 0.01
_LARGEST = 5.0


class RandomFeatures:
    """Images [N,H,W,3] in [-1, 1] -> features [N,D]; D depends on the image size only.

    At the image's size and at half, a quarter and an eighth of it, as far as these have 8 pixels, it has the
    responses to random orthonormal 3 x 3 filters of the luminance and of two color differences; each filter
    sums to zero. Features are the logarithms of the responses' root mean squares, and the mean and standard
    deviation of 32 random orthonormal combinations of the responses: each is divided by its root mean square,
    and ReLU is applied before and after. Further features are the mean and standard deviation of the
    luminance and of the color differences.

    Args:
        seed: equal seeds give equal weights on every machine.
    """

    def __init__(self, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        first = np.zeros((3, 3, 3, 3 * _FIRST))
        for channel in range(3):
            constant = np.ones((1, 9))
            filters = _orthonormal(np.concatenate([constant, random.standard_normal((_FIRST, 9))]))[1:]
            first[:, :, channel, channel * _FIRST : (channel + 1) * _FIRST] = filters.T.reshape(3, 3, _FIRST)
        second = _orthonormal(random.standard_normal((_SECOND, 9 * 3 * _FIRST)))
        self.kernels = (
            first.astype(np.float32),
            second.T.reshape(3, 3, 3 * _FIRST, _SECOND).astype(np.float32),
        )
        self._compiled: dict[tuple[int, int], Any] = {}

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features [N,D] of images [N,H,W,3] in [-1, 1]."""
        height, width = images.shape[1:3]
        if (height, width) not in self._compiled:
            signature = [tf.TensorSpec([None, height, width, 3], tf.float32)]
            self._compiled[height, width] = tf.function(
                self._features, input_signature=signature, autograph=False
            )
        return self._compiled[height, width](images.astype(np.float32)).numpy()

    def _features(self, images: tf.Tensor) -> tf.Tensor:
        height, width = images.shape[1:3]
        factor = -(-_SMALLEST // min(height, width))
        x = tf.repeat(tf.repeat(images, factor, axis=1), factor, axis=2)
        x = tf.tensordot(x, tf.constant(_OPPONENT, tf.float32), 1)
        features = _moments(x)
        for scale in range(_SCALES):
            if scale:
                x = tf.nn.avg_pool2d(x, 2, 2, "VALID")
            features += self._texture(x)
            if min(x.shape[1:3]) < 2 * _SMALLEST:
                break
        return tf.concat(features, axis=-1)

    def _texture(self, x: tf.Tensor) -> list[tf.Tensor]:
        first, second = self.kernels
        maps = tf.nn.conv2d(x, first, 1, "VALID")
        size = tf.sqrt(tf.reduce_mean(maps**2, axis=[1, 2], keepdims=True) + _EPSILON)
        combined = tf.nn.relu(tf.nn.conv2d(tf.nn.relu(maps / size), second, 1, "VALID"))
        return [tf.math.log(size[:, 0, 0]), *_moments(combined)]


def standardized_kid(features_x: np.ndarray, features_y: np.ndarray) -> float:
    """The unbiased KID of features, each standardized by its mean and standard deviation in y.

    Without it, the few features with the largest values decide alone.

    Args:
        features_x: [N,D], N at least 2.
        features_y: [M,D] of the real images, M at least 2.
    """
    y = np.asarray(features_y, np.float64)
    mean, std = y.mean(axis=0), y.std(axis=0) + _LEAST_STD
    x, y = (np.clip((each - mean) / std, -_LARGEST, _LARGEST) for each in (features_x, y))
    return float(mmd2(x, y))


def _moments(x: Any) -> list[Any]:
    """[mean, standard deviation] over height and width, each [N,C]."""
    mean, variance = tf.nn.moments(x, axes=[1, 2])
    return [mean, tf.sqrt(variance + _EPSILON)]


def _orthonormal(rows: np.ndarray) -> np.ndarray:
    """Gram-Schmidt, without LAPACK, whose signs depend on the machine."""
    result: list[np.ndarray] = []
    for row in rows:
        for _ in range(2):  # Once more, against rounding.
            for other in result:
                row = row - other * np.sum(row * other)
        result.append(row / np.sqrt(np.sum(row * row)))
    return np.stack(result)
