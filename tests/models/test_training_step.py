"""The gradients of a step: one backward pass, whatever a loss must not train."""

import collections

import keras
import numpy as np
import pytest
import tensorflow as tf
from conformance.methods import fewer_layers, tiny, tiny_batch

from munit_tf import keras_compat
from munit_tf.models import bicyclegan, drit

MODULES = {"bicyclegan": bicyclegan, "drit": drit}


@pytest.mark.parametrize("method", MODULES)
def test_every_convolution_has_at_most_one_gradient(method):
    model = tiny(method, **fewer_layers(method))
    specs = {name: tf.TensorSpec(x.shape, x.dtype) for name, x in tiny_batch(model, 1).items()}
    step = tf.function(model.train_step, autograph=False).get_concrete_function(specs)
    counts = collections.Counter(operation.type for operation in step.graph.get_operations())
    assert counts["Conv2D"] > 20
    assert counts["Conv2DBackpropFilter"] <= counts["Conv2D"]
    assert counts["Conv2DBackpropInput"] <= counts["Conv2D"]


def gradients_of_generators(method, monkeypatch, **options):
    """{name of a weight: its gradient in a step}."""
    seen = []
    monkeypatch.setattr(keras_compat, "apply_gradients", lambda _, gradients, weights: seen.append(gradients))
    keras.utils.set_random_seed(7)
    model = tiny(method, **fewer_layers(method), **options)
    model.train_step(tiny_batch(model, 2))
    names = [
        name
        for name, weight in model.named_weights().items()
        if weight.trainable and name.startswith("generators/")
    ]
    assert len(seen) == 2 and len(seen[1]) == len(names)
    return {name: np.array(gradient) for name, gradient in zip(names, seen[1])}


@pytest.mark.parametrize("method", MODULES)
def test_the_latent_loss_trains_all_but_the_encoder_through_it(method, policy, monkeypatch):
    """The encoder's gradient is that of the step without the term, all others that of the whole sum."""
    policy("float64")
    actual = gradients_of_generators(method, monkeypatch, recon_s_weight=3.0)
    without = gradients_of_generators(method, monkeypatch, recon_s_weight=0.0)
    monkeypatch.setattr(
        MODULES[method], "with_fixed_weights", lambda function, *arguments: function(*arguments)
    )
    whole = gradients_of_generators(method, monkeypatch, recon_s_weight=3.0)
    for name, gradient in actual.items():
        expected = without if "style_encoder" in name.split("/") else whole
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-9, atol=1e-12, err_msg=name)
    differs = {name for name in actual if not np.allclose(whole[name], without[name], rtol=1e-6, atol=1e-9)}
    assert any("style_encoder" in name for name in differs)
    assert any("style_encoder" not in name for name in differs)
