"""What stays and what is guided: reconstruction, styles, and the known answers of `shapes`."""

import numpy as np

from munit_tf.errors import InputError
from munit_tf.metrics.fid import frechet_distance

NUM_HUE_BINS = 6
_RANGE = 2.0  # Of images in [-1, 1].


def reconstruction(images, reconstructed):
    """L1 and PSNR of each image, two arrays [N].

    Args:
        images: [N,H,W,3] in [-1, 1].
        reconstructed: the same again.

    Returns:
        (mean absolute difference, in units of [-1, 1]; PSNR in dB, infinite for equal images).
    """
    difference = np.asarray(images, np.float64) - reconstructed
    mse = np.mean(difference**2, axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        return np.mean(np.abs(difference), axis=(1, 2, 3)), 10 * np.log10(_RANGE**2 / mse)


def style_gap(styles):
    """How far encoded styles are from the prior N(0, I).

    Where the gap is large, random styles look good and guided ones bad, or the other way round.

    Args:
        styles: [N,style_dim], N at least 2.

    Returns:
        {"mean_norm": length of the mean, "covariance_distance": Frobenius norm of covariance - I,
        "std": mean standard deviation, "frechet": squared Frechet distance to N(0, I)}; for the prior
        itself 0, 0, 1 and 0.

    Raises:
        InputError: fewer than two styles, or values that are not finite.
    """
    styles = np.asarray(styles, np.float64)
    if len(styles) < 2:
        raise InputError("the gap between styles and the prior needs two images or more")
    if not np.all(np.isfinite(styles)):
        raise InputError("encoded styles are not finite: training has diverged")
    dim = styles.shape[1]
    mean, centred = styles.mean(axis=0), styles - styles.mean(axis=0)
    factor = centred / np.sqrt(len(styles) - 1)
    return {
        "mean_norm": float(np.linalg.norm(mean)),
        "covariance_distance": float(np.linalg.norm(factor.T @ factor - np.eye(dim))),
        "std": float(np.mean(styles.std(axis=0, ddof=1))),
        "frechet": frechet_distance(mean, factor, np.zeros(dim), np.eye(dim)),
    }


def content_iou(images, insides):
    """Intersection over union of what is not white with what should be filled, [N].

    Args:
        images: [N,H,W,3] in [-1, 1], on white; a pixel counts where a channel is below half.
        insides: bool [N,H,W].
    """
    coloured = np.min(images, axis=-1) < 0
    union = np.sum(coloured | insides, axis=(1, 2))
    return np.sum(coloured & insides, axis=(1, 2)) / np.maximum(union, 1)


def mean_hue(images, insides):
    """The circular mean of the hue inside, weighted by saturation: [N] in [0, 1).

    Args:
        images: [N,H,W,3] in [-1, 1].
        insides: bool [N,H,W].
    """
    hue, saturation = _hue_and_saturation((np.asarray(images, np.float64) + 1) / 2)
    vector = np.sum(saturation * insides * np.exp(2j * np.pi * hue), axis=(1, 2))
    return np.angle(vector) / (2 * np.pi) % 1


def hue_entropy(hues):
    """The entropy, in nats, of one input's outputs' hues over six bins; log 6 = 1.79 is the most.

    Args:
        hues: [outputs], in [0, 1).
    """
    share = np.histogram(hues, NUM_HUE_BINS, (0, 1))[0] / len(hues)
    share = share[share > 0]
    return float(-np.sum(share * np.log(share))) + 0.0


def hue_distance(x, y):
    """The distance of hues around the circle, in [0, 0.5]; 0.25 is chance."""
    distance = np.abs(np.asarray(x) - y) % 1
    return np.minimum(distance, 1 - distance)


class ShapesContent:
    """Collects blocks of fillings of outlines: whether they fill the outline, and with how many hues.

    Args:
        insides: bool [inputs,H,W], what to fill.
        num_outputs: outputs of each input that count.
    """

    def __init__(self, insides, num_outputs):
        self.num_outputs = num_outputs
        self._insides = insides
        self._ious = []
        self._hues = {}

    def add(self, block):
        """Takes a `sampling.Block`."""
        wanted = block.output_indices < self.num_outputs
        indices = block.input_indices[wanted]
        if not len(indices):
            return
        insides = self._insides[indices]
        self._ious.append(content_iou(block.outputs[wanted], insides))
        for index, hue in zip(indices, mean_hue(block.outputs[wanted], insides)):
            self._hues.setdefault(index, []).append(hue)

    def result(self):
        """The mean IoU, and with several outputs the mean over inputs of the entropy of hues."""
        ious = np.concatenate(self._ious)
        result = {"content_iou": float(ious.mean()), "outputs": len(ious)}
        if self.num_outputs > 1:
            result["hue_entropy"] = float(np.mean([hue_entropy(hues) for hues in self._hues.values()]))
        return result


def _hue_and_saturation(rgb):
    """Of [...,3] in [0, 1], as in colorsys; a grey pixel has hue 0 and saturation 0."""
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
