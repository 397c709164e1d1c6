"""Gradient checkpointing: less memory for more time."""

import contextlib
import contextvars
import itertools

import tensorflow as tf

_recomputing = contextvars.ContextVar("recomputing", default=None)


@contextlib.contextmanager
def recomputing(wanted):
    """Inside, `recomputed` keeps no intermediate results, if `wanted`."""
    token = _recomputing.set(_Order() if wanted else None)
    try:
        yield
    finally:
        _recomputing.reset(token)


def recomputed(function, *tensors):
    """function(*tensors), which is run again when its gradient is taken: less memory for more time.

    Chen et al. 2016, "Training deep nets with sublinear memory cost". It happens inside `recomputing` only,
    and there once: what `function` itself would recompute is not recomputed within it. Gradients are taken
    one after the other; else TensorFlow would begin with all at once that do not wait for each other.
    """
    order = _recomputing.get()
    if order is None:
        return function(*tensors)
    runs = itertools.count()

    def run(*tensors):
        waits_for = order.last if next(runs) else []
        with recomputing(False), tf.control_dependencies(waits_for):
            return function(*(tf.identity(x) for x in tensors))

    return tf.recompute_grad(run)(*(order.noted(x) for x in tensors))


class _Order:
    """Notes where a gradient has ended.

    Attributes:
        last: a list of the tensor that the latest one ended with, empty before the first.
    """

    def __init__(self):
        self.last = []

    def noted(self, x):
        """`x`; its gradient becomes `last`."""

        @tf.custom_gradient
        def identity(x):
            def gradient(dx):
                self.last = [dx]
                return dx

            return tf.identity(x), gradient

        return identity(x)
