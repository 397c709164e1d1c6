"""Forward passes and training steps are those of the authors' implementation.

Bounds in float64 are the rounding of the stored numbers; in float32 those that an independent
implementation reached. Outputs and losses are compared: the authors also train conv biases before an
instance norm, whose gradient is rounding noise, and which change neither.
"""

import numpy as np
import pytest
from reference import Golden

import munit_tf
from munit_tf.networks.conv2d import winograd

pytestmark = pytest.mark.usefixtures("eagerly")

# The authors' names, where they are not `gen_` and ours.
LOSSES = {
    "munit": {"adv_d": "dis", "adv_g": "gen_adv", "cycle_x": "gen_cycrecon_x"},
    "unit": {"adv_d": "dis", "adv_g": "gen_adv", "cycle_x": "gen_cyc_x", "kl": "gen_recon_kl"},
}
TERMS = {
    "munit": {"adv_d", "adv_g", "recon_x", "recon_s", "recon_c", "cycle_x"},
    "unit": {"adv_d", "adv_g", "recon_x", "cycle_x", "kl", "kl_cycle"},
}
# The latent of the image that went there and back.
KL_CYCLE = {"kl_cycle/a": "gen_recon_kl_cyc_aba", "kl_cycle/b": "gen_recon_kl_cyc_bab"}


def golden_model(name):
    golden = Golden(name)
    model = munit_tf.create(golden.method, **golden.options())
    golden.load_weights(model)
    model.compile(run_eagerly=True)
    return golden, model


def outputs(model, golden):
    """{golden's name: array}."""
    x_a, x_b = golden["x_a"], golden["x_b"]
    if golden.method == "unit":
        return {
            "content_a": model.encode_content(x_a, "a").numpy(),
            "content_b": model.encode_content(x_b, "b").numpy(),
            "x_aa": model.decode(*model.encode(x_a, "a"), "a").numpy(),
            "x_bb": model.decode(*model.encode(x_b, "b"), "b").numpy(),
            "x_ab": model.translate(x_a, "a2b").numpy(),
            "x_ba": model.translate(x_b, "b2a").numpy(),
        }
    (content_a, style_a), (content_b, style_b) = model.encode(x_a, "a"), model.encode(x_b, "b")
    results = {
        "content_a": content_a,
        "content_b": content_b,
        "style_a": style_a,
        "style_b": style_b,
        "x_aa": model.decode(content_a, style_a, "a"),
        "x_bb": model.decode(content_b, style_b, "b"),
        "x_ab": model.translate(x_a, "a2b", style=golden["styles_b"][0]),
        "x_ba": model.translate(x_b, "b2a", style=golden["styles_a"][0]),
        "x_ab_guided": model.decode(content_a, style_b, "b"),
        "x_ba_guided": model.decode(content_b, style_a, "a"),
    }
    for domain, images in (("a", x_a), ("b", x_b)):
        for i, logits in enumerate(model.discriminate(images, domain)):
            results[f"dis_{domain}_real_scale{i}"] = logits
    return {name: result.numpy() for name, result in results.items()}


def compare(results, golden, prefix, content, images, styles, logits):
    """`logits` is relative, the others are absolute."""
    for name, result in results.items():
        expected = golden[f"{prefix}/{name}"]
        if name.startswith("dis"):
            np.testing.assert_allclose(result, expected, rtol=logits, err_msg=name)
        else:
            bound = {"con": content, "sty": styles}.get(name[:3], images)
            np.testing.assert_allclose(result, expected, rtol=0, atol=bound, err_msg=name)


def train(model, golden, bounds):
    """Takes every step; `bounds` are relative, one a step."""
    for step, bound in enumerate(bounds):
        logs = model.train_step(golden.batch(step))
        assert set(logs) == {"loss_d", "loss_g"} | {
            f"{term}/{domain}"
            for term in TERMS[golden.method]
            for domain in "ab"
            if term != "cycle_x" or model.config.cycle_weight
        }
        for name, value in logs.items():
            term, _, domain = name.partition("/")
            official = {"loss_d": "dis_total", "loss_g": "gen_total", **KL_CYCLE}.get(name)
            official = official or f"{LOSSES[golden.method].get(term, f'gen_{term}')}_{domain}"
            expected = float(golden[f"step{step + 1}/loss_{official}"])
            assert float(value) == pytest.approx(expected, rel=bound), f"step {step + 1}: {name}"


@pytest.mark.parametrize("name, steps", [("munit_lsgan_64", 3), ("munit_cycle_64x96", 2), ("unit_64", 2)])
def test_float64(name, steps, policy):
    policy("float64")
    golden, model = golden_model(name)
    bounds = dict(content=1e-6, images=3e-7, styles=3e-7, logits=3e-7)
    compare(outputs(model, golden), golden, "initial", **bounds)
    train(model, golden, [3e-7] * steps)
    compare(outputs(model, golden), golden, f"after{steps}", **bounds)


@pytest.mark.parametrize("name", ["munit_cycle_64x96", "unit_64"])
@pytest.mark.parametrize(
    "dtype, loss, bounds",
    [
        ("float64", 3e-7, dict(content=1e-6, images=3e-7, styles=3e-7, logits=3e-7)),
        ("float32", 2e-6, dict(content=2e-5, images=1.5e-5, styles=2e-6, logits=3e-6)),
    ],
)
def test_winograd(name, dtype, loss, bounds, monkeypatch, policy):
    """The convolutions of larger networks, for which the bounds are the same."""
    policy(dtype)
    monkeypatch.setattr(winograd, "LEAST_CHANNELS", 1)
    monkeypatch.setattr(winograd, "LEAST_PIXELS", 1)
    golden, model = golden_model(name)
    compare(outputs(model, golden), golden, "initial", **bounds)
    train(model, golden, [loss])


@pytest.mark.parametrize(
    "name, losses, images_after",
    [
        # A pre-activation within rounding of ReLU's kink lets later losses and images go apart.
        ("munit_lsgan_64", [2e-6, 3e-4, 3e-4], 2e-2),
        ("munit_cycle_64x96", [2e-6, 5e-6], 3e-4),
        ("unit_64", [2e-6, 3e-4], 2e-2),
    ],
)
def test_float32(name, losses, images_after):
    golden, model = golden_model(name)
    compare(outputs(model, golden), golden, "initial", content=2e-5, images=1.5e-5, styles=2e-6, logits=3e-6)
    train(model, golden, losses)
    after = {k: v for k, v in outputs(model, golden).items() if k.startswith(("x_", "dis"))}
    compare(after, golden, f"after{len(losses)}", content=0, images=images_after, styles=0, logits=3e-6)
