"""Two known failures of translators: inverted brightness, and blobs."""

from __future__ import annotations

import numpy as np

from munit_tf.metrics.content import correlation, luminance

_BLOB_SIDE = 64  # Images are first reduced to about this shorter side, in pixels.
_BLOB_WIDTHS = (3, 5)
_GAP = 1
_QUANTILE = 0.95
_MARGIN = 1.1
_LEAST_CONTRAST = 0.2


def luminance_correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's correlation of the luminance of images over their pixels, [N] in [-1, 1].

    It is -1 for an image and its negative, and 0 if an image has only one luminance.

    Args:
        x: [N,H,W,3] in [-1, 1].
        y: [N,H,W,3] in [-1, 1].
    """
    return correlation(luminance(x), luminance(y))


def blob_contrasts(images: np.ndarray) -> np.ndarray:
    """The strongest contrast of a small isolated region in each image, [N,3], at least 0 and at most 1.

    For images whose shorter side is reduced to 64 pixels: the mean of a square of 3 or 5 pixels, minus the
    highest (or lowest) mean of the eight squares around it. Edges and lines have none. The columns are
    brighter regions, darker regions, and more saturated regions. Regions at the border do not count.

    Args:
        images: [N,H,W,3] in [-1, 1].
    """
    rgb = (np.asarray(images, np.float64) + 1) / 2
    maps = _reduced(np.stack([luminance(images), rgb.max(axis=-1) - rgb.min(axis=-1)], axis=-1))
    contrasts = np.zeros((len(images), 3))
    for width in _BLOB_WIDTHS:
        step = width + _GAP
        if min(maps.shape[1:3]) >= width + 2 * step:
            contrasts = np.maximum(contrasts, _contrasts(_box_means(maps, width), step))
    return contrasts


def blob_share(contrasts: np.ndarray, real: np.ndarray) -> float:
    """The share of images with a region of more contrast than 95 % of the real images have.

    It must exceed that contrast by a tenth, and exceed 0.2. For each kind of region on its own; the result is
    the largest of the three shares.

    Args:
        contrasts: [N,3], `blob_contrasts` of the images.
        real: [M,3], those of real images of the same domain.
    """
    limits = np.maximum(_MARGIN * np.quantile(real, _QUANTILE, axis=0), _LEAST_CONTRAST)
    return float(np.max(np.mean(contrasts > limits, axis=0)))


def _reduced(maps):
    """Maps [N,H,W,C] reduced by an integer factor, by averaging."""
    count, height, width, channels = maps.shape
    factor = max(1, min(height, width) // _BLOB_SIDE)
    rows, columns = height // factor, width // factor
    cells = maps[:, : rows * factor, : columns * factor]
    return cells.reshape(count, rows, factor, columns, factor, channels).mean(axis=(2, 4))


def _box_means(maps, width):
    """Means of all squares of `width` pixels: [N,H,W,C] -> [N,H-width+1,W-width+1,C]."""
    sums = np.pad(maps, ((0, 0), (1, 0), (1, 0), (0, 0))).cumsum(axis=1).cumsum(axis=2)
    inner = sums[:, width:, width:] - sums[:, :-width, width:] - sums[:, width:, :-width]
    return (inner + sums[:, :-width, :-width]) / width**2


def _contrasts(means, step):
    """[N,3] of means [N,H,W,2] of luminance and saturation; `step`: pixels to the squares around."""
    rows, columns = (np.arange(step, side - step) for side in means.shape[1:3])
    offsets = [(dy, dx) for dy in (-step, 0, step) for dx in (-step, 0, step) if dy or dx]
    around = [
        means[:, rows[0] + dy : rows[-1] + dy + 1, columns[0] + dx : columns[-1] + dx + 1]
        for dy, dx in offsets
    ]
    center = means[:, step:-step, step:-step]
    above = np.max(center - np.max(around, axis=0), axis=(1, 2))
    below = np.max(np.min(around, axis=0) - center, axis=(1, 2))
    return np.maximum(np.stack([above[:, 0], below[:, 0], above[:, 1]], axis=1), 0)
