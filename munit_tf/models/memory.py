"""How much memory networks need at least, worked out before any of it is taken.

The weights are counted exactly. Feature maps are estimated from the outputs of the convolutions, lower than
what was measured: what would fit is never refused.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from munit_tf import machine
from munit_tf.config import MethodConfig, costly
from munit_tf.networks.counting import Count, counting

# How many times the outputs of all convolutions are kept for a gradient: a normalisation keeps its input, and
# the next convolution its own. Measured: 2.5 and more.
_KEPT = 2
# The same with --recompute or XLA. Measured: 1.1 and more.
_KEPT_LESS = 0.5
# How many times the largest output of a convolution is there without a gradient. Measured: 4 and more.
_AT_ONCE = 3


@dataclasses.dataclass(frozen=True)
class Footprint:
    """What networks need, in bytes.

    Attributes:
        weights: all weights.
        trained: the weights that are trained; a step needs as much again for their gradients, and twice as
            much for Adam's moments.
        features: outputs of all convolutions that the generators' losses depend on.
        largest: the largest output of a convolution among them.
    """

    weights: int
    trained: int
    features: int
    largest: int

    def step(self, recompute: bool) -> float:
        """Bytes that a training step needs at least, weights included."""
        kept = _KEPT_LESS if recompute else _KEPT
        return self.weights + 3 * self.trained + kept * self.features


def footprint(model_class: type, config: MethodConfig, count: int, height: int, width: int) -> Footprint:
    """The Footprint of a method in training, of the global Keras policy's precision.

    Args:
        model_class: an AdversarialModel.
        config: its options.
        count: images of each domain in one step on one device.
        height: of the images, in pixels.
        width: the same.
    """
    return _of_losses(model_class, config, count, height, width, keras.mixed_precision.global_policy().name)


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
    machine.require(
        found.weights + _AT_ONCE * found.largest,
        f"{' '.join(large.values())}: a model",
        f"lower {' or '.join(large)}",
    )


def check_pictures(model: Any, count: int, height: int, width: int, what: str, remedy: str) -> None:
    """Refuses images that cannot be translated at once.

    Args:
        model: a Translator.
        count: how many images at once.
        height: of each, in pixels.
        width: the same.
        what: what asks for it, such as a file or a flag.
        remedy: what to do about it.

    Raises:
        InputError: they do not fit in memory.
    """
    policy = keras.mixed_precision.global_policy().name
    machine.require(
        _AT_ONCE * _per_pixel(type(model), model.config, policy) * count * height * width,
        f"{what}: translating {count} x {height}x{width} pixels at once",
        remedy,
    )


@functools.lru_cache(maxsize=64)
def _of_losses(
    model_class: type, config: MethodConfig, count: int, height: int, width: int, policy: str
) -> Footprint:
    del policy  # What is remembered is remembered by it.
    with counting() as counted:
        model = model_class(config)
        _, losses = model.losses_of_zeros(count, height, width)
    wanted = [loss for name, loss in losses.items() if model.weight_of_term(name.split("/")[0])]
    outputs = _convolutions(counted, wanted)
    size = tf.as_dtype(model.variable_dtype).size
    return Footprint(size * counted.weights, size * counted.trained, sum(outputs), max(outputs))


@functools.lru_cache(maxsize=64)
def _per_pixel(model_class: type, config: MethodConfig, policy: str) -> float:
    """Bytes of the largest convolution's output in a translation, for each pixel of the image."""
    del policy
    side = -(-config.smallest_input // config.size_multiple) * config.size_multiple
    with counting() as counted:
        model = model_class(config)
        images = tf.zeros([1, side, side, 3], model.result_dtype)
        translations = [model.translate(images, direction) for direction in model.directions]
    return max(_convolutions(counted, translations)) / side**2


def _convolutions(counted: Count, results: Iterable[tf.Tensor]) -> list[int]:
    """Bytes of the output of each convolution that the results depend on."""
    waiting, needed = [result.op for result in results], set()
    while waiting:
        operation = waiting.pop()
        if operation not in needed:
            needed.add(operation)
            waiting += [x.op for x in operation.inputs]
    outputs = [each.outputs[0] for each in needed if each.type == "Conv2D" and each.graph is counted.graph]
    return [x.shape.num_elements() * x.dtype.size for x in outputs]
