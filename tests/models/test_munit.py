"""MUNIT's public methods and options."""

import numpy as np
import pytest
import tensorflow as tf
from conformance.methods import fewer_layers, tiny, tiny_batch

import munit_tf

pytestmark = pytest.mark.usefixtures("eagerly")


def test_shapes_of_codes_and_images():
    model = munit_tf.create("munit", gen_dim=4, dis_dim=4, num_res_blocks=1, style_dim=5)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 24, 32, 3)).astype("float32")
    content, style = model.encode(images, "a")
    assert content.shape == (2, 6, 8, 16) and style.shape == (2, 5)
    assert model.decode(content, style, "b").shape == images.shape
    np.testing.assert_array_equal(model.encode_style(images, "a").numpy(), style.numpy())


def test_translate_is_encode_and_decode_across():
    model = tiny("munit")
    images = tiny_batch(model, 2)["a"]
    style = model.prior_style(2, seed=3)
    expected = model.decode(model.encode(images, "a")[0], style, "b").numpy()
    np.testing.assert_array_equal(model.translate(images, "a2b", style=style).numpy(), expected)
    np.testing.assert_array_equal(model.translate(images, "a2b", seed=3).numpy(), expected)


def test_prior_is_standard_normal_and_pinned():
    model = munit_tf.create("munit", gen_dim=1, dis_dim=1, num_res_blocks=1)
    styles = model.prior_style(5000, seed=1).numpy()
    assert styles.shape == (5000, 8)
    assert abs(styles.mean()) < 0.02 and abs(styles.std() - 1) < 0.02


@pytest.mark.parametrize(
    "options, error, message",
    [
        (dict(stile_dim=8), TypeError, "stile_dim"),
        (dict(style_dim=0), ValueError, "--style_dim=0: must be a number from 1 to"),
        (dict(style_dim="8"), ValueError, "must be of type int, not str"),
        (dict(gan_loss="wgan"), ValueError, "must be one of lsgan, nsgan, hinge"),
        (dict(gan_weight=0), ValueError, "--gan_weight=0: must be a number from 1e-09 to"),
        (dict(beta_2=1.0), ValueError, "--beta_2=1.0: must be a number from 0 to 0.999999"),
    ],
)
def test_create_names_the_wrong_option(options, error, message):
    with pytest.raises(error, match=message):
        munit_tf.create("munit", **options)


def test_unknown_method_direction_and_batch():
    with pytest.raises(ValueError, match="unknown method 'pix2pix'; there are munit"):
        munit_tf.create("pix2pix")
    model = tiny("munit")
    batch = tiny_batch(model, 1)
    with pytest.raises(ValueError, match="a2b, b2a"):
        model.translate(batch["a"], "a2c")
    with pytest.raises(ValueError, match="must be a or b"):
        model.encode(batch["a"], "c")
    with pytest.raises(ValueError, match="multiples of 4"):
        model.translate(batch["a"][:, 1:], "a2b")
    del batch["style_b"]
    with pytest.raises(ValueError, match="lacks .'style_b'."):
        model.train_step(batch)


@pytest.mark.parametrize(
    "weight, term",
    [
        ("recon_x_weight", "recon_x"),
        ("recon_c_weight", "recon_c"),
        ("recon_s_weight", "recon_s"),
        ("cycle_weight", "cycle_x"),
    ],
)
def test_a_term_of_weight_0_is_absent(weight, term):
    model = tiny("munit", **fewer_layers("munit"), num_scales=1, **{weight: 0})
    logs = model.train_step(tiny_batch(model, 1))
    assert not any(name.startswith(term) for name in logs)
    assert len(logs) == 2 + 2 * 5


def test_weights_of_terms():
    model = munit_tf.create(
        "munit", gen_dim=1, dis_dim=1, num_res_blocks=1, gan_weight=2, recon_x_weight=3, recon_c_weight=4,
        recon_s_weight=5, cycle_weight=6,
    )  # fmt: skip
    terms = ("adv_d", "adv_g", "recon_x", "recon_c", "recon_s", "cycle_x", "perceptual")
    assert [model.loss_weight(term) for term in terms] == [2, 2, 3, 4, 5, 6, 0]


@pytest.mark.parametrize(
    "options",
    [
        dict(dis_norm="spectral"),
        dict(dis_norm="instance", gan_loss="hinge"),
        dict(dis_norm="layer", gan_loss="nsgan"),
        dict(gen_padding="zero", dis_padding="zero"),
        dict(gen_activation="prelu", dis_activation="selu"),
        dict(num_downsample=1),
    ],
    ids=str,
)
def test_options_train(options):
    model = tiny("munit", **{"num_scales": 1, **options})
    before = {name: variable.numpy() for name, variable in model.named_weights().items()}
    logs = model.train_step(tiny_batch(model, 2))
    assert all(np.isfinite(value) for value in logs.values())
    for name, variable in model.named_weights().items():
        # A hinge loss far from its hinge pulls a last bias both ways at once.
        if name.startswith("generators") or name.endswith("kernel"):
            # An instance norm takes these biases away again.
            removed = name.endswith("/conv/bias") and ("/content_encoder/" in name or "/res_blocks/" in name)
            assert removed == np.array_equal(before[name], variable.numpy()), name


def test_smallest_size_is_enough_and_one_below_is_not():
    model = munit_tf.create("munit", gen_dim=2, dis_dim=2, num_res_blocks=1)
    assert (model.config.smallest_size, model.config.size_multiple) == (64, 4)
    model.config.check_size(64, 68)
    with pytest.raises(ValueError, match="multiples of 4 and at least 64"):
        model.config.check_size(60, 64)
    with pytest.raises(ValueError, match="multiples of 4"):
        model.config.check_size(66, 64)
    assert [tuple(x.shape[1:3]) for x in model.discriminate(tf.zeros([1, 64, 64, 3]), "a")] == [
        (4, 4),
        (2, 2),
        (1, 1),
    ]
    with pytest.raises(ValueError, match="too small for a reflected border"):
        model.discriminate(tf.zeros([1, 60, 60, 3]), "a")
