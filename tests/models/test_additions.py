"""Additions to the papers that are a line in a loss, an optimizer or the initial weights."""

import numpy as np
import pytest
import tensorflow as tf
from conformance.methods import tiny, tiny_batch

from munit_tf.models.training_step import named_variables


def test_discriminators_have_a_learning_rate_of_their_own():
    model = tiny("munit", learning_rate=1e-3, dis_learning_rate=4e-3)
    rates = [
        float(optimizer.current_learning_rate())
        for optimizer in (model.generator_optimizer, model.discriminator_optimizer)
    ]
    assert rates == pytest.approx([1e-3, 4e-3])
    model.step.assign(100_000)  # Both are halved.
    assert float(model.discriminator_optimizer.current_learning_rate()) == pytest.approx(2e-3)
    same = tiny("munit", learning_rate=1e-3)
    assert float(same.discriminator_optimizer.current_learning_rate()) == pytest.approx(1e-3)


def test_orthogonal_kernels():
    model = tiny("munit", init="orthogonal")
    kernels = {
        name: weight.numpy() for name, weight in model.named_weights().items() if name.endswith("kernel")
    }
    assert {name.split("/")[0] for name in kernels} == {"generators", "discriminators"}
    for name, kernel in kernels.items():
        matrix = kernel.reshape(-1, kernel.shape[-1])
        if matrix.shape[0] < matrix.shape[1]:
            matrix = matrix.T
        np.testing.assert_allclose(matrix.T @ matrix, np.eye(matrix.shape[1]), atol=1e-5, err_msg=name)
    different = {kernel.tobytes() for kernel in kernels.values()}
    assert len(different) == len(kernels)


def test_a_detached_target_trains_the_encoder_only_through_the_translation(policy):
    """The gradient of |E_b(fake) - stop(c)| by E_a is that through the fake alone."""
    policy("float64")
    gradients = {}
    for detached in (True, False):
        model = tiny("munit", detach_content_target=detached, cycle_weight=0)
        for name, weight in model.named_weights().items():
            rng = np.random.default_rng(len(name))
            weight.assign(rng.normal(0, 0.1, weight.shape))
        batch = {name: tf.constant(value, tf.float64) for name, value in tiny_batch(model, 1).items()}
        encoder = model.generators["a"].content_encoder
        weights = [w for name, w in named_variables(encoder).items() if w.trainable]
        with tf.GradientTape(persistent=True) as tape:
            fakes = model.make_fakes("a", "b", batch)
            loss = model.generator_losses("a", "b", batch, fakes)["recon_c/a"]
            frozen = tf.stop_gradient(fakes["content"])
            through_fake = tf.reduce_mean(tf.abs(model._encode_content(fakes["fake"], "b") - frozen))
        gradients[detached] = tape.gradient(loss, weights)
        expected = tape.gradient(through_fake, weights)
        close = [
            np.allclose(mine, other, rtol=1e-9, atol=1e-15)
            for mine, other in zip(gradients[detached], expected)
        ]
        assert all(close) if detached else not any(close)
