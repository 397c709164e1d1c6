"""LPIPS, and the published ways to pair outputs for it."""

import dataclasses
import itertools

import numpy as np
import tensorflow as tf

from munit_tf.errors import InputError

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_EPSILON = 1e-10
VERSIONS = ("0.0", "0.1")
SMALLEST_SIZE = 31  # In pixels, of height and width: AlexNet's pools need it.


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Which outputs of one input are compared.

    Attributes:
        num_outputs: how many outputs of each input are needed.
        pairs: tuple of (index, index) into them.
        source: where the protocol comes from.
    """

    num_outputs: int
    pairs: tuple
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
SINGLE_OUTPUT = Protocol(1, (), "one output of each input, which nothing pairs")


class LPIPS:
    """The learned perceptual distance of Zhang et al., CVPR 2018: (x, y) -> distances [N].

    Args:
        taps: the network that makes the five feature maps, `networks.pretrained.AlexNetFeatures` or
            `VGG16Features`.
        linear: its five linear weights, each [C].
        version: "0.1" shifts and scales images as the networks expect them; "0.0", which the figures of
            MUNIT and BicycleGAN are of, does not.
    """

    def __init__(self, taps, linear, version):
        if version not in VERSIONS:
            raise ValueError(f"LPIPS version {version!r}: must be one of {', '.join(VERSIONS)}")
        self._taps = taps
        self._linear = [tf.constant(weights, tf.float32) for weights in linear]
        self._version = version
        images = tf.TensorSpec([None, None, None, 3], tf.float32)
        self._distance = tf.function(self._of_tensors, input_signature=[images, images], autograph=False)

    def __call__(self, x, y):
        """Distances, a float32 array [N], of images x and y, each [N,H,W,3] in [-1, 1].

        Raises:
            InputError: images too small for the network's pools.
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


def size_problem(height, width):
    """Why LPIPS cannot look at images of this size, in pixels, in one line, or None."""
    if min(height, width) < SMALLEST_SIZE:
        return f"LPIPS needs images of {SMALLEST_SIZE} pixels or more; these are {height}x{width}"
    return None


def lpips_distance(features_x, features_y, linear):
    """LPIPS (Zhang et al., equation 1), [N], from feature maps.

    Args:
        features_x: list of [N,h,w,C], of one image each layer.
        features_y: the same of the other.
        linear: list of [C], the weights of the squared differences of features of unit length.
    """
    distance = 0.0
    for x, y, weights in zip(features_x, features_y, linear):
        difference = tf.math.squared_difference(_unit(x), _unit(y))
        per_place = tf.reduce_sum(difference * tf.cast(weights, x.dtype), axis=-1)
        distance += tf.reduce_mean(per_place, axis=[1, 2])
    return distance


def mean_absolute_difference(x, y):
    """L1 of images [N,...], the mean over pixels and channels: [N], in the images' units."""
    return np.mean(np.abs(x - y), axis=(1, 2, 3))


class PairDistances:
    """Collects blocks of outputs and measures distances within and to their inputs.

    It holds no more than one input's outputs that are still to be paired.

    Args:
        distance: function of images x and y [N,H,W,3] -> [N].
        protocol: a Protocol.
        batch_size: how many pairs to measure at once.
        to_input: whether to measure the distance of outputs to their input, too.
    """

    def __init__(self, distance, protocol, batch_size, to_input=True):
        self.num_outputs = protocol.num_outputs
        self._distance = distance
        self._protocol = protocol
        self._batch_size = batch_size
        self._to_input = to_input
        self._waiting = []
        self._within = []
        self._from_input = []

    def add(self, block):
        """Takes a `sampling.Block`."""
        wanted = block.output_indices < self.num_outputs
        if not wanted.any():
            return
        if self._to_input:
            self._from_input.append(self._distance(block.outputs[wanted], block.inputs[wanted]))
        for output in block.outputs[wanted]:
            self._waiting.append(output)
            if len(self._waiting) == self.num_outputs:
                self._measure_pairs()

    def result(self):
        """Means and counts of the distances between outputs, and from the input to outputs."""
        result = {}
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
            x, y = (np.stack([self._waiting[i] for i in indices]) for indices in (first, second))
            self._within.append(self._distance(x, y))
        self._waiting = []


def _unit(features):
    # The package adds epsilon to the norm, outside the root.
    return features / (tf.norm(features, axis=-1, keepdims=True) + _EPSILON)
