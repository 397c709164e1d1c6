"""Adam as in the authors' implementation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from munit_tf import keras_compat


class Adam(keras_compat.Adam):
    """Adam with L2 regularization and a learning rate schedule.

    Epsilon is added after the bias correction, as in Algorithm 1 of the paper (Kingma and Ba 2015) but
    unlike in Keras. `weight_decay * weight` is added to the gradient before the moments are updated, unlike
    in AdamW; this applies to all weights including biases.

    Args:
        step: scalar integer tf.Variable, the number of training steps taken. With loss scaling it may be
            larger than the number of updates, since some are skipped.
        learning_rate: learning rate at step 0.
        half_life_steps: steps after which the learning rate is halved, repeatedly; 0: never.
        beta_1: decay rate of the first moment.
        beta_2: decay rate of the second moment.
        weight_decay: factor of the L2 regularization.
        constant_steps: steps before the linear decay.
        decay_steps: steps of the linear decay to 0; 0: no decay.
        epsilon: added to the denominator.
    """

    def __init__(
        self,
        step: tf.Variable,
        learning_rate: float,
        half_life_steps: int,
        beta_1: float,
        beta_2: float,
        weight_decay: float,
        constant_steps: int = 0,
        decay_steps: int = 0,
        epsilon: float = 1e-8,
    ) -> None:
        # The `weight_decay` of Keras is that of AdamW, so it is not set.
        super().__init__(learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
        self._step = step
        self._initial_learning_rate = learning_rate
        self._half_life_steps = half_life_steps
        self._constant_steps = constant_steps
        self._decay_steps = decay_steps
        self._l2 = weight_decay

    def current_learning_rate(self) -> tf.Tensor:
        """The learning rate of the next step, a float64 scalar tensor."""
        step = tf.convert_to_tensor(self._step)
        rate = tf.constant(self._initial_learning_rate, tf.float64)
        if self._half_life_steps:
            halvings = step // self._half_life_steps
            rate *= tf.constant(0.5, tf.float64) ** tf.cast(halvings, tf.float64)
        if self._decay_steps:
            decayed = tf.cast(step - self._constant_steps, tf.float64) / self._decay_steps
            rate *= tf.clip_by_value(1 - decayed, 0.0, 1.0)
        return rate

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Creates the moments of `variables`, which must have the same type."""
        super().build(variables)
        self._dtype = tf.as_dtype(variables[0].dtype)

    def begin_step(self) -> None:
        """Computes the values that all weights share."""
        self._beta_1, self._beta_2 = (tf.constant(beta, self._dtype) for beta in (self.beta_1, self.beta_2))
        t = tf.cast(keras_compat.tf_variable(self.iterations) + 1, tf.float64)
        correction_1 = 1 - tf.cast(self._beta_1, tf.float64) ** t
        correction_2 = tf.sqrt(1 - tf.cast(self._beta_2, tf.float64) ** t)
        # With scaled rate and epsilon, TensorFlow's operation without bias correction computes the update of
        # Algorithm 1, m / c1 / (sqrt(v) / c2 + epsilon). Its own correction has the type of the weights, but
        # 1 - 0.999^t is imprecise in float32.
        self._rate = tf.cast(self.current_learning_rate() * correction_2 / correction_1, self._dtype)
        self._scaled_epsilon = tf.cast(self.epsilon * correction_2, self._dtype)

    def update_step(
        self, gradient: tf.Tensor, variable: tf.Variable | keras.Variable, learning_rate: Any = None
    ) -> None:
        """Updates a weight.

        Args:
            gradient: gradient of the weight, summed over replicas and unscaled.
            variable: the weight.
            learning_rate: passed by Keras 3 and ignored; see `current_learning_rate`.
        """
        del learning_rate
        m, v = keras_compat.adam_slots(self, variable)
        with tf.control_dependencies(
            [gradient]
        ):  # Read the weight late, so that it is not copied while it waits for its gradient.
            decay = self._l2 * tf.convert_to_tensor(variable)
        no_correction = tf.zeros([], self._dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=m.handle,
            v=v.handle,
            beta1_power=no_correction,
            beta2_power=no_correction,
            lr=self._rate,
            beta1=self._beta_1,
            beta2=self._beta_2,
            epsilon=self._scaled_epsilon,
            grad=tf.cast(gradient, self._dtype) + decay,
        )

    def named_variables(self, named_weights: dict[str, tf.Variable]) -> dict[str, tf.Variable]:
        """The number of updates and the moments of {name: weight}, as {name: tf.Variable}."""
        named = {"updates": keras_compat.tf_variable(self.iterations)}
        for name, weight in named_weights.items():
            named[f"m/{name}"], named[f"v/{name}"] = keras_compat.adam_slots(self, weight)
        return named
