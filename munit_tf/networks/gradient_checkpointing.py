"""Gradient checkpointing: less memory for more time."""

from __future__ import annotations

import contextlib
import contextvars
import itertools
from collections.abc import Callable, Iterator

import tensorflow as tf

_recomputing: contextvars.ContextVar[_GradientOrder | None] = contextvars.ContextVar(
    "recomputing", default=None
)


@contextlib.contextmanager
def recomputing(enabled: bool) -> Iterator[None]:
    """A context in which `recomputed` keeps no intermediate results if `enabled`."""
    token = _recomputing.set(_GradientOrder() if enabled else None)
    try:
        yield
    finally:
        _recomputing.reset(token)


def recomputed(function: Callable[..., tf.Tensor], *tensors: tf.Tensor) -> tf.Tensor:
    """Returns function(*tensors); inside `recomputing`, the gradient recomputes its intermediate results.

    Chen et al. 2016, "Training deep nets with sublinear memory cost". Calls do not nest: `recomputed` inside
    `function` has no effect. Recomputation is sequential. Without control dependencies TensorFlow would
    start all independent recomputations at the same time, which would need more memory.
    """
    order = _recomputing.get()
    if order is None:
        return function(*tensors)
    runs = itertools.count()

    def run(*tensors):
        is_recomputation = next(runs) > 0
        with recomputing(False), tf.control_dependencies(order.last_gradient if is_recomputation else []):
            return function(*(tf.identity(x) for x in tensors))

    return tf.recompute_grad(run)(*(order.record(x) for x in tensors))


class _GradientOrder:
    """Records the gradient that was computed last.

    Attributes:
        last_gradient: a list of its tensor; empty before the first gradient.
    """

    def __init__(self) -> None:
        self.last_gradient: list[tf.Tensor] = []

    def record(self, x: tf.Tensor) -> tf.Tensor:
        """Returns `x`; computing its gradient sets `last_gradient`."""

        @tf.custom_gradient
        def identity(x):
            def gradient(dx):
                self.last_gradient = [dx]
                return dx

            return tf.identity(x), gradient

        return identity(x)
