"""The differences between Keras 2 and Keras 3; no other module depends on the version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

import keras
import tensorflow as tf

# Private attributes used here, tested with Keras 2.15.0 and 3.7.0 to 3.15.1:
# Keras 2: AutoCastVariable._variable, Optimizer._index_dict and ._var_key, Adam._momentums and ._velocities,
# LossScaleOptimizer._loss_scale._current_loss_scale.
# Keras 3: Variable._value, Optimizer._iterations and ._get_variable_index, Adam._momentums and ._velocities.
KERAS_2 = keras.__version__.startswith("2.")
Variable = Union[tf.Variable, "keras.Variable"]


def is_variable(x: Any) -> bool:
    """Whether `x` is a variable of TensorFlow or Keras."""
    return isinstance(x, tf.Variable if KERAS_2 else (tf.Variable, keras.Variable))


def tf_variable(variable: Variable) -> tf.Variable:
    """The tf.Variable that holds a variable's value."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def full_precision(variable: Variable) -> tf.Tensor:
    """The stored value of a weight; inside a layer of half precision, reading it would cast it."""
    return tf.convert_to_tensor(getattr(variable, "_variable" if KERAS_2 else "_value", variable))


class CompositeLayer(keras.layers.Layer):
    """A layer without weights of its own; its layers are built when they are called for the first time.

    Without a `build` method, Keras 3 would first run its `call` symbolically. Every layer with `call` and
    without weights must be one: `full_precision` has no value for a weight in a symbolic run.
    """

    def build(self, input_shape: Any) -> None:
        """Has nothing to build."""
        self.built = True


class Adam(keras.optimizers.Adam):
    """Keras' Adam, for subclasses with `begin_step`. It must be built before its first step."""

    def begin_step(self) -> None:
        """Computes what all weights share in a step; every replica calls it and must get the same result."""
        raise NotImplementedError

    if KERAS_2:

        def __init__(self, **options: Any) -> None:
            # With XLA, the update of every weight would be compiled separately.
            super().__init__(jit_compile=False, **options)

        def apply_gradients(self, *args: Any, **kwargs: Any) -> Any:
            """Takes one step."""
            self.begin_step()
            return super().apply_gradients(*args, **kwargs)

    else:

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            # Each replica counts. Keras takes the count of the first one, which XLA cannot compile for
            # several GPUs.
            self._iterations = keras.Variable(
                0, name="iteration", dtype="int", trainable=False, aggregation="none"
            )

        def apply(self, *args: Any, **kwargs: Any) -> Any:
            """Takes one step."""
            self.begin_step()
            return super().apply(*args, **kwargs)


def adam_slots(optimizer: keras.optimizers.Adam, variable: Variable) -> tuple[tf.Variable, tf.Variable]:
    """Adam's (first, second) moments of `variable`."""
    if KERAS_2:
        index = optimizer._index_dict[optimizer._var_key(variable)]
    else:
        index = optimizer._get_variable_index(variable)
    return tf_variable(optimizer._momentums[index]), tf_variable(optimizer._velocities[index])


def with_loss_scaling(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """`optimizer` with dynamic loss scaling; it skips steps with gradients that are not finite."""
    if KERAS_2:
        return keras.mixed_precision.LossScaleOptimizer(optimizer)
    return keras.optimizers.LossScaleOptimizer(optimizer)


def loss_scaling_variables(optimizer: keras.optimizers.Optimizer) -> dict[str, tf.Variable]:
    """{name: tf.Variable} of the state of loss scaling; empty for an optimizer without it."""
    if KERAS_2:
        if not isinstance(optimizer, keras.mixed_precision.LossScaleOptimizer):
            return {}
        return {
            "loss_scale": optimizer._loss_scale._current_loss_scale,
            "good_steps": optimizer.dynamic_counter,
        }
    if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return {}
    return {"loss_scale": optimizer.dynamic_scale.value, "good_steps": optimizer.step_counter.value}


def inner_optimizer(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer inside loss scaling, or `optimizer` itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def scale_loss(optimizer: keras.optimizers.Optimizer, loss: tf.Tensor) -> tf.Tensor:
    """Scales a loss whose gradients are passed to `apply_gradients`."""
    if KERAS_2:
        return optimizer.get_scaled_loss(loss) if hasattr(optimizer, "get_scaled_loss") else loss
    return optimizer.scale_loss(loss)


def apply_gradients(
    optimizer: keras.optimizers.Optimizer, gradients: Sequence[tf.Tensor], variables: Sequence[Variable]
) -> None:
    """Takes one step with gradients of a loss scaled by `scale_loss`; sums them over replicas."""
    if KERAS_2:
        if hasattr(optimizer, "get_unscaled_gradients"):
            gradients = optimizer.get_unscaled_gradients(gradients)
    elif isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        gradients = _infinite_on_all_or_none(gradients)
    optimizer.apply_gradients(zip(gradients, variables))


def _infinite_on_all_or_none(gradients: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Sets all gradients to infinity on all replicas if any replica has an overflow.

    Keras 3 checks each replica before it sums over them.
    """
    overflow = tf.add_n([tf.reduce_sum(tf.cast(~tf.math.is_finite(g), tf.float32)) for g in gradients])
    overflow = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, overflow)
    return [tf.where(overflow > 0, tf.constant(float("inf"), g.dtype), g) for g in gradients]
