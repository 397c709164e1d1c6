"""Measures the time and memory of a training step on this machine."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Mapping

import keras

from munit_tf.config.options import Options
from munit_tf.data import pipeline, registry
from munit_tf.distribution.devices import describe, make_strategy, peak_memory_mib
from munit_tf.runs import loading
from munit_tf.training import loop, memory
from munit_tf.training.callbacks import StepCallback

STEPS = 5


@dataclasses.dataclass(frozen=True)
class StepCost:
    """The time and memory of a training step.

    Attributes:
        device: the device, in words.
        seconds: the median of STEPS steps, after a first one that builds the graph.
        peak_memory_mib: the peak memory use so far, in MiB: of the GPU, or of the process if there is no GPU.
    """

    device: str
    seconds: float
    peak_memory_mib: int


def measure(options: Options) -> StepCost:
    """Trains a model for a few steps and discards it; writes nothing.

    Args:
        options: the options of the run.

    Raises:
        InputError: training cannot start, or would stop at an image.
    """
    options.validate()
    dataset = registry.open_dataset(dataclasses.replace(options.data, unreadable="skip"))
    strategy = make_strategy(options.train.strategy, options.train.batch_size)
    memory.check(options, strategy.num_replicas_in_sync, workers=1)
    keras.utils.set_random_seed(options.train.seed)
    with strategy.scope():
        model = loading.build_model(options)
        loading.compile_model(model, options)
    batches = loop.make_batches(strategy, dataset, options, 0, STEPS + 1)
    clock = _Clock()
    with pipeline.input_errors():
        loop.take_steps(model, batches, options, range(STEPS + 1), [clock])
    times = [later - earlier for earlier, later in zip(clock.ends, clock.ends[1:])]
    device = describe(options.train.strategy, options.train.batch_size)
    return StepCost(device, statistics.median(times), peak_memory_mib())


class _Clock(StepCallback):
    """Records when each step ends, in seconds."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def after_step(self, step: int, logs: Mapping[str, float]) -> None:
        self.ends.append(time.monotonic())
