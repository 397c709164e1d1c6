"""UNIT: one latent, no style."""

import numpy as np
import pytest
from conformance.methods import tiny, tiny_batch

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(scope="module")
def model():
    return tiny("unit")


def test_translation_is_the_other_domains_reading_of_the_latent(model):
    images = tiny_batch(model, 2)["a"]
    latent, style = model.encode(images, "a")
    assert style is None and latent.shape == (2, 4, 4, 16)
    expected = model.decode(latent, None, "b").numpy()
    for seed in (0, 1):
        np.testing.assert_array_equal(model.translate(images, "a2b", seed=seed).numpy(), expected)
    assert np.abs(model.decode(latent, None, "a").numpy() - expected).max() > 1e-3


def test_a_style_is_refused(model):
    images = tiny_batch(model, 1)["a"]
    with pytest.raises(ValueError, match="UNIT has no style"):
        model.translate(images, "a2b", style=np.zeros((1, 8), "float32"))
    assert model.style_dim == 0 and not model.has_style_encoder
    assert set(model.signatures()) == {"translate_a2b", "translate_b2a", "encode_a", "encode_b"}
    function, shapes = model.signatures()["encode_b"]
    assert set(shapes) == {"images"} and set(function(images=images)) == {"content"}


def test_noise_is_of_the_latents_size_and_changes_what_is_decoded(model):
    assert model.noise_shapes(32, 48) == {
        f"{name}_{domain}": (8, 12, 16) for name in ("noise", "noise_cycle") for domain in "ab"
    }
    batch = {name: np.asarray(value) for name, value in tiny_batch(model, 1).items()}
    silent = {name: np.zeros_like(value) if "noise" in name else value for name, value in batch.items()}
    made, quiet = (model.make_fakes("a", "b", x) for x in (batch, silent))
    np.testing.assert_array_equal(made["mean"].numpy(), quiet["latent"].numpy())
    np.testing.assert_allclose(made["latent"] - made["mean"], batch["noise_a"], atol=1e-6)
    np.testing.assert_array_equal(quiet["fake"].numpy(), model.translate(batch["a"], "a2b").numpy())
    losses = model.generator_losses("a", "b", silent, quiet)
    assert float(losses["kl/a"]) == pytest.approx(float(np.mean(quiet["mean"].numpy() ** 2)), rel=1e-5)
    again = model.encode_content(quiet["fake"], "b")
    back = model.decode(again, None, "a").numpy()
    assert float(losses["cycle_x/a"]) == pytest.approx(float(np.abs(back - batch["a"]).mean()), rel=1e-5)
    assert float(losses["kl_cycle/a"]) == pytest.approx(float(np.mean(again.numpy() ** 2)), rel=1e-5)
