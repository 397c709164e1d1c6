"""Adam as the authors' implementation has it."""

import tensorflow as tf

from munit_tf import keras_compat


class Adam(keras_compat.Adam):
    """Adam with L2 in the gradient and a learning rate by our own count of steps.

    Other than Keras' Adam it adds epsilon after the bias correction, as the paper's Algorithm 1
    (Kingma and Ba 2015) does, and other than AdamW it adds `weight_decay * weight` to the gradient
    before the moments (every weight, biases too).

    Args:
        step: scalar integer tf.Variable, the number of training steps taken. With loss scaling it is
            not the number of updates, since some are skipped.
        learning_rate: at step 0.
        half_life_steps: steps after which the learning rate halves, again and again; 0: it does not.
        constant_steps, decay_steps: after how many steps it begins to fall, linearly, and how many steps
            later it is 0. With 0 decay_steps it does not.
        beta_1, beta_2, epsilon: Adam's.
        weight_decay: the L2 factor.
    """

    def __init__(
        self,
        step,
        learning_rate,
        half_life_steps,
        beta_1,
        beta_2,
        weight_decay,
        constant_steps=0,
        decay_steps=0,
        epsilon=1e-8,
    ):
        # Keras' own `weight_decay` is AdamW's, so it stays unset.
        super().__init__(learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
        self._step = step
        self._initial_learning_rate = learning_rate
        self._half_life_steps = half_life_steps
        self._constant_steps = constant_steps
        self._decay_steps = decay_steps
        self._l2 = weight_decay

    def current_learning_rate(self):
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

    def build(self, variables):
        """Makes the moments of `variables`, which are of one type."""
        super().build(variables)
        self._dtype = tf.as_dtype(variables[0].dtype)

    def begin_step(self):
        """Works out what is the same for all weights."""
        self._beta_1, self._beta_2 = (tf.constant(beta, self._dtype) for beta in (self.beta_1, self.beta_2))
        t = tf.cast(keras_compat.tf_variable(self.iterations) + 1, tf.float64)
        correction_1 = 1 - tf.cast(self._beta_1, tf.float64) ** t
        correction_2 = tf.sqrt(1 - tf.cast(self._beta_2, tf.float64) ** t)
        # Algorithm 1's rate m / c1 / (sqrt(v) / c2 + epsilon) is that of TensorFlow's operation without its
        # own corrections, which are made in the weights' type: in float32 1 - 0.999^t has few digits.
        self._rate = tf.cast(self.current_learning_rate() * correction_2 / correction_1, self._dtype)
        self._scaled_epsilon = tf.cast(self.epsilon * correction_2, self._dtype)

    def update_step(self, gradient, variable, learning_rate=None):
        """Changes `variable` by its gradient, summed over replicas and unscaled.

        Args:
            gradient: of the variable's shape.
            variable: the weight.
            learning_rate: what Keras 3 passes; the schedule follows our own step instead.
        """
        del learning_rate
        m, v = keras_compat.adam_slots(self, variable)
        with tf.control_dependencies([gradient]):  # No copy of a weight while it waits for its gradient.
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

    def named_variables(self, named_weights):
        """{name: tf.Variable} of the count of updates and the moments of `named_weights`, a dict as well."""
        named = {"updates": keras_compat.tf_variable(self.iterations)}
        for name, weight in named_weights.items():
            named[f"m/{name}"], named[f"v/{name}"] = keras_compat.adam_slots(self, weight)
        return named
