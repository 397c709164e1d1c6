"""BicycleGAN: pairs, one direction, and what each of its losses trains."""

import dataclasses

import keras
import numpy as np
import pytest
from conformance.methods import fewer_layers, tiny, tiny_batch

import munit_tf
from munit_tf.config.options import DataConfig, TrainConfig
from munit_tf.errors import InputError
from munit_tf.models.bicyclegan import BicycleGANConfig

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(scope="module")
def model():
    return tiny("bicyclegan")


def test_it_goes_from_a_to_b_only(model):
    images = tiny_batch(model, 1)["a"]
    assert set(model.signatures()) == {"translate_a2b", "guided_a2b"}
    with pytest.raises(ValueError, match="direction 'b2a': must be one of a2b"):
        model.translate(images, "b2a")
    with pytest.raises(ValueError, match="domain 'a': BicycleGAN has styles of b only"):
        model.encode_style(images, "a")


def test_pairs_are_asked_for():
    data = DataConfig(dataset="shapes")
    train = TrainConfig(method="bicyclegan")
    with pytest.raises(InputError, match="--method=bicyclegan learns from pairs: add --paired"):
        BicycleGANConfig().check_run(data, train)
    BicycleGANConfig().check_run(dataclasses.replace(data, paired=True), train)


def test_weights_of_terms_are_the_papers():
    model = munit_tf.create("bicyclegan", gen_dim=1, dis_dim=1, num_downsample=3, num_scales=1)
    terms = ("adv_d", "adv_d_prior", "adv_g", "adv_g_prior", "recon_x", "recon_s", "kl")
    assert [model.loss_weight(term) for term in terms] == [1, 1, 1, 1, 10, 0.5, 0.01]


def test_losses_compare_what_they_should(model):
    batch = tiny_batch(model, 2)
    mean, log_variance = (x.numpy() for x in model.posterior(batch["b"], "b"))
    style = mean + np.exp(log_variance / 2) * batch["epsilon_b"]
    encoded = model.translate(batch["a"], "a2b", style=style).numpy()
    prior = model.translate(batch["a"], "a2b", style=batch["style_b"]).numpy()
    losses = model.generator_losses("a", "b", batch, model.make_fakes("a", "b", batch))
    expected = {
        "recon_x/b": np.abs(encoded - batch["b"]).mean(),
        "recon_s/b": np.abs(model.encode_style(prior, "b").numpy() - batch["style_b"]).mean(),
        "kl/b": (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1).mean() / 2,
        "adv_g/b": np.mean((model.discriminate(encoded, "encoded")[0].numpy() - 1) ** 2),
        "adv_g_prior/b": np.mean((model.discriminate(prior, "prior")[0].numpy() - 1) ** 2),
    }
    assert {name: float(value) for name, value in losses.items()} == pytest.approx(expected, rel=1e-4)


def after_a_step(method, **options):
    keras.utils.set_random_seed(1)
    model = tiny(method, **fewer_layers(method), **options)
    model.train_step(tiny_batch(model, 2))
    return {name: variable.numpy() for name, variable in model.named_weights().items()}


@pytest.mark.parametrize("method", ["bicyclegan", "drit"])
def test_the_latent_loss_does_not_train_the_encoder(method):
    """However much it weighs; the encoder's step stays the same bit for bit, the generator's does not."""
    first, other = (after_a_step(method, recon_s_weight=weight) for weight in (0.5, 50.0))
    differs = {name for name in first if not np.array_equal(first[name], other[name])}
    encoders = {name for name in first if "style_encoder" in name.split("/")}
    assert encoders and not differs & encoders
    assert any(name.endswith("to_image/conv/kernel") for name in differs)


def test_the_reconstruction_trains_the_encoder():
    first, other = (after_a_step("bicyclegan", recon_x_weight=weight) for weight in (1.0, 50.0))
    name = "generators/b/style_encoder/head/kernel"
    assert not np.array_equal(first[name], other[name])
