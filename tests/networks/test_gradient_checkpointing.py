"""Recomputed results, and graphs for known sizes."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from munit_tf.networks import graph_target
from munit_tf.networks.decoders import AdaINDecoder
from munit_tf.networks.gradient_checkpointing import recomputing


@pytest.fixture(scope="module")
def decoder():
    layer = AdaINDecoder(2, 1, 2, 4, "relu", "reflect")
    layer(tf.zeros((1, 4, 4, 4)), tf.zeros((1, 3)))
    return layer


def gradients(decoder, wanted):
    """(number of convolutions in the graph, gradients) of a function of two decodings."""
    content, style = (tf.random.stateless_normal(shape, [1, 2]) for shape in ((1, 4, 4, 4), (1, 3)))

    @tf.function(autograph=False)
    def function(content, style):
        weights = decoder.trainable_variables
        with tf.GradientTape() as tape, recomputing(wanted):
            tape.watch(content)
            first, second = decoder(content, style), decoder(content, 2 * style)
            loss = tf.reduce_mean(first * second)
        return tape.gradient(loss, [content, *weights])

    operations = function.get_concrete_function(content, style).graph.get_operations()
    convolutions = [each for each in operations if each.type == "Conv2D"]
    waiting = [each for each in operations if each.type == "Identity" and each.control_inputs]
    return len(convolutions), len(waiting), function(content, style)


def test_recomputing_in_a_graph(decoder):
    """Each convolution twice, and each block's gradient but the first waits for the one before."""
    count, _, plain = gradients(decoder, wanted=False)
    higher_count, waiting, recomputed = gradients(decoder, wanted=True)
    assert higher_count == 2 * count
    blocks = 2 * (2 + 1)  # Two residual ones and the upsampling, in either decoding.
    assert waiting >= blocks - 1
    for wanted, actual in zip(plain, recomputed):
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("portable", [False, True])
def test_sizes_and_constants(portable):
    """What depends on known sizes only is not in the graph, but for graphs that go elsewhere."""

    @tf.function(input_signature=[tf.TensorSpec([2, None, 3])])
    def function(x):
        two, length, three = graph_target.sizes(x)
        assert (two, three) == (2, 3) and tf.is_tensor(length)
        known, again, unknown = (graph_target.constant(tf.range, size) for size in (three, three, length))
        if portable:
            assert known.op.type == "Const"
        else:
            assert known is again
        assert unknown.op.type == "Range"
        return tf.identity(known), unknown

    with graph_target.portable() if portable else contextlib.nullcontext():
        results = function(tf.zeros((2, 4, 3)))
    for actual, expected in zip(results, ([0, 1, 2], [0, 1, 2, 3])):
        np.testing.assert_array_equal(actual, expected)
    assert graph_target.sizes(tf.zeros((2, 4))) == [2, 4]
