"""The target of the graph that is being traced: this machine's devices, or any machine and runtime."""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

_portable = contextvars.ContextVar("portable", default=False)


@contextlib.contextmanager
def portable() -> Iterator[None]:
    """A context in which graphs are traced for any machine and runtime, from standard operations only."""
    token = _portable.set(True)
    try:
        yield
    finally:
        _portable.reset(token)


def is_portable() -> bool:
    """Whether the graph must run on any machine and runtime."""
    return _portable.get()


def is_for_cpu() -> bool:
    """Whether the graph runs only on this machine's CPU."""
    return not is_portable() and not tf.config.get_visible_devices("GPU")


def sizes(x: tf.Tensor) -> list[int | tf.Tensor]:
    """The sizes of `x`'s axes: int if static, else a scalar tensor."""
    if None not in x.shape:
        return list(x.shape)
    dynamic = tf.shape(x)
    return [dynamic[i] if size is None else size for i, size in enumerate(x.shape)]


def constant(function: Callable[..., Any], *arguments: Any) -> Any:
    """Returns function(*arguments), computed once, and not in the graph, if no argument is a tensor.

    A graph captures the result as an input. Constant nodes would be in each copy that TensorFlow makes of the
    graph, but portable graphs need them.

    Args:
        function: a pure function that returns one or more tensors; the same object in every call.
        *arguments: tensors or hashable objects.
    """
    if any(isinstance(argument, tf.Tensor) for argument in arguments):
        return function(*arguments)
    result = _evaluate(function, *arguments)
    return tf.nest.map_structure(lambda x: tf.constant(x.numpy()), result) if is_portable() else result


@functools.lru_cache(maxsize=64)
def _evaluate(function, *arguments):
    with tf.init_scope(), tf.device("CPU:0"):
        return function(*arguments)
