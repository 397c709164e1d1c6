"""MISO's public methods, its losses, and the traps that its authors' idea holds."""

import numpy as np
import pytest
import tensorflow as tf
from conformance.methods import fewer_layers, tiny, tiny_batch

import munit_tf

pytestmark = pytest.mark.usefixtures("eagerly")

TERMS = (
    "adv_d", "adv_d_prior", "adv_g", "adv_g_prior", "cycle_x", "cycle_x_prior", "info_encoded", "info_prior",
    "kl",
)  # fmt: skip


@pytest.fixture(scope="module")
def shared_model():
    return tiny("miso")


@pytest.fixture
def model(shared_model):
    """What a test changes of it is set back afterwards."""
    before = {name: variable.numpy() for name, variable in shared_model.named_state().items()}
    yield shared_model
    for name, variable in shared_model.named_state().items():
        variable.assign(before[name])


def generator_losses(model, batch, target="b"):
    """{name: scalar} of the direction into `target`."""
    source = "ab".replace(target, "")
    batch = model.prepare(batch)
    return model.generator_losses(source, target, batch, model.make_fakes(source, target, batch))


def names(*terms):
    return {f"{term}/{domain}" for term in terms for domain in "ab"}


def test_terms_of_a_step(model):
    logs = model.train_step(tiny_batch(model, 2))
    assert set(logs) == names(*TERMS) | {"loss_d", "loss_g"}


def test_weights_of_terms():
    model = munit_tf.create(
        "miso", gen_dim=1, dis_dim=1, num_res_blocks=1, gan_weight=2, cycle_weight=3, info_weight=4,
        kl_weight=5, recon_x_weight=6,
    )  # fmt: skip
    terms = (*TERMS, "recon_x")
    assert [model.loss_weight(term) for term in terms] == [2, 2, 2, 2, 3, 3, 4, 4, 5, 6]


@pytest.mark.parametrize(
    "options, absent, present",
    [
        (dict(cycle_prior=False), ["cycle_x_prior"], []),
        (dict(cycle_weight=0), ["cycle_x", "cycle_x_prior"], []),
        (dict(info_encoded=False), ["info_encoded"], []),
        (dict(info_weight=0, recon_x_weight=10), ["info_encoded", "info_prior"], ["recon_x"]),
        (dict(style_to_generator=True), [], []),
        (dict(info_gradient_to_style=True, kl_weight=0), ["kl"], []),
    ],
    ids=str,
)
def test_options_train(options, absent, present):
    model = tiny("miso", **fewer_layers("miso"), **options)
    before = {name: variable.numpy() for name, variable in model.named_weights().items()}
    logs = model.train_step(tiny_batch(model, 2))
    assert set(logs) == names(*(set(TERMS) | set(present)) - set(absent)) | {"loss_d", "loss_g"}
    assert all(np.isfinite(value) for value in logs.values())
    for name, variable in model.named_weights().items():
        # An instance norm takes these biases away again.
        removed = name.endswith("/conv/bias") and ("/conditional_encoder/" in name or "/res_blocks/" in name)
        assert removed == np.array_equal(before[name], variable.numpy()), name


def test_no_separable_content(model):
    """And it says why; `hasattr` is how others find out."""
    for name in ("encode", "decode"):
        assert not hasattr(model, name)
        with pytest.raises(AttributeError, match=f"MISO has no {name}: its features depend on the"):
            getattr(model, name)


def test_wrong_domain_direction_and_size(model):
    images = tiny_batch(model, 1)["a"]
    with pytest.raises(ValueError, match="must be a or b"):
        model.encode_style(images, "c")
    with pytest.raises(ValueError, match="a2b, b2a"):
        model.translate(images, "a2c")
    with pytest.raises(ValueError, match="multiples of 4"):
        model.translate(images[:, 1:], "a2b")


def test_encode_style_is_the_posteriors_mean_and_guides(model):
    batch = tiny_batch(model, 2)
    mean, _ = model.posterior(batch["b"], "b")
    np.testing.assert_array_equal(model.encode_style(batch["b"], "b").numpy(), mean.numpy())
    assert mean.shape == (2, 3)
    guided = model.translate(batch["a"], "a2b", style=mean)
    assert guided.shape == batch["a"].shape and guided.dtype == tf.float32


@pytest.mark.parametrize("options", [{}, dict(style_to_generator=True)], ids=str)
def test_the_style_changes_the_image(options):
    """It would not where it is tiled onto a convolution that instance norm follows."""
    model = tiny("miso", **options)
    images = tiny_batch(model, 2)["a"]
    first, second = (model.translate(images, "a2b", style=tf.fill([2, 3], z)).numpy() for z in (-1.0, 1.0))
    assert np.abs(first - second).mean() > 0.03


def test_the_style_is_of_the_outputs_domain(model):
    """What E_A says of a matters to images made in a, and not to those made in b."""
    batch = tiny_batch(model, 2)
    before = {d: model.make_fakes("ab".replace(d, ""), d, model.prepare(batch))["fakes"][:2] for d in "ab"}
    model.generators["a"].style_encoder.head.bias.assign_add([1.0, -1.0, 1.0])
    after = {d: model.make_fakes("ab".replace(d, ""), d, model.prepare(batch))["fakes"][:2] for d in "ab"}
    np.testing.assert_array_equal(after["b"].numpy(), before["b"].numpy())
    assert np.abs(after["a"] - before["a"]).mean() > 1e-3


def guess(model, domain, mean, log_variance):
    """Makes a style encoder say one thing of every image."""
    encoder = model.generators[domain].style_encoder
    for head, value in ((encoder.head, mean), (encoder.log_variance_head, log_variance)):
        head.kernel.assign(tf.zeros_like(head.kernel))
        head.bias.assign(value)


def test_milo_falls_where_the_style_encoder_is_right_and_rises_where_it_is_wrong(model):
    """sum of (z - mean)^2 / variance / 2 + ln(variance) / 2, over 3: with z = (1, -1, 2)."""
    batch = {**tiny_batch(model, 2), "style_b": np.array([[1, -1, 2]] * 2, "float32")}
    found = {}
    for sure, variance in (("unsure", 1.0), ("sure", 0.25)):
        for mean in ([1.0, -1, 2], [0.0, 0, 0]):
            guess(model, "b", mean, np.full(3, np.log(variance)))
            found[sure, mean[0]] = float(generator_losses(model, batch)["info_prior/b"])
    assert found["unsure", 1.0] == pytest.approx(0, abs=1e-6)
    assert found["unsure", 0.0] == pytest.approx(1)
    assert found["sure", 1.0] == pytest.approx(np.log(0.25) / 2)
    assert found["sure", 0.0] == pytest.approx(4 + np.log(0.25) / 2)


def test_milo_asks_the_style_encoder_of_the_fakes_domain(model):
    """E_A has no say in what an image of b was made with; swapped with E_B it changes the loss."""
    batch = tiny_batch(model, 2)
    before = {d: float(generator_losses(model, batch, d)[f"info_prior/{d}"]) for d in "ab"}
    guess(model, "a", [3.0, 3, 3], [0.0, 0, 0])
    after = {d: float(generator_losses(model, batch, d)[f"info_prior/{d}"]) for d in "ab"}
    assert after["b"] == before["b"] and abs(after["a"] - before["a"]) > 0.5
    first, second = (model.generators[d].style_encoder.weights for d in "ab")
    for mine, theirs, value in [(x, y, np.array(x)) for x, y in zip(first, second)]:
        mine.assign(theirs)
        theirs.assign(value)
    swapped = float(generator_losses(model, batch, "b")["info_prior/b"])
    assert abs(swapped - before["b"]) > 0.5


@pytest.mark.parametrize("reaches", [False, True])
def test_gradient_of_milos_target(reaches):
    """With the fakes held still, the encoded style is in MILO as its target only."""
    model = tiny("miso", info_gradient_to_style=reaches)
    batch = tiny_batch(model, 2)
    with tf.GradientTape() as tape:
        prepared = model.prepare(batch)
        tape.watch(prepared["encoded_b"])
        made = tf.nest.map_structure(tf.stop_gradient, model.make_fakes("a", "b", prepared))
        milo = model.generator_losses("a", "b", prepared, made)["info_encoded/b"]
    gradient = tape.gradient(milo, prepared["encoded_b"])
    assert (gradient is not None) == reaches
    if reaches:
        assert np.abs(gradient).max() > 1e-3


def test_the_generators_input_keeps_its_gradient_to_the_style_encoder(model):
    batch = tiny_batch(model, 2)
    with tf.GradientTape() as tape:
        prepared = model.prepare(batch)
        fake = model.make_fakes("a", "b", prepared)["fakes"][:2]
        loss = tf.reduce_sum(fake[..., 0])
    kernel = tape.gradient(loss, model.named_weights()["generators/b/style_encoder/head/kernel"])
    assert np.abs(kernel).max() > 0


def test_with_the_gradient_at_its_target_the_posterior_collapses():
    """MILO alone: the encoder gains by drawing styles that are easy to guess, and ends at the clamp, exp(-3).

    The fakes are held still, so that nothing but the width of the posterior is learned.
    """
    stds = {}
    for reaches in (False, True):
        model = tiny("miso", info_gradient_to_style=reaches, **fewer_layers("miso"))
        bias = model.named_weights()["generators/b/style_encoder/log_variance_head/bias"]
        images = tiny_batch(model, 4)
        for step in range(15):
            batch = {**images, "epsilon_b": tf.random.stateless_normal([4, 3], [step, 0])}
            with tf.GradientTape() as tape:
                prepared = model.prepare(batch)
                made = {"fakes": tf.concat([batch["b"]] * 2, axis=0)}
                milo = model.generator_losses("a", "b", prepared, made)["info_encoded/b"]
            bias.assign_sub(6.0 * tape.gradient(milo, bias))
        stds[reaches] = model.measures(images["b"], "b")["posterior_std"].numpy().mean()
    assert stds[True] < 0.07
    assert stds[False] > 0.3


def test_measures_are_the_posteriors_width(model):
    """A mean over dimensions, for each image; clamped."""
    images = tiny_batch(model, 2)
    guess(model, "a", [0.0, 0, 0], np.log([0.25, 0.25, 1.0]))
    guess(model, "b", [0.0, 0, 0], [-100.0] * 3)
    for domain, expected in (("a", (0.5 + 0.5 + 1) / 3), ("b", np.exp(-3))):
        measures = model.measures(images[domain], domain)
        assert set(measures) == {"posterior_std"}
        np.testing.assert_allclose(measures["posterior_std"], [expected] * 2, rtol=1e-6)


@pytest.mark.parametrize(
    "name, values, warns",
    [
        ("posterior_std/b", [1.0, 0.3], False),
        ("posterior_std/b", [1.0, 0.055], True),  # At the clamp, exp(-3) = 0.0498.
        ("kl/b", [2.0, 0.5], False),
        ("kl/b", [2.0, 0.05], True),  # Back at the prior.
        ("kl/b", [0.2, 0.05], False),  # It never was far from it.
    ],
)
def test_both_collapses_of_the_posterior_are_warned_of(name, values, warns):
    now, lowest, highest = values[-1], min(values), max(values)
    found = [
        check.message.format(name=name, value=now, lowest=lowest, highest=highest)
        for check in munit_tf.METHODS["miso"].collapse_checks
        if check.measure == name.split("/")[0] and check.is_wrong(now, lowest, highest)
    ]
    assert len(found) == warns
    assert all(f"{name} is {now:.3f}" in message for message in found)
