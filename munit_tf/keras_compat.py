"""The only module that knows which Keras is there."""

import keras
import tensorflow as tf

KERAS_2 = keras.__version__.startswith("2.")


def is_variable(x):
    """Whether `x` is a variable, TensorFlow's or Keras'."""
    return isinstance(x, tf.Variable if KERAS_2 else (tf.Variable, keras.Variable))


def tf_variable(variable):
    """The tf.Variable of a variable."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def full_precision(variable):
    """A weight's value as it is stored, where inside a layer of half precision it reads as half."""
    stored = getattr(variable, "_variable" if KERAS_2 else "_value", None)
    # While Keras 3 finds out shapes nothing is stored yet.
    return tf.convert_to_tensor(variable if stored is None else stored)


class Adam(keras.optimizers.Adam):
    """Keras' Adam, for subclasses with `begin_step`. It is to be built before its first step."""

    def begin_step(self):
        """Works out what is the same for all weights; every replica of a step calls it, with one result."""
        raise NotImplementedError

    if KERAS_2:

        def __init__(self, **options):
            # XLA would compile the update of every weight by itself.
            super().__init__(jit_compile=False, **options)

        def apply_gradients(self, *args, **kwargs):
            """One step."""
            self.begin_step()
            return super().apply_gradients(*args, **kwargs)

    else:

        def apply(self, *args, **kwargs):
            """One step."""
            self.begin_step()
            return super().apply(*args, **kwargs)


def adam_slots(optimizer, variable):
    """The (first, second) moments, tf.Variables, that a keras.optimizers.Adam keeps for `variable`."""
    if KERAS_2:
        index = optimizer._index_dict[optimizer._var_key(variable)]
    else:
        index = optimizer._get_variable_index(variable)
    return tf_variable(optimizer._momentums[index]), tf_variable(optimizer._velocities[index])


def with_loss_scaling(optimizer):
    """`optimizer` with dynamic loss scaling, which skips steps whose gradients are not finite."""
    if KERAS_2:
        return keras.mixed_precision.LossScaleOptimizer(optimizer)
    return keras.optimizers.LossScaleOptimizer(optimizer)


def loss_scaling_variables(optimizer):
    """{name: tf.Variable} of the state that loss scaling keeps; empty for other optimisers."""
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


def inner_optimizer(optimizer):
    """The optimiser that loss scaling wraps, or `optimizer` itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def scale_loss(optimizer, loss):
    """`loss` as `apply_gradients` expects its gradients to be scaled."""
    if KERAS_2:
        return optimizer.get_scaled_loss(loss) if hasattr(optimizer, "get_scaled_loss") else loss
    return optimizer.scale_loss(loss)


def apply_gradients(optimizer, gradients, variables):
    """One step with the gradients of a loss that `scale_loss` has scaled; sums over replicas."""
    if KERAS_2:
        if hasattr(optimizer, "get_unscaled_gradients"):
            gradients = optimizer.get_unscaled_gradients(gradients)
    elif isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        gradients = _infinite_on_all_or_none(gradients)
    optimizer.apply_gradients(zip(gradients, variables))


def _infinite_on_all_or_none(gradients):
    """Makes an overflow on one replica one on all: Keras 3 looks for it before it sums over them."""
    overflow = tf.add_n([tf.reduce_sum(tf.cast(~tf.math.is_finite(g), tf.float32)) for g in gradients])
    overflow = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, overflow)
    return [tf.where(overflow > 0, tf.constant(float("inf"), g.dtype), g) for g in gradients]
