"""Decoders."""

import numpy as np
import pytest
import tensorflow as tf

from munit_tf.networks.decoders import AdaINDecoder


@pytest.mark.parametrize("activation, slope", [("relu", 0), ("lrelu", 0.2), ("prelu", 0.25)])
def test_the_mlp_has_the_decoders_activation(activation, slope):
    """With identities for kernels, style 1, -1 becomes 1, -slope after the first hidden layer."""
    decoder = AdaINDecoder(2, 0, 1, 2, activation, "reflect")
    decoder(tf.zeros([1, 8, 8, 2]), tf.zeros([1, 2]))
    for layer in decoder.mlp[:2]:
        layer.kernel.assign(np.eye(2))
    last = np.zeros((2, 8))
    last[0, 0] = last[1, 1] = 1
    decoder.mlp[2].kernel.assign(last)
    [(_, offset), (scale, _)] = decoder._adain_parameters(tf.constant([[1.0, -1.0]]))
    np.testing.assert_allclose(offset.numpy().ravel(), [1, -(slope**2)], rtol=1e-6)
    assert not scale.numpy().any()
