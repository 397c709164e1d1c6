"""Gradients that pass through a network to its input and do not train its weights."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def with_fixed_weights(function: Callable[..., tf.Tensor], x: tf.Tensor, *arguments: Any) -> tf.Tensor:
    """Returns function(x, *arguments); its gradient reaches `x` but no weight.

    Args:
        function: takes `x` and `arguments`; applies layers that have their weights already.
        x: a tensor.
        *arguments: other arguments, without gradient.
    """

    @tf.custom_gradient
    def run(x):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            y = function(x, *arguments)

        def gradient(dy, variables):
            return tape.gradient(y, x, dy), [None] * len(variables)

        return y, gradient

    return run(x)
