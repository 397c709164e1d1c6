"""What a training step gets: the noise of its place in the run, on one replica, on two and under XLA."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from munit_tf.config.options import DataConfig, Options, TrainConfig
from munit_tf.data import pipeline
from munit_tf.training import loop


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


@pytest.mark.parametrize("replicas, jit_compile", [(1, False), (1, True), (2, False)])
def test_noise_depends_on_seed_and_step_alone(replicas, jit_compile, mirrored):
    strategy = mirrored if replicas == 2 else tf.distribute.get_strategy()
    size, sums = (8, 12), []
    options = Options(DataConfig(image_size=size), TrainConfig(seed=0, batch_size=2), model=None)
    batches = strategy.distribute_datasets_from_function(
        lambda context: pipeline.training_batches(
            {}, resize=8, image_size=size, batch_size=2, seed=0, start=3, stop=5, context=context
        )
    )
    note = keras.callbacks.LambdaCallback(on_batch_end=lambda batch, logs: sums.append(float(logs["sum"])))
    loop.take_steps(Adder(strategy, jit_compile), batches, options, 2, [note])
    np.testing.assert_allclose(sums, [3.3767276, -7.5448524], rtol=1e-5)
