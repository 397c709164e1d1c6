"""The authors' names and layout for our weights, and the options that a file shows."""

import numpy as np
import pytest
from official_checkpoints import (
    discriminator_shapes,
    generator_shapes,
    random_checkpoint,
    state_of,
    unit_generator_shapes,
)

import munit_tf
from munit_tf.errors import InputError
from munit_tf.models import pytorch_import

pytestmark = pytest.mark.usefixtures("eagerly")

GENERATOR = dict(style_dim=8, gen_dim=4, mlp_dim=16, num_downsample=2, num_res_blocks=2)


@pytest.fixture(scope="module")
def model():
    return munit_tf.create("munit", **GENERATOR)


def generators(model):
    return {name: each for name, each in model.named_weights().items() if name.startswith("generators")}


@pytest.mark.parametrize(
    "ours, num_downsample, authors",
    [
        ("generators/a/content_encoder/convs/2/conv/kernel", 2, "a/enc_content.model.2.conv.weight"),
        (
            "generators/b/content_encoder/res_blocks/10/second/conv/bias",
            3,
            "b/enc_content.model.4.model.10.model.1.conv.bias",
        ),
        ("generators/a/style_encoder/head/kernel", 2, "a/enc_style.model.6.weight"),
        ("generators/a/decoder/mlp/1/bias", 2, "a/mlp.model.1.fc.bias"),
        (
            "generators/a/decoder/res_blocks/0/first/activation/slope",
            2,
            "a/dec.model.0.model.0.model.0.activation.weight",
        ),
        ("generators/a/decoder/convs/1/norm/gamma", 2, "a/dec.model.4.norm.gamma"),
        ("generators/a/decoder/to_image/conv/kernel", 0, "a/dec.model.1.conv.weight"),
        ("discriminators/b/scales/2/1/conv/bias", 2, "b/cnns.2.1.conv.bias"),
        ("discriminators/b/scales/2/4/kernel", 2, "b/cnns.2.4.weight"),
    ],
)
def test_names(ours, num_downsample, authors):
    assert pytorch_import.official_name(ours, num_downsample) == authors


@pytest.mark.parametrize(
    "gen, dis, expected",
    [
        ({}, {}, dict(**GENERATOR, dis_dim=4, num_dis_layers=4, num_scales=3)),
        (
            dict(dim=2, style_dim=3, mlp_dim=5, n_downsample=3, n_res=1),
            dict(dim=6, n_layer=2, num_scales=1, norm="ln"),
            dict(
                style_dim=3, gen_dim=2, mlp_dim=5, num_downsample=3, num_res_blocks=1, dis_dim=6,
                num_dis_layers=2, num_scales=1, dis_norm="layer",
            ),
        ),
        (
            dict(dim=3, style_dim=1, mlp_dim=2, n_downsample=0, n_res=11, prelu=True),
            dict(dim=1, n_layer=3, num_scales=2, prelu=True),
            dict(
                style_dim=1, gen_dim=3, mlp_dim=2, num_downsample=0, num_res_blocks=11,
                gen_activation="prelu", dis_dim=1, num_dis_layers=3, num_scales=2, dis_activation="prelu",
            ),
        ),
    ],
    ids=["golden", "deep", "flat"],
)  # fmt: skip
def test_options_are_read_off_and_every_weight_has_one_place(gen, dis, expected):
    generator = state_of(random_checkpoint(generator_shapes(**gen)))
    discriminator = state_of(random_checkpoint(discriminator_shapes(**dis), seed=1))
    options = {
        **pytorch_import.generator_options(generator, "g.pt"),
        **pytorch_import.discriminator_options(discriminator, "d.pt"),
    }
    assert options == expected
    model = munit_tf.create("munit", **options)
    state = {**generator, **discriminator}
    pytorch_import.assign(model.named_weights(), state, options["num_downsample"], "both")
    numbers = np.sort(np.concatenate([w.numpy().ravel() for w in model.named_weights().values()]))
    np.testing.assert_array_equal(numbers, np.sort(np.concatenate([x.ravel() for x in state.values()])))


def test_layout(model):
    """[height, width, in, out] of (out, in, height, width); [in, out] of (out, in) and (out, in, 1, 1)."""
    state = state_of(random_checkpoint(generator_shapes()))
    pytorch_import.assign(generators(model), state, 2, "g.pt")
    encoder, decoder = model.generators["b"].style_encoder, model.generators["b"].decoder
    conv = np.asarray(encoder.convs[1].conv.kernel)
    assert conv[3, 1, 2, 5] == state["b/enc_style.model.1.conv.weight"][5, 2, 3, 1]
    assert np.asarray(encoder.head.kernel)[9, 7] == state["b/enc_style.model.6.weight"][7, 9, 0, 0]
    assert np.asarray(decoder.mlp[2].kernel)[4, 100] == state["b/mlp.model.2.fc.weight"][100, 4]


def test_old_files_running_statistics_do_not_count():
    shapes = discriminator_shapes()
    shapes.update({f"cnns.0.1.norm.{name}": (8,) for name in ("running_mean", "running_var")})
    shapes["cnns.0.1.norm.num_batches_tracked"] = ()
    state = state_of(random_checkpoint(shapes))
    assert pytorch_import.discriminator_options(state, "d.pt")["dis_norm"] == "instance"
    assert set(pytorch_import.without_unused(state)) == set(
        state_of(random_checkpoint(discriminator_shapes()))
    )


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda shapes: shapes.pop("dec.model.2.norm.gamma"),
            "g.pt does not fit MUNIT's weights: missing: a/dec.model.2.norm.gamma, b/dec.model.2.norm.gamma",
        ),
        (
            lambda shapes: shapes.update({"mlp.model.3.fc.weight": (2, 2)}),
            "g.pt does not fit MUNIT's weights: unexpected: a/mlp.model.3.fc.weight, b/mlp.model.3.fc.weight",
        ),
        (
            lambda shapes: shapes.update({"enc_content.model.0.conv.weight": (4, 1, 7, 7)}),
            "g.pt does not fit MUNIT's weights: a/enc_content.model.0.conv.weight has shape (4, 1, 7, 7) and "
            "not (4, 3, 7, 7)",
        ),
        (
            lambda shapes: shapes.update({"mlp.model.0.fc.weight": (16,)}),
            "g.pt does not fit: a/mlp.model.0.fc.weight has shape (16,) and not 2 dimensions",
        ),
        (
            lambda shapes: shapes.pop("mlp.model.0.fc.weight"),
            "g.pt does not fit: it has no a/mlp.model.0.fc.weight",
        ),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_set(model, change, message):
    shapes = generator_shapes()
    change(shapes)
    state = state_of(random_checkpoint(shapes))
    weights = generators(model)
    before = {name: w.numpy() for name, w in weights.items()}
    with pytest.raises(InputError) as caught:
        pytorch_import.generator_options(state, "g.pt")
        pytorch_import.assign(weights, state, 2, "g.pt")
    assert str(caught.value) == message
    assert all(np.array_equal(before[name], w.numpy()) for name, w in weights.items())


def test_many_keys_are_counted(model):
    state = state_of(random_checkpoint(generator_shapes(n_res=1)))
    with pytest.raises(InputError, match=r"missing: a/dec\.model\.0\.model\.1\..* and 12 more"):
        pytorch_import.assign(generators(model), state, 2, "g.pt")


@pytest.mark.parametrize(
    "options_of, shapes, message",
    [
        (
            pytorch_import.generator_options,
            unit_generator_shapes(),
            "x.pt is not a generator of MUNIT: missing keys enc_content.*, enc_style.*, mlp.*; unexpected "
            "keys enc.*",
        ),
        (
            pytorch_import.generator_options,
            discriminator_shapes(),
            "x.pt is not a generator of MUNIT: missing keys dec.*, enc_content.*, enc_style.*, mlp.*; "
            "unexpected keys cnns.*",
        ),
        (
            pytorch_import.discriminator_options,
            {},
            "x.pt is not a discriminator of MUNIT: missing keys cnns.*",
        ),
    ],
    ids=["UNIT", "discriminator", "empty"],
)
def test_another_model_is_named(options_of, shapes, message):
    with pytest.raises(InputError) as caught:
        options_of(state_of(random_checkpoint(shapes)), "x.pt")
    assert str(caught.value) == message


def test_spectral_norm_is_refused():
    state = state_of(random_checkpoint(discriminator_shapes(norm="sn")))
    with pytest.raises(InputError, match=r"d\.pt has spectral norm.* import without --discriminator"):
        pytorch_import.discriminator_options(state, "d.pt")
