"""Moving averages of weights: a generator with averaged weights gives better images than the newest one.

Yazici et al. 2019, "The unusual effectiveness of averaging in GAN training". Half-life and warm-up are as in
StyleGAN2-ADA (Karras et al. 2020, appendix).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import tensorflow as tf

# The half-life is at most this fraction of the images seen, so that short runs have useful averages.
_WARM_UP = 0.05


class AveragedWeights:
    """Exponential moving averages of weights, which start at the weights' current values.

    Args:
        weights: {name: weight}.
        half_life: images of each domain after which the weight of an old value is halved.

    Attributes:
        variables: {name: average}; training state that no optimizer updates.
    """

    def __init__(self, weights: Mapping[str, tf.Variable], half_life: int) -> None:
        self._weights = dict(weights)
        self._half_life = half_life
        # Every replica computes the same average of the same weights, so no synchronization is needed.
        self.variables = {
            name: tf.Variable(
                tf.convert_to_tensor(weight),
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )
            for name, weight in self._weights.items()
        }

    def update(self, step: tf.Tensor, batch_size: tf.Tensor) -> None:
        """Includes the weights after a step in the averages.

        Args:
            step: integer scalar, the number of training steps taken, at least 1.
            batch_size: integer scalar, images of each domain in one step, over all replicas.
        """
        batch = tf.cast(batch_size, tf.float64)
        half_life = tf.minimum(
            tf.constant(self._half_life, tf.float64), _WARM_UP * batch * tf.cast(step, tf.float64)
        )
        rate = 1 - tf.constant(0.5, tf.float64) ** (batch / half_life)
        for name, average in self.variables.items():
            change = tf.convert_to_tensor(self._weights[name]) - average
            average.assign_add(tf.cast(rate, change.dtype) * change)

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Replaces the weights by their averages in the block."""
        newest = {name: tf.identity(weight) for name, weight in self._weights.items()}
        try:
            for name, weight in self._weights.items():
                weight.assign(tf.convert_to_tensor(self.variables[name]))
            yield
        finally:
            for name, weight in self._weights.items():
                weight.assign(newest[name])
