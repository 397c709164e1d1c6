"""R1: its value, its second derivatives, and when it is due."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conformance.methods import TINY, fewer_layers, tiny, tiny_batch

import munit_tf
from munit_tf.losses.gradient_penalty import r1_penalty
from munit_tf.models.training_step import named_variables
from munit_tf.networks.discriminators import MultiScaleDiscriminator


def test_against_hand_worked_numbers():
    """D(x1, x2) = mean(3 x1, 3 x2) + x1^2; its gradient is (1.5 + 2 x1, 1.5)."""
    x = tf.constant([1.0, 2.0, 0.0, 1.0], shape=[2, 1, 2, 1])

    def discriminate(images):
        return [3 * images, tf.square(images[:, :, :1])]

    # (3.5^2 + 1.5^2 + 1.5^2 + 1.5^2) / 2 images.
    assert float(r1_penalty(discriminate, x)) == pytest.approx(9.5)


@pytest.mark.parametrize("norm", ["none", "instance", "layer", "spectral"])
def test_its_gradient_by_the_weights_is_the_quotient_of_differences(norm, policy):
    """Second derivatives of every layer of a discriminator, with fast convolutions and custom gradients."""
    policy("float64")
    # With some weights an activation is so close to 0 that the differences cross its kink.
    keras.utils.set_random_seed(0)
    config = munit_tf.METHODS["munit"].config_class(**{**TINY["munit"], "dis_norm": norm, "dis_dim": 32})
    network = MultiScaleDiscriminator(**config.discriminator())
    images = tf.constant(np.random.default_rng(0).uniform(-1, 1, (2, 16, 16, 3)), tf.float64)
    network(images)

    def penalty():
        return r1_penalty(lambda x: network(x, training=False), images)

    weights = {name: weight for name, weight in named_variables(network).items() if name.endswith("kernel")}
    for weight in weights.values():
        weight.assign(10 * weight)  # Otherwise the penalty is tiny.
    for name, vector in named_variables(network).items():
        if name.endswith("singular_vector"):  # Its gradient is that of exact ones.
            kernel = weights[name.replace("singular_vector", "kernel")].numpy()
            vector.assign(np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]))[2][0])
    with tf.GradientTape() as tape:
        value = penalty()
    gradients = tape.gradient(value, list(weights.values()))
    rng = np.random.default_rng(0)
    for (name, weight), gradient in zip(weights.items(), gradients):
        before, direction = weight.numpy(), rng.standard_normal(weight.shape)
        step = 1e-6 * np.linalg.norm(before) / np.linalg.norm(direction)
        values = []
        for sign in (1, -1):
            weight.assign(before + sign * step * direction)
            values.append(float(penalty()))
        weight.assign(before)
        slope = float(tf.reduce_sum(gradient * direction))
        assert slope == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4, abs=1e-9), name


@pytest.mark.parametrize("method", ["munit", "drit", "bicyclegan"])
def test_it_is_due_every_few_steps_and_multiplied_by_their_number(method, policy):
    policy("float64")
    options = dict(**fewer_layers(method), r1_weight=4.0, init="orthogonal")
    plain, lazy = (tiny(method, **options, r1_every=every) for every in (1, 2))
    for name, weight in lazy.named_weights().items():
        weight.assign(plain.named_weights()[name])
    batch = tiny_batch(plain, 2)
    logs = {name: float(value) for name, value in plain.train_step(batch).items()}
    first = {name: float(value) for name, value in lazy.train_step(batch).items()}
    penalties = {name for name in logs if name.startswith("r1/")}
    assert penalties == {f"r1/{name[-1]}" for name in plain.directions}
    assert all(logs[name] > 0 and first[name] == 0 for name in penalties)
    total = sum(logs[name] for name in penalties)
    assert logs["loss_d"] - first["loss_d"] == pytest.approx(2 * total, rel=1e-3)
    second = {name: float(value) for name, value in lazy.train_step(batch).items()}
    assert all(second[name] > 0 for name in penalties)
    assert lazy.loss_weight("r1") == 4.0
