"""LPIPS, and published protocols for pairing outputs."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from munit_tf.errors import InputError
from munit_tf.metrics.sampling import Block
from munit_tf.networks.pretrained import AlexNetFeatures, VGG16Features

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_EPSILON = 1e-10
VERSIONS = ("0.0", "0.1")
SMALLEST_SIZE = 31  # Height and width in pixels that AlexNet's pools need.


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Which outputs of one input are compared.

    Attributes:
        num_outputs: number of outputs per input.
        pairs: pairs of indices of outputs.
        source: publication of the protocol.
    """

    num_outputs: int
    pairs: tuple[tuple[int, int], ...]
    source: str


PROTOCOLS = {
    "munit": Protocol(
        38,
        tuple((2 * i, 2 * i + 1) for i in range(19)),
        "MUNIT, section 5.2: 19 pairs of independent outputs of each of 100 inputs",
    ),
    "bicyclegan": Protocol(
        20,
        tuple((i, i + 1) for i in range(19)),
        "BicycleGAN's README: 20 samples of each of 100 inputs, consecutive ones",
    ),
    "stargan2": Protocol(
        10,
        tuple(itertools.combinations(range(10), 2)),
        "StarGAN v2: 10 outputs of each input, all 45 pairs",
    ),
}
SINGLE_OUTPUT = Protocol(1, (), "one output of each input, no pairs")


class LPIPS:
    """The learned perceptual distance of Zhang et al., CVPR 2018: (x, y) -> distances [N].

    Args:
        taps: the network that computes the five feature maps.
        linear: five linear weights, each [C].
        version: "0.1" normalizes images as the networks expect; "0.0", which MUNIT and BicycleGAN report,
            does not.
    """

    def __init__(
        self, taps: AlexNetFeatures | VGG16Features, linear: Sequence[np.ndarray], version: str
    ) -> None:
        if version not in VERSIONS:
            raise ValueError(f"LPIPS version {version!r}: must be one of {', '.join(VERSIONS)}")
        self._taps = taps
        self._linear = [tf.constant(weights, tf.float32) for weights in linear]
        self._version = version
        images = tf.TensorSpec([None, None, None, 3], tf.float32)
        self._distance = tf.function(self._of_tensors, input_signature=[images, images], autograph=False)

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Distances [N], float32, of images x and y, each [N,H,W,3] in [-1, 1].

        Raises:
            InputError: the images are too small for the network's pools.
        """
        if problem := size_problem(*x.shape[1:3]):
            raise InputError(problem)
        return self._distance(x, y).numpy()

    def _of_tensors(self, x, y):
        return lpips_distance(self._features(x), self._features(y), self._linear)

    def _features(self, images):
        if self._version == "0.1":
            images = (images - tf.constant(_SHIFT, images.dtype)) / tf.constant(_SCALE, images.dtype)
        return self._taps(images)


def size_problem(height: int, width: int) -> str | None:
    """Why LPIPS does not support images of this size in pixels, in one line, or None if it does."""
    if min(height, width) < SMALLEST_SIZE:
        return f"LPIPS needs images of {SMALLEST_SIZE} pixels or more; these are {height}x{width}"
    return None


def lpips_distance(
    features_x: Sequence[tf.Tensor], features_y: Sequence[tf.Tensor], linear: Sequence[tf.Tensor]
) -> tf.Tensor:
    """LPIPS (Zhang et al., equation 1), [N], from feature maps.

    Args:
        features_x: one map [N,h,w,C] per layer.
        features_y: one map [N,h,w,C] per layer.
        linear: per layer the weights [C] of the squared differences of normalized features.
    """
    distance = 0.0
    for x, y, weights in zip(features_x, features_y, linear):
        difference = tf.math.squared_difference(_unit(x), _unit(y))
        per_pixel = tf.reduce_sum(difference * tf.cast(weights, x.dtype), axis=-1)
        distance += tf.reduce_mean(per_pixel, axis=[1, 2])
    return distance


def mean_absolute_difference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """L1 distance [N] of images [N,H,W,C], mean over pixels and channels, in the images' units."""
    return np.mean(np.abs(x - y), axis=(1, 2, 3))


class PairDistances:
    """Measures distances between outputs of one input, and between outputs and inputs.

    It keeps the outputs of at most one input.

    Args:
        distance: function of images x and y, each [N,H,W,3] -> [N].
        protocol: which outputs to compare.
        batch_size: number of pairs per call of `distance`.
        to_input: whether to also measure the distance of outputs to their input.
    """

    def __init__(
        self,
        distance: Callable[[np.ndarray, np.ndarray], np.ndarray],
        protocol: Protocol,
        batch_size: int,
        to_input: bool = True,
    ) -> None:
        self.num_outputs = protocol.num_outputs
        self._distance = distance
        self._protocol = protocol
        self._batch_size = batch_size
        self._to_input = to_input
        self._unpaired: list[np.ndarray] = []
        self._within: list[np.ndarray] = []
        self._from_input: list[np.ndarray] = []

    def add(self, block: Block) -> None:
        """Measures the outputs of a block; the outputs of an input must be consecutive."""
        selected = block.output_indices < self.num_outputs
        if not selected.any():
            return
        if self._to_input:
            self._from_input.append(self._distance(block.outputs[selected], block.inputs[selected]))
        for output in block.outputs[selected]:
            self._unpaired.append(output)
            if len(self._unpaired) == self.num_outputs:
                self._measure_pairs()

    def result(self) -> dict[str, float]:
        """Mean and number of the distances between outputs, and of those between inputs and outputs."""
        result: dict[str, float] = {}
        if self._within:
            within = np.concatenate(self._within).astype(np.float64)
            result.update(between_outputs=float(within.mean()), pairs=len(within))
        if self._to_input:
            to_input = np.concatenate(self._from_input).astype(np.float64)
            result.update(input_to_output=float(to_input.mean()), outputs=len(to_input))
        return result

    def _measure_pairs(self):
        pairs = self._protocol.pairs
        for start in range(0, len(pairs), self._batch_size):
            first, second = zip(*pairs[start : start + self._batch_size])
            x, y = (np.stack([self._unpaired[i] for i in indices]) for indices in (first, second))
            self._within.append(self._distance(x, y))
        self._unpaired = []


def _unit(features):
    # The authors' package adds epsilon to the norm, outside the root.
    return features / (tf.norm(features, axis=-1, keepdims=True) + _EPSILON)
