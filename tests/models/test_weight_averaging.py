"""Moving averages of the generators' weights."""

import numpy as np
import pytest
import tensorflow as tf
from conformance.methods import tiny, tiny_batch

from munit_tf.models.weight_averaging import AveragedWeights


def test_half_life_and_warm_up():
    """Batch 2; the half-life is 0.05 of the images seen until that is more than 1."""
    weight = tf.Variable([8.0, -2.0], dtype=tf.float64)
    averages = AveragedWeights({"w": weight}, half_life=1)
    weight.assign([0.0, 2.0])
    averages.update(tf.constant(5), tf.constant(2))  # 10 images: half-life 0.5, so 1/16 of the old value.
    np.testing.assert_allclose(averages.variables["w"].numpy(), [0.5, 1.75], rtol=1e-12)
    weight.assign([1.0, 1.0])
    averages.update(tf.constant(10), tf.constant(2))  # 20 images: half-life 1, so a quarter of it.
    np.testing.assert_allclose(averages.variables["w"].numpy(), [0.875, 1.1875], rtol=1e-12)
    averages.update(tf.constant(1000), tf.constant(2))  # The half-life stays 1.
    np.testing.assert_allclose(averages.variables["w"].numpy(), [0.96875, 1.046875], rtol=1e-12)


def test_weights_are_replaced_in_the_block_only():
    weight = tf.Variable([8.0])
    averages = AveragedWeights({"w": weight}, half_life=1)
    weight.assign([3.0])
    with pytest.raises(ZeroDivisionError), averages.in_use():
        assert weight.numpy() == [8]
        1 / 0  # noqa: B018
    assert weight.numpy() == [3]
    assert averages.variables["w"].numpy() == [8]


def test_a_step_averages_all_weights_of_the_generators_only():
    model = tiny("munit", ema_half_life=10)
    before = {name: weight.numpy() for name, weight in model.named_weights().items()}
    model.train_step(tiny_batch(model, 2))
    weights = model.named_weights()
    generators = {name for name in weights if name.startswith("generators/")}
    assert set(model.named_averages()) == {f"averages/{name}" for name in generators}
    old = 0.5**20  # The warm-up's half-life is a twentieth of the batch.
    for name in generators:
        expected = old * before[name] + (1 - old) * weights[name].numpy()
        actual = model.named_averages()[f"averages/{name}"].numpy()
        np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-9, err_msg=name)


def test_no_average_by_default():
    model = tiny("munit")
    assert model.named_averages() == {}
    with model.averaged():
        pass
