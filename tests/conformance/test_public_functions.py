"""Every method's public functions: compiled once for a kind of input, and strict about it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conformance.methods import tiny, tiny_batch

import munit_tf


@pytest.fixture(scope="module", params=sorted(munit_tf.METHODS))
def model(request):
    """Shared; `test_a_training_step_does_not_use_them` changes its weights."""
    keras.utils.set_random_seed(3)
    return tiny(request.param)


def images(model, count=1, more=0):
    size = max(16, model.config.smallest_size) + more
    return np.random.default_rng(0).uniform(-1, 1, (count, size, size, 3)).astype("float32")


def calls(model):
    """{name: (public function of images, style and seed, uncompiled function of images and style)}."""
    found = {
        "_translate": (
            lambda x, style, seed: model.translate(x, "a2b", style=style, seed=seed),
            lambda x, style: model._translate(x, style, model.source_and_target("a2b")),
        )
    }
    if model.has_style_encoder:
        found["_encode_style"] = (
            lambda x, style, seed: model.encode_style(x, "b"),
            lambda x, style: model._encode_style(x, "b"),
        )
    if model.has_content_code:
        found["_encode"] = (
            lambda x, style, seed: model.encode(x, "a"),
            lambda x, style: model._encode(x, "a"),
        )
        found["_encode_content"] = (
            lambda x, style, seed: model.encode_content(x, "a"),
            lambda x, style: model._encode_content(x, "a"),
        )
        found["_decode"] = (
            lambda x, style, seed: model.decode(model._encode_content(x, "a"), style, "b"),
            lambda x, style: model._decode(model._encode_content(x, "a"), style, "b"),
        )
    return found


def test_they_give_what_they_give_uncompiled(model):
    x = images(model)
    style = model.prior_style(1, seed=4) if model.style_dim else None
    for name, (public, plain) in calls(model).items():
        results = zip(tf.nest.flatten(public(x, style, 0)), tf.nest.flatten(plain(tf.constant(x), style)))
        for result, expected in results:
            if expected is not None:
                np.testing.assert_allclose(result, expected, atol=2e-5, err_msg=name)


def test_they_are_compiled_once_for_a_kind_of_input(model):
    """Neither seeds nor styles nor the type of array are another kind; a second size is, a third is not."""
    functions = calls(model)
    # All are compiled in the same place: of the others, one function is enough.
    names = functions if isinstance(model, munit_tf.METHODS["munit"]) else ["_translate"]
    for name in names:
        public, _ = functions[name]
        traces = []
        for count, more, seed in ((1, 0, 0), (1, 0, 1), (1, 4, 0), (2, 8, 2), (3, 12, 3)):
            x = images(model, count, more * model.config.size_multiple)
            style = np.full((count, model.style_dim), seed, "float64") if model.style_dim else None
            public(x, style, seed)
            public(tf.constant(x), style, seed)
            traces.append(model._compiled_functions[name].experimental_get_tracing_count())
        assert traces[0] == traces[1] and traces[2] <= traces[0] + 1, name
        assert traces[4] == traces[3] <= traces[0] + 2, name


def test_a_training_step_does_not_use_them(model):
    model._compiled_functions.clear()
    model.train_step(tiny_batch(model, 1))
    assert model._compiled_functions == {}


def test_unsuitable_input_is_refused(model):
    x = images(model)
    with pytest.raises(ValueError, match="^images of type uint8: must be floating-point"):
        model.translate(np.zeros(x.shape, "uint8"), "a2b")
    with pytest.raises(ValueError, match="must be multiples of"):
        model.translate(x[:, :-1], "a2b")
    with pytest.raises(ValueError, match="direction 'a2c'"):
        model.translate(x, "a2c")
    if model.has_content_code:
        with pytest.raises(ValueError, match="domain 'c'"):
            model.encode(x, "c")
        style = None if model.style_dim else np.zeros((1, 2))
        with pytest.raises(ValueError, match="needs a style|has no style"):
            model.decode(model.encode_content(x, "a"), style, "b")
    if not model.has_style_encoder:
        with pytest.raises(ValueError, match="has no style encoder"):
            model.encode_style(x, "b")


def test_gradients_pass_through(model):
    """A search for a style needs them."""
    if not model.style_dim:
        pytest.skip("the method has no style")
    style = tf.Variable(model.prior_style(1))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model.translate(images(model), "a2b", style=style) ** 2)
    assert np.abs(tape.gradient(loss, style)).max() > 0
