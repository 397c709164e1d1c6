"""Metrics of content and style: reconstruction, encoded styles, and `shapes`, whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from munit_tf.errors import InputError
from munit_tf.metrics.fid import frechet_distance
from munit_tf.metrics.sampling import Block

NUM_HUE_BINS = 6
_VALUE_RANGE = 2.0  # Images are in [-1, 1].
_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601.
_CONSTANT = 1e-12


def reconstruction(images: np.ndarray, reconstructed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """L1 distance and PSNR of each image.

    Args:
        images: [N,H,W,3] in [-1, 1].
        reconstructed: [N,H,W,3] in [-1, 1].

    Returns:
        Two arrays [N]: mean absolute difference, in units of [-1, 1]; PSNR in dB, infinite for equal images.
    """
    difference = np.asarray(images, np.float64) - reconstructed
    mse = np.mean(difference**2, axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        return np.mean(np.abs(difference), axis=(1, 2, 3)), 10 * np.log10(_VALUE_RANGE**2 / mse)


def luminance(images: np.ndarray) -> np.ndarray:
    """Luminance [N,H,W] in [0, 1] of images [N,H,W,3] in [-1, 1]."""
    return (np.asarray(images, np.float64) + 1) / 2 @ np.array(_LUMINANCE)


def correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's correlation [N] of arrays [N,...] over all axes but the first; 0 if one is constant."""
    x, y = (each.reshape(len(each), -1) for each in (x, y))
    x, y = (each - each.mean(axis=1, keepdims=True) for each in (x, y))
    norms = np.sqrt(np.sum(x * x, axis=1) * np.sum(y * y, axis=1))
    return np.where(norms > _CONSTANT, np.sum(x * y, axis=1) / np.maximum(norms, _CONSTANT), 0.0)


def kept_content(inputs: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """How much of the edges of each input its output has, [N] in [-1, 1].

    Pearson's correlation of the lengths of the luminance's gradients, after a mean over 2 x 2 pixels. It is 1
    for the same edges, also if colors, contrast or the sign of edges differ, and about 0 for another image.
    It is 0 if an image has no edges. A shift of one pixel already counts.

    Args:
        inputs: [N,H,W,3] in [-1, 1], H and W at least 4.
        outputs: [N,H,W,3] in [-1, 1].
    """
    return correlation(_edges(inputs), _edges(outputs))


def style_gap(styles: np.ndarray) -> dict[str, float]:
    """The difference between the distribution of encoded styles and the prior N(0, I).

    If it is large, outputs with random styles look good and outputs with encoded styles bad, or vice versa.

    Args:
        styles: [N,style_dim], N at least 2.

    Returns:
        {"mean_norm": norm of the mean, "covariance_distance": Frobenius norm of covariance - I,
        "std": mean standard deviation, "frechet": squared Frechet distance to N(0, I)}. The prior
        itself has 0, 0, 1 and 0.

    Raises:
        InputError: fewer than two styles, or values that are not finite.
    """
    styles = np.asarray(styles, np.float64)
    if len(styles) < 2:
        raise InputError("the gap between styles and the prior needs two images or more")
    if not np.all(np.isfinite(styles)):
        raise InputError("encoded styles are not finite: training has diverged")
    dim = styles.shape[1]
    mean, centered = styles.mean(axis=0), styles - styles.mean(axis=0)
    factor = centered / np.sqrt(len(styles) - 1)
    return {
        "mean_norm": float(np.linalg.norm(mean)),
        "covariance_distance": float(np.linalg.norm(factor.T @ factor - np.eye(dim))),
        "std": float(np.mean(styles.std(axis=0, ddof=1))),
        "frechet": frechet_distance(mean, factor, np.zeros(dim), np.eye(dim)),
    }


def content_iou(images: np.ndarray, insides: np.ndarray) -> np.ndarray:
    """Intersection over union of the colored pixels and the pixels inside the outline, [N].

    Args:
        images: [N,H,W,3] in [-1, 1] on a white background; a pixel is colored if a channel is below 0.
        insides: bool [N,H,W], whether a pixel is inside the outline.
    """
    colored = np.min(images, axis=-1) < 0
    union = np.sum(colored | insides, axis=(1, 2))
    return np.sum(colored & insides, axis=(1, 2)) / np.maximum(union, 1)


def mean_hue(images: np.ndarray, insides: np.ndarray) -> np.ndarray:
    """Circular mean of the hues inside the outline, weighted by saturation: [N] in [0, 1).

    Args:
        images: [N,H,W,3] in [-1, 1].
        insides: bool [N,H,W], whether a pixel is inside the outline.
    """
    hue, saturation = _hue_and_saturation((np.asarray(images, np.float64) + 1) / 2)
    vector = np.sum(saturation * insides * np.exp(2j * np.pi * hue), axis=(1, 2))
    return np.angle(vector) / (2 * np.pi) % 1


def hue_entropy(hues: Sequence[float] | np.ndarray) -> float:
    """Entropy of the hues of one input's outputs over six bins, in nats, from 0 to log 6 = 1.79.

    Args:
        hues: [num_outputs], in [0, 1).
    """
    share = np.histogram(hues, NUM_HUE_BINS, (0, 1))[0] / len(hues)
    share = share[share > 0]
    return float(-np.sum(share * np.log(share))) + 0.0


def hue_distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Circular distance of hues, in [0, 0.5]; random hues have a mean distance of 0.25."""
    distance = np.abs(np.asarray(x) - y) % 1
    return np.minimum(distance, 1 - distance)


class ShapesContent:
    """Measures how well outputs fill the outlines of `shapes`, and the variety of their hues.

    Args:
        insides: bool [num_inputs,H,W], whether a pixel is inside the outline.
        num_outputs: number of outputs per input to use; further ones are ignored.
    """

    def __init__(self, insides: np.ndarray, num_outputs: int) -> None:
        self.num_outputs = num_outputs
        self._insides = insides
        self._ious: list[np.ndarray] = []
        self._hues: dict[int, list[float]] = {}

    def add(self, block: Block) -> None:
        """Measures the outputs of a block."""
        selected = block.output_indices < self.num_outputs
        indices = block.input_indices[selected]
        if not len(indices):
            return
        insides = self._insides[indices]
        self._ious.append(content_iou(block.outputs[selected], insides))
        for index, hue in zip(indices, mean_hue(block.outputs[selected], insides)):
            self._hues.setdefault(index, []).append(hue)

    def result(self) -> dict[str, float]:
        """The mean IoU, its number of outputs, and for several outputs per input the mean entropy of hues."""
        ious = np.concatenate(self._ious)
        result = {"content_iou": float(ious.mean()), "outputs": len(ious)}
        if self.num_outputs > 1:
            result["hue_entropy"] = float(np.mean([hue_entropy(hues) for hues in self._hues.values()]))
        return result


def _edges(images):
    """The length of the gradient of the luminance, [N,H-3,W-3]."""
    x = luminance(images)
    x = (x[:, :-1, :-1] + x[:, :-1, 1:] + x[:, 1:, :-1] + x[:, 1:, 1:]) / 4
    return np.hypot(x[:, 2:, 1:-1] - x[:, :-2, 1:-1], x[:, 1:-1, 2:] - x[:, 1:-1, :-2])


def _hue_and_saturation(rgb):
    """Hue and saturation [...] of [...,3] in [0, 1], as in colorsys; a gray pixel has 0 and 0."""
    most, least = rgb.max(axis=-1), rgb.min(axis=-1)
    chroma = most - least
    safe = np.where(chroma > 0, chroma, 1)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    sector = np.where(
        most == red,
        (green - blue) / safe % 6,
        np.where(most == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    return sector / 6 % 1, chroma / np.where(most > 0, most, 1)
