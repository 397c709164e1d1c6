"""What a training step gets: the noise of its place in the run, on one replica, on two and under XLA."""

import numpy as np
import pytest
import tensorflow as tf

from munit_tf.config.options import DataConfig, Options, TrainConfig
from munit_tf.data import pipeline
from munit_tf.training import loop
from munit_tf.training.callbacks import StepCallback


class Adder:
    """In place of a model: its only loss is the sum of the noise."""

    def __init__(self, strategy, jit_compile):
        self.distribute_strategy = strategy
        self.jit_compile = jit_compile

    def noise_shapes(self, height, width):
        return {"noise_a": (height // 2, width // 2, 3)}

    def train_step(self, batch):
        assert set(batch) == {"noise_a"}
        replica = tf.distribute.get_replica_context()
        return {"sum": replica.all_reduce("SUM", tf.reduce_sum(batch["noise_a"]))}


class Note(StepCallback):
    """Notes the losses."""

    def __init__(self, every=1, model=None):
        self.seen = []
        self._every = every
        self._counter = model

    def precedes_next(self, step):
        return step % self._every == 0

    def after_step(self, step, logs):
        count = int(self._counter.step) if self._counter else None
        self.seen.append((step, count, logs["sum"]))


@pytest.mark.parametrize("replicas, jit_compile", [(1, False), (1, True), (2, False)])
def test_noise_depends_on_seed_and_step_alone(replicas, jit_compile, mirrored):
    strategy = mirrored if replicas == 2 else tf.distribute.get_strategy()
    size = (8, 12)
    options = Options(DataConfig(image_size=size), TrainConfig(seed=0, batch_size=2), model=None)
    batches = strategy.distribute_datasets_from_function(
        lambda context: pipeline.training_batches(
            {}, resize=8, image_size=size, batch_size=2, seed=0, start=3, stop=5, context=context
        )
    )
    note = Note()
    loop.take_steps(Adder(strategy, jit_compile), batches, options, range(3, 5), [note])
    np.testing.assert_allclose([total for _, _, total in note.seen], [3.3767276, -7.5448524], rtol=1e-5)


class Counter:
    """In place of a model: its only loss is the number of steps taken."""

    jit_compile = False

    def __init__(self):
        self.distribute_strategy = tf.distribute.get_strategy()
        self.step = tf.Variable(3, dtype=tf.int64)

    def noise_shapes(self, height, width):
        return {}

    def train_step(self, batch):
        return {"sum": self.step.assign_add(1)}


def test_callbacks_see_the_last_step_during_the_next_unless_one_must_precede_it():
    options = Options(DataConfig(), TrainConfig(), model=None)
    model = Counter()
    notes = Note(every=4, model=model), Note(every=1000, model=model)
    loop.take_steps(model, tf.data.Dataset.from_tensors({"seed": 0}).repeat(7), options, range(3, 10), notes)
    # (step, steps that the model has taken by then, loss). Steps 4 and 8 are due; 10 is the last one.
    expected = [(4, 4, 4), (5, 6, 5), (6, 7, 6), (7, 8, 7), (8, 8, 8), (9, 10, 9), (10, 10, 10)]
    assert notes[0].seen == expected and notes[1].seen == expected
