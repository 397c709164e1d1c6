"""The edges of photos as drawings: domain a of a model that makes photos from sketches.

Edges are found as by Canny, "A Computational Approach to Edge Detection" (1986), with two differences. The
gradient is that of the colors (Di Zenzo, "A Note on the Gradient of a Multi-Image", 1986): a red flower on
green leaves of the same brightness has an outline. And the thresholds depend on the photo's own contrast.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from munit_tf.data.resizing import resize_shorter
from munit_tf.data.sources import Source
from munit_tf.errors import InputError

# Chosen by looking at drawings of 64, 128 and 256 pixels. Lengths are fractions of the shorter side.
_SMOOTHING = 0.01
_LEAST_SMOOTHING = 1.0  # In pixels.
_SHORTEST_EDGE = 0.1
# An edge has a pixel above the strong threshold, and continues while its pixels are above the weak one.
_STRONG = 0.7  # Of the 95th percentile.
_PERCENTILE = 0.95
_LEAST_STRONG = 0.05  # The edge between levels that differ by about 32 of 255 in one channel.
_WEAK = 0.4  # Of the strong threshold.
# Lines of one pixel become black with gray sides.
_PEN_SIGMA, _PEN_INK = 0.6, 1.5


class Edges:
    """A source of drawings: the edges of another source's photos, computed at each access.

    Args:
        photos: the photos; they may be any source.
        resize: the shorter side of photos and drawings in training, in pixels. Edges are computed at this
            size, so lines are one or two pixels wide.
    """

    def __init__(self, photos: Source, resize: int):
        self._photos = photos
        self._resize = resize

    def __len__(self) -> int:
        """The number of images."""
        return len(self._photos)

    def __getitem__(self, index: int) -> Image.Image:
        """The edges of photo `index`: RGB, black on white, with a shorter side of `resize` pixels.

        Raises:
            InputError: the photo cannot be decoded, or is too long and thin to be resized.
        """
        photo = self._photos[index]
        try:
            return draw_edges(resize_shorter(photo, self._resize))
        except InputError as error:
            raise InputError(f"{self._photos.name(index)}: {error}") from error

    def name(self, index: int) -> str:
        """The name of photo `index`, for messages."""
        return f"{self._photos.name(index)} (edges)"


def draw_edges(photo: Image.Image) -> Image.Image:
    """Draws the edges of a photo.

    Args:
        photo: RGB image.

    Returns:
        RGB image of the same size: black lines, one or two pixels wide, on white. A photo without contrast
        gives a white image.
    """
    from scipy import ndimage

    side = min(photo.size)
    lines = _long_edges(*_ridges(photo, max(_LEAST_SMOOTHING, _SMOOTHING * side)), _SHORTEST_EDGE * side)
    ink = _PEN_INK * ndimage.gaussian_filter(lines.astype(np.float32), _PEN_SIGMA, truncate=2)
    gray = np.rint(255 * (1 - np.minimum(ink, 1))).astype(np.uint8)
    return Image.fromarray(gray).convert("RGB")


def _ridges(photo: Image.Image, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the color changes most.

    Args:
        photo: RGB image.
        sigma: standard deviation of the Gaussian that smooths it, in pixels.

    Returns:
        (ridges, strong): bool [H,W], the pixels above the weak threshold at which the gradient is largest
        along its own direction; and bool [H,W], the pixels above the strong threshold.
    """
    from scipy import ndimage

    planes = np.asarray(photo).astype(np.float32).transpose(2, 0, 1) / np.float32(255)
    dx = ndimage.gaussian_filter(planes, (0, sigma, sigma), order=(0, 0, 1))
    dy = ndimage.gaussian_filter(planes, (0, sigma, sigma), order=(0, 1, 0))
    xx, yy, xy = (dx * dx).sum(0), (dy * dy).sum(0), (dx * dy).sum(0)
    change = np.sqrt((xx + yy + np.hypot(xx - yy, 2 * xy)) / 2) * np.float32(sigma)
    strong = max(_LEAST_STRONG, _STRONG * float(np.quantile(change, _PERCENTILE)))
    y, x = np.nonzero(change > _WEAK * strong)
    angle = np.arctan2(2 * xy[y, x], xx[y, x] - yy[y, x]) / 2
    ahead, behind = (
        ndimage.map_coordinates(
            change, (y + step * np.sin(angle), x + step * np.cos(angle)), order=1, mode="nearest"
        )
        for step in (1, -1)
    )
    ridges = np.zeros(change.shape, bool)
    ridges[y, x] = (change[y, x] >= ahead) & (change[y, x] > behind)
    return ridges, change > strong


def _long_edges(ridges: np.ndarray, strong: np.ndarray, shortest: float) -> np.ndarray:
    """Removes the connected ridges that have fewer than `shortest` pixels, or none that is strong.

    Args:
        ridges: bool [H,W].
        strong: bool [H,W].
        shortest: in pixels.

    Returns:
        bool [H,W].
    """
    from scipy import ndimage

    labels, count = ndimage.label(ridges, np.ones((3, 3)))
    kept = np.bincount(labels.ravel(), minlength=count + 1) >= shortest
    kept &= np.bincount(labels[strong], minlength=count + 1) > 0
    kept[0] = False  # The background.
    return kept[labels]
