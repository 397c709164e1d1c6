"""How much memory networks need at least, worked out before any of it is taken.

The weights are counted exactly. Of feature maps only those count that convolutions take or make, which is
less than what was measured: what would fit is never refused.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from munit_tf import machine
from munit_tf.config import MethodConfig, costly, one_of
from munit_tf.networks.counting import Count, counting

_WEIGHT = 4  # Bytes; float64 is for tests.
# How much of the feature maps a gradient keeps: kernels need convolutions' inputs, normalisations their outputs.
# Measured: 1.2 and more.
_KEPT = 1
# The same with --recompute or XLA. Measured: 0.5 and more.
_KEPT_LESS = 0.25
# How many times a convolution's input and output are there without a gradient. Measured: 1.9 and more.
_AT_ONCE = 1.5


@dataclasses.dataclass(frozen=True)
class Footprint:
    """How many numbers networks hold.

    Attributes:
        weights: all weights.
        trained: those that are trained.
        features: all that convolutions take or make which the generators' losses depend on.
        largest: the most that one convolution takes and makes.
    """

    weights: int
    trained: int
    features: int
    largest: int

    def step(self, number_size: int, recompute: bool) -> float:
        """Bytes that a training step needs at least, weights, gradients and Adam's moments included.

        Args:
            number_size: bytes of a number in a feature map.
            recompute: whether feature maps are made again for the gradient.
        """
        kept = _KEPT_LESS if recompute else _KEPT
        return _WEIGHT * (self.weights + 3 * self.trained) + number_size * kept * self.features


@functools.lru_cache(maxsize=64)
def footprint(model_class: type, config: MethodConfig, count: int, height: int, width: int) -> Footprint:
    """The Footprint of a method in training.

    Args:
        model_class: an AdversarialModel.
        config: its options.
        count: images of each domain in one step on one device.
        height: of the images, in pixels.
        width: the same.
    """
    with counting() as counted:
        model = model_class(config)
        _, losses = model.losses_of_zeros(count, height, width)
    wanted = [loss for name, loss in losses.items() if model.weight_of_term(name.split("/")[0])]
    convolutions = _convolutions(counted, wanted)
    maps = {x.ref(): x.shape.num_elements() for pair in convolutions for x in pair}
    return Footprint(counted.weights, counted.trained, sum(maps.values()), _largest(convolutions))


def check_networks(model_class: type, config: MethodConfig) -> None:
    """Refuses networks whose weights do not fit in memory.

    Args:
        model_class: an AdversarialModel.
        config: its options.

    Raises:
        InputError: they do not fit; it names the options that are larger than usual.
    """
    large = costly(config)
    if not large:  # The papers' networks have 0.3 GiB of weights at most.
        return
    size = config.smallest_size  # They are run once when they are made.
    found = footprint(model_class, config, 1, size, size)
    number_size = tf.as_dtype(keras.mixed_precision.global_policy().compute_dtype).size
    machine.require(
        _WEIGHT * found.weights + _AT_ONCE * number_size * found.largest,
        f"{' '.join(large.values())}: a model needs",
        f"lower {one_of(large)}",
    )


def check_translation(model: Any, count: int, height: int, width: int, remedy: str, what: str = "") -> None:
    """Refuses images that cannot be translated at once.

    Args:
        model: a Translator.
        count: how many images at once.
        height: of each, in pixels.
        width: the same.
        remedy: what to do about it.
        what: what asks for it, such as a file or a flag.

    Raises:
        InputError: they do not fit in memory.
    """
    numbers = _largest_per_pixel(type(model), model.config) * count * height * width
    images = f"{count} image{'s' if count > 1 else ''} of {height}x{width} pixels"
    machine.require(
        _AT_ONCE * tf.as_dtype(model.compute_dtype).size * numbers,
        f"{what}: translating {images} at once needs" if what else f"Translating {images} at once needs",
        remedy,
    )


@functools.lru_cache(maxsize=64)
def _largest_per_pixel(model_class: type, config: MethodConfig) -> float:
    """The most numbers that a convolution of a translation takes and makes, for each pixel of the image."""
    side = -(-config.smallest_input // config.size_multiple) * config.size_multiple
    with counting() as counted:
        model = model_class(config)
        images = tf.zeros([1, side, side, 3], model.result_dtype)
        translations = [model.translate(images, direction) for direction in model.directions]
    return _largest(_convolutions(counted, translations)) / side**2


def _convolutions(counted: Count, results: Iterable[tf.Tensor]) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """(input, output) of each convolution that the results depend on."""
    waiting, needed = [result.op for result in results], set()
    while waiting:
        operation = waiting.pop()
        if operation not in needed:
            needed.add(operation)
            waiting += [x.op for x in operation.inputs]
    convolutions = [each for each in needed if each.type == "Conv2D" and each.graph is counted.graph]
    return [(each.inputs[0], each.outputs[0]) for each in convolutions]


def _largest(convolutions: Iterable[tuple[tf.Tensor, tf.Tensor]]) -> int:
    """The most numbers that one of them takes and makes."""
    return max(x.shape.num_elements() + y.shape.num_elements() for x, y in convolutions)
