"""Adam by hand: where epsilon stands, what the L2 does, when the learning rate halves."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from munit_tf import keras_compat
from munit_tf.models.optimizers import Adam


def adam(variable, step=0, **options):
    settings = dict(learning_rate=0.1, half_life_steps=100, beta_1=0.5, beta_2=0.999, weight_decay=0.0)
    optimizer = Adam(tf.Variable(step, dtype=tf.int64), **{**settings, **options})
    optimizer.build([variable])
    return optimizer


def weight(value, dtype="float64"):
    layer = keras.layers.Layer(dtype=dtype)
    variable = layer.add_weight(name="w", shape=(), initializer=keras.initializers.Constant(value))
    return keras_compat.tf_variable(variable)


def test_epsilon_is_outside_the_bias_correction():
    """A first gradient of 1e-8 moves the weight by rate / 2: m^ = 1e-8, sqrt(v^) = 1e-8, plus epsilon 1e-8.

    With epsilon inside the correction, as in Keras' Adam, it would move by 0.0307 of the rate.
    """
    variable = weight(0.0)
    optimizer = adam(variable)
    optimizer.apply_gradients([(tf.constant(1e-8, tf.float64), variable)])
    assert float(variable) == pytest.approx(-0.1 / 2, rel=1e-9)


def test_bias_correction_is_exact_in_float32():
    """For large gradients the first step is the rate; corrections made in float32 would be 1e-5 off."""
    variable = weight(0.0, "float32")
    adam(variable).apply_gradients([(tf.constant(3.0), variable)])
    assert float(variable) == pytest.approx(-0.1, rel=1e-6)


def test_two_steps_by_hand():
    """m = 0.5, 0.25 + 1 = 1.25, corrected 1.25 / 0.75; v = 0.001, 0.000999 + 0.004, over 0.001999."""
    variable = weight(0.0)
    optimizer = adam(variable)
    for gradient in (1.0, 2.0):
        optimizer.apply_gradients([(tf.constant(gradient, tf.float64), variable)])
    second = (1.25 / 0.75) / ((0.000999 + 0.004) / 0.001999) ** 0.5
    assert float(variable) == pytest.approx(-0.1 * (1 + second), rel=1e-6)


def test_what_is_the_same_for_all_weights_is_worked_out_once():
    """Else it is a third of a training step's graph: the bias correction of v has the only square root."""
    variables = [weight(0.0) for _ in range(3)]
    optimizer = Adam(tf.Variable(0, dtype=tf.int64), 0.1, 100, 0.5, 0.999, 0.0)
    optimizer.build(variables)

    @tf.function
    def step():
        optimizer.apply_gradients([(tf.constant(1.0, tf.float64), each) for each in variables])

    operations = [each.type for each in step.get_concrete_function().graph.get_operations()]
    assert operations.count("ResourceApplyAdam") == 3
    assert operations.count("Sqrt") == 1
    step()
    step()
    assert [float(each) for each in variables] == pytest.approx([-0.2] * 3, rel=1e-6)


def test_weight_decay_is_in_the_gradient():
    """Where the loss has no gradient, L2's sign alone moves the weight by a full rate.

    Decoupled decay would move it by rate * decay * weight = 2e-5.
    """
    variable = weight(2.0)
    adam(variable, weight_decay=1e-4).apply_gradients([(tf.constant(0.0, tf.float64), variable)])
    assert float(variable) == pytest.approx(2 - 0.1, rel=1e-4)


def test_weight_decay_counts_once_on_two_replicas(mirrored):
    """Gradients are summed over replicas, the L2 is not: -2e-4 from the losses and 2e-4 from the weight."""
    with mirrored.scope():
        variable = weight(2.0)
        optimizer = adam(variable, weight_decay=1e-4)

    @tf.function
    def step():
        mirrored.run(lambda: optimizer.apply_gradients([(tf.constant(-1e-4, tf.float64), variable)]))

    step()
    assert variable.numpy() == pytest.approx(2.0, abs=1e-6)


@pytest.mark.parametrize("step, rate", [(0, 0.1), (99, 0.1), (100, 0.05), (250, 0.025)])
def test_learning_rate_halves_by_our_own_step(step, rate):
    variable = weight(0.0)
    optimizer = adam(variable, step=step)
    assert float(optimizer.current_learning_rate()) == pytest.approx(rate)
    optimizer.apply_gradients([(tf.constant(1.0, tf.float64), variable)])
    assert float(variable) == pytest.approx(-rate, rel=1e-6)


@pytest.mark.parametrize(
    "step, half_life, rate", [(0, 0, 0.1), (9, 0, 0.1), (10, 0, 0.1), (15, 0, 0.075), (29, 0, 0.005),
                              (30, 0, 0.0), (99, 0, 0.0), (15, 10, 0.0375)]
)  # fmt: skip
def test_learning_rate_is_constant_then_falls_to_0(step, half_life, rate):
    """10 steps at 0.1, then 20 in which it falls; a half-life multiplies."""
    schedule = dict(constant_steps=10, decay_steps=20, half_life_steps=half_life)
    optimizer = adam(weight(0.0), step=step, **schedule)
    assert float(optimizer.current_learning_rate()) == pytest.approx(rate, abs=1e-12)


def test_loss_scaling_skips_steps_that_overflow():
    variable = weight(1.0, "float32")
    optimizer = keras_compat.with_loss_scaling(adam(variable))
    optimizer.build([variable])
    state = keras_compat.loss_scaling_variables(optimizer)
    scale = float(state["loss_scale"])
    keras_compat.apply_gradients(optimizer, [tf.constant(np.inf)], [variable])
    assert float(variable) == 1.0
    assert float(state["loss_scale"]) == scale / 2
    keras_compat.apply_gradients(
        optimizer, [keras_compat.scale_loss(optimizer, tf.constant(3.0))], [variable]
    )
    assert float(variable) == pytest.approx(0.9, abs=0.01)


def test_overflow_on_one_replica_is_a_skipped_step_on_all(mirrored):
    with mirrored.scope():
        variable = weight(1.0, "float32")
        optimizer = keras_compat.with_loss_scaling(adam(variable))
        optimizer.build([variable])
    gradients = mirrored.experimental_distribute_values_from_function(
        lambda context: tf.constant(np.inf if context.replica_id_in_sync_group else 1.0)
    )

    @tf.function
    def step():
        mirrored.run(lambda g: keras_compat.apply_gradients(optimizer, [g], [variable]), args=(gradients,))

    step()
    assert variable.numpy() == 1.0
