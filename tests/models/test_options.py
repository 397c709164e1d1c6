"""Options that methods share."""

import pytest

from munit_tf.config.options import DataConfig, TrainConfig
from munit_tf.errors import InputError
from munit_tf.models.cyclegan import CycleGANConfig


def test_steps_after_the_learning_rate_is_0_are_refused():
    config = CycleGANConfig(learning_rate_constant_steps=10, learning_rate_decay_steps=5)
    config.check_run(DataConfig(dataset="shapes"), TrainConfig(steps=15))
    with pytest.raises(
        InputError, match="--steps=16 goes on after the learning rate is 0: .* end at step 15"
    ):
        config.check_run(DataConfig(dataset="shapes"), TrainConfig(steps=16))
    CycleGANConfig(learning_rate_decay_steps=0).check_run(DataConfig(dataset="shapes"), TrainConfig())
    CycleGANConfig().check_run(DataConfig(dataset="shapes"), TrainConfig())


def test_smallest_size_of_patches_fits_the_generator():
    assert CycleGANConfig().smallest_size == 24
    assert CycleGANConfig(num_downsample=4).smallest_size == 32
    assert CycleGANConfig(num_downsample=3, num_dis_layers=2).smallest_size == 16
