"""The gradient passes through a layer with fixed weights, and another use of it trains them."""

import numpy as np
import pytest
import tensorflow as tf

from munit_tf.networks.fixed_weights import with_fixed_weights
from munit_tf.networks.gradient_checkpointing import recomputing
from munit_tf.networks.layers import ConvBlock


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("recompute", [False, True])
def test_only_the_input_and_other_uses_have_a_gradient(in_graph, recompute):
    layer = ConvBlock(1, 1, 1, 0, "none", "prelu")
    layer(tf.zeros((1, 1, 1, 1)))
    layer.conv.kernel.assign([[[[3.0]]]])
    layer.conv.bias.assign([1.0])
    x, other = tf.fill((1, 1, 1, 1), 2.0), tf.fill((1, 1, 1, 1), -5.0)

    def gradients():
        weights = layer.trainable_variables
        with tf.GradientTape() as tape, recomputing(recompute):
            tape.watch(x)
            fixed = with_fixed_weights(lambda x, factor: factor * layer(x), x, 10.0)
            loss = tf.reduce_sum(fixed + layer(other))
        return fixed, tape.gradient(loss, [x, *weights])

    fixed, (of_x, *of_weights) = (tf.function(gradients, autograph=False) if in_graph else gradients)()
    assert fixed.numpy().item() == 70 and of_x.numpy().item() == 30
    # Of the other use alone: -5 x 3 + 1 = -14 at PReLU's slope of 0.25, for kernel, bias and slope.
    np.testing.assert_allclose([each.numpy().item() for each in of_weights], [-1.25, 0.25, -14])
