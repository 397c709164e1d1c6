"""Random features: the same everywhere, and KID in them orders sets of images."""

import numpy as np
import pytest

from munit_tf.metrics.random_features import RandomFeatures, standardized_kid


def scenes(count, seed, texture, tint):
    """Smooth random fields [count,32,40,3] in [-1, 1], as photos are: energy falls with frequency."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(32)[:, np.newaxis], np.fft.fftfreq(40)) + 0.02
    spectrum = np.fft.fft2(rng.standard_normal((count, 3, 32, 40))) / frequency**texture
    fields = np.moveaxis(np.fft.ifft2(spectrum).real, 1, 3)
    fields /= fields.std(axis=(1, 2, 3), keepdims=True) * 4
    bright = np.exp(3 * fields[..., :1] - 1.5) * rng.uniform(0.7, 1.3, (count, 1, 1, 1))
    return np.clip(bright + 0.1 * fields + tint - 0.8, -1, 1)


def blurred(images):
    return sum(np.roll(images, (dy, dx), (1, 2)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)) / 9


def test_kid_orders_sets_of_images():
    features = RandomFeatures()
    winter = scenes(160, 0, 1.4, np.array([0.1, 0.15, 0.3]))
    real = features(winter[:80])

    def distance(images):
        return standardized_kid(features(images), real)

    same = distance(winter[80:])
    other = distance(scenes(80, 1, 1.5, np.array([0.05, 0.15, 0.2])))
    noisy = np.clip(winter[80:] + np.random.default_rng(2).normal(0, 0.2, winter[80:].shape), -1, 1)
    spoiled = [distance(blurred(winter[80:])), distance(noisy), distance(-winter[80:])]
    assert abs(same) < other / 4 and other < min(spoiled) / 1.5


def test_weights_are_those_of_every_machine():
    first, second = RandomFeatures().kernels
    assert first.shape == (3, 3, 3, 24) and second.shape == (3, 3, 24, 32)
    np.testing.assert_allclose(first[0, 0, 0, :3], [-0.05850167, -0.23062378, -0.1338884], rtol=1e-5)
    np.testing.assert_allclose(second[0, 0, 0, :3], [-0.00046602, 0.06597353, -0.00355352], rtol=1e-4)
    # Luminance and each color have filters of their own, which no flat image passes.
    np.testing.assert_allclose(first.sum(axis=(0, 1)), 0, atol=1e-6)
    assert not first[:, :, 0, 8:].any() and not first[:, :, 2, :16].any()
    flat = second.reshape(-1, 32)
    np.testing.assert_allclose(flat.T @ flat, np.eye(32), atol=1e-6)


def test_sizes():
    features = RandomFeatures()
    images = np.random.default_rng(0).uniform(-1, 1, (2, 8, 20, 3))
    assert features(images).shape == (2, 6 + 24 + 64)
    assert features(images[:, :4]).shape == (2, 6 + 24 + 64)
    large = np.random.default_rng(0).uniform(-1, 1, (2, 64, 72, 3))
    assert features(large).shape == (2, 6 + 4 * (24 + 64))
    np.testing.assert_allclose(features(large)[1:], features(large[1:]), rtol=1e-4, atol=1e-5)


def test_kid_is_that_of_the_paper_after_standardization():
    """Binkowski et al. 2018, equation 4 with the kernel of section 3.1, in loops."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(1, 2, (5, 3)), rng.normal(0, 3, (4, 3))
    x[0, 0] = 1e9  # Counts as five standard deviations.
    mean, std = [sum(y[:, k]) / 4 for k in range(3)], []
    for k in range(3):
        std.append((sum((y[i, k] - mean[k]) ** 2 for i in range(4)) / 4) ** 0.5 + 0.01)

    def standard(row):
        return [min(max((row[k] - mean[k]) / std[k], -5), 5) for k in range(3)]

    def kernel(u, v):
        return (sum(a * b for a, b in zip(standard(u), standard(v))) / 3 + 1) ** 3

    within_x = sum(kernel(x[i], x[j]) for i in range(5) for j in range(5) if i != j) / 20
    within_y = sum(kernel(y[i], y[j]) for i in range(4) for j in range(4) if i != j) / 12
    across = sum(kernel(u, v) for u in x for v in y) / 20
    assert standardized_kid(x, y) == pytest.approx(within_x + within_y - 2 * across, rel=1e-9)
