"""DRIT: what is shared, what goes across and back, and the content's discriminator."""

import numpy as np
import pytest
from conformance.methods import fewer_layers, tiny, tiny_batch

import munit_tf

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(scope="module")
def model():
    """Its encoded styles are far from each other, unlike those at the start of training."""
    model = tiny("drit")
    for name, weight in model.named_weights().items():
        if "style_encoder" in name and name.endswith("kernel"):
            weight.assign(weight * (2 / np.prod(weight.shape[:-1])) ** 0.5 / 0.02)
    return model


@pytest.fixture(scope="module")
def silent(model):
    """A batch whose noise is 0, but for the styles of the prior."""
    batch = tiny_batch(model, 2)
    is_zero = ("epsilon", "noise")
    return {name: np.zeros_like(x) if name.startswith(is_zero) else x for name, x in batch.items()}


def test_the_last_layer_of_the_encoder_and_the_first_of_the_decoder_are_shared(model):
    names = {name.split("/")[2] for name in model.named_weights() if name.startswith("generators/shared/")}
    assert names == {"of_encoder", "of_decoder"}
    images = tiny_batch(model, 1)["a"]
    before = [model.encode(images, domain)[0].numpy() for domain in "ab"]
    kernel = model.generators["shared"].of_encoder.first.conv.kernel
    value = kernel.numpy()
    kernel.assign(value * 0)
    after = [model.encode(images, domain)[0].numpy() for domain in "ab"]
    kernel.assign(value)
    assert all(np.abs(x - y).max() > 1e-3 for x, y in zip(before, after))


def test_weights_of_terms_are_the_authors():
    model = munit_tf.create("drit", gen_dim=1, dis_dim=1, num_res_blocks=1)
    terms = (
        "adv_d", "adv_d_prior", "adv_d_content", "adv_g", "adv_g_prior", "adv_g_content", "recon_x",
        "cycle_x", "recon_s", "kl", "kl_content", "mode_seeking",
    )  # fmt: skip
    assert [model.loss_weight(t) for t in terms] == [1, 1, 1, 1, 1, 1, 10, 10, 10, 0.01, 0.01, 0]


def test_losses_compare_what_they_should(model, silent):
    """By the public functions, without noise: styles and contents are what `encode` gives."""
    batch = model.prepare({name: np.asarray(x) for name, x in silent.items()})
    losses = model.generator_losses("a", "b", batch, model.make_fakes("a", "b", batch))
    (content_a, style_a), (content_b, style_b) = (model.encode(silent[d], d) for d in "ab")
    fake_b, fake_a = model.decode(content_a, style_b, "b"), model.decode(content_b, style_a, "a")
    back = model.decode(model.encode(fake_b, "b")[0], model.encode(fake_a, "a")[1], "a")
    prior, other = (model.decode(content_a, silent[name], "b") for name in ("style_b", "style_other_b"))
    found = model.encode_style(prior, "b").numpy()
    logits = model.discriminate(content_a, "content")[0].numpy()
    far = np.abs(prior.numpy() - other.numpy()).mean(axis=(1, 2, 3))
    styles = np.abs(silent["style_b"] - silent["style_other_b"]).mean(axis=1)
    expected = {
        "recon_x/a": np.abs(model.decode(content_a, style_a, "a").numpy() - silent["a"]).mean(),
        "cycle_x/a": np.abs(back.numpy() - silent["a"]).mean(),
        "recon_s/b": np.abs(found - silent["style_b"]).mean(),
        "kl_content/a": (content_a.numpy() ** 2).mean(),
        "adv_g_content/a": (np.log1p(np.exp(logits)) - logits / 2).mean(),
        "mode_seeking/b": (1 / (far / styles + 1e-5)).mean(),
    }
    assert {name: float(losses[name]) for name in expected} == pytest.approx(expected, rel=1e-3)


def test_the_content_discriminator_learns_labels_0_and_1(model, silent):
    batch = model.prepare({name: np.asarray(x) for name, x in silent.items()})
    for source, target, sign in (("a", "b", 1), ("b", "a", -1)):
        made = model.make_fakes(source, target, batch)
        losses = model.discriminator_losses(source, target, batch, made)
        logits = model.discriminate(made["content"], "content")[0].numpy()
        expected = np.log1p(np.exp(sign * logits)).mean()
        assert float(losses[f"adv_d_content/{source}"]) == pytest.approx(expected, rel=1e-5)


def test_mode_seeking_is_off_by_default():
    model = tiny("drit", **fewer_layers("drit"))
    assert "mode_seeking/a" in model.train_step(tiny_batch(model, 1))
    model = tiny("drit", **fewer_layers("drit"), mode_seeking_weight=0)
    assert not any(name.startswith("style_other") for name in model.noise_shapes(16, 16))
    assert "mode_seeking/a" not in model.train_step(tiny_batch(model, 1))
