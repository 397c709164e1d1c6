"""Networks without their numbers: how many weights they have, and how large their feature maps are.

Inside `counting` a layer makes no weights, and what it makes of a tensor is a tensor of a graph that is never
run. So nothing of any size is allocated.
"""

from __future__ import annotations

import contextlib
import contextvars
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Optional

import keras
import tensorflow as tf


class Count:
    """What `counting` has found so far.

    Attributes:
        weights: all numbers that layers keep.
        trained: those among them that a gradient changes.
        graph: the tf.Graph in which the layers were called.
    """

    def __init__(self, graph: tf.Graph) -> None:
        self.weights = 0
        self.trained = 0
        self.graph = graph


_count: contextvars.ContextVar[Optional[Count]] = contextvars.ContextVar("count", default=None)


@contextlib.contextmanager
def counting() -> Iterator[Count]:
    """Inside, layers are counted; they are of no other use afterwards."""
    graph = tf.__internal__.FuncGraph("counting")
    token = _count.set(Count(graph))
    try:
        with graph.as_default(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras 3's, of layers that nothing calls.
            yield _count.get()
    finally:
        _count.reset(token)


def is_on() -> bool:
    """Whether layers are being counted."""
    return _count.get() is not None


def convolved(x: tf.Tensor, shape: Sequence[int], stride: int, padding: int) -> tf.Tensor:
    """A tensor like `x` [N,H,W,C_in] convolved with a kernel of this shape, after a border of `padding`."""
    sides = [[0, 0], [padding, padding], [padding, padding], [0, 0]]
    return tf.nn.conv2d(x, _placeholder(shape, x.dtype), stride, sides)


class Layer(keras.layers.Layer):
    """A layer with weights of its own, which can be counted."""

    def add_weight(self, *, shape: tuple, trainable: bool = True, **options: Any) -> Any:
        """See keras.layers.Layer; inside `counting` what it returns has a shape, and converts to a tensor."""
        count = _count.get()
        if count is None:
            return super().add_weight(shape=shape, trainable=trainable, **options)
        weight = _Weight(shape, self.variable_dtype)
        count.weights += weight.shape.num_elements()
        count.trained += weight.shape.num_elements() if trainable else 0
        return weight

    def add_state(self, shape: tuple, value: tf.Tensor) -> Any:
        """A variable full of `value`, a scalar, of which every replica keeps and updates a copy of its own.

        All of them make the same update, so that none need be exchanged.
        """
        if is_on():
            return self.add_weight(shape=shape, trainable=False)
        return tf.Variable(
            tf.fill(shape, value),
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )


class _Weight:
    """Stands for a weight that is only counted."""

    def __init__(self, shape: tuple, dtype: str) -> None:
        self.shape = tf.TensorShape(shape)
        self.dtype = tf.as_dtype(dtype)


def _placeholder(shape: Sequence[int], dtype: tf.DType) -> tf.Tensor:
    return tf.compat.v1.placeholder(dtype, shape)


def _to_tensor(weight: _Weight, dtype: Any = None, name: Any = None, as_ref: bool = False) -> Any:
    del name, as_ref
    return _placeholder(weight.shape, weight.dtype) if dtype in (None, weight.dtype) else NotImplemented


tf.register_tensor_conversion_function(_Weight, _to_tensor)
