"""Every shipped flagfile gives a model that takes a step, its networks made small."""

import dataclasses

import keras
import numpy as np
import pytest
from conformance.methods import image_side, tiny_batch

from munit_tf.cli import command_line
from munit_tf.config.options import RECIPES
from munit_tf.data import registry
from munit_tf.errors import InputError
from munit_tf.runs import loading, run_folder

FILES = sorted(command_line.SHIPPED_FLAGS.glob("*.flags"))
# Of a method's options those that it has.
SMALL = dict(
    gen_dim=4,
    dis_dim=4,
    mlp_dim=8,
    num_res_blocks=1,
    num_downsample=2,
    num_scales=1,
    num_dis_layers=2,
    num_content_dis_layers=1,
    pool_size=1,
)


@pytest.fixture(scope="module")
def vgg_weights(tmp_path_factory):
    """A file as keras.applications downloads it, with random weights."""
    path = tmp_path_factory.mktemp("vgg") / "vgg16.weights.h5"
    keras.applications.VGG16(include_top=False, weights=None).save_weights(path)
    return path


def test_the_papers_experiments_are_here():
    names = {path.stem for path in FILES}
    assert names >= {
        "shapes",
        "summer2winter",
        "edges2shoes",
        "edges2handbags",
        "synthia2cityscapes",
        "cats",
        "cat2dog_faces",
        "edges2flowers",
        "horse2zebra",
        "miso_summer2winter",
        "miso_male2female",
        "miso_cat2dog",
        "miso_monet2photo",
        "miso_shapes",
        "unit_summer2winter",
        "unit_shapes",
        "cyclegan_summer2winter",
        "cyclegan_horse2zebra",
        "cyclegan_shapes",
        "bicyclegan_edges2shoes",
        "bicyclegan_edges2handbags",
        "bicyclegan_shapes",
        "drit_summer2winter",
        "drit_shapes",
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_flagfile(path, request):
    options, _ = command_line.parse([f"--flagfile={path}"], run_folder.CONFIGS, registry.NAMES)
    assert options.data.dataset in registry.NAMES or options.data.dataset.startswith("datasets/")
    assert not any(
        line.startswith("-") for line in path.read_text().splitlines() if not line.startswith("--")
    )
    prefix = path.stem.partition("_")[0]
    assert options.train.method == (prefix if prefix in run_folder.CONFIGS else "munit")
    small = {name: value for name, value in SMALL.items() if hasattr(options.model, name)}
    perceptual = getattr(options.model, "perceptual_weight", 0) > 0
    if perceptual:
        small = {**small, "vgg_weights": str(request.getfixturevalue("vgg_weights"))}
    options.model.check_run(options.data, options.train)
    options.model.check_size(*options.data.image_size)
    model = loading.build_model(
        dataclasses.replace(options, model=dataclasses.replace(options.model, **small))
    )
    model.compile(image_size=(image_side(model),) * 2)
    logs = model.train_step(tiny_batch(model, 1))
    assert all(np.isfinite(value) for value in logs.values())
    assert ("perceptual/a" in logs) == perceptual
    assert ("cycle_x/a" in logs) == (getattr(options.model, "cycle_weight", 0) > 0)


@pytest.mark.parametrize("name", ["edges2flowers", "cat2dog_faces"])
def test_a_name_alone_applies_the_preset(name):
    options, shipped = command_line.parse([f"--dataset={name}"], run_folder.CONFIGS, registry.NAMES)
    assert shipped == [command_line.SHIPPED_FLAGS / f"{name}.flags"]
    assert (options.data.resize, options.data.image_size) == (144, (128, 128))
    assert options.model.cycle_weight == 0 and not options.data.edges


@pytest.mark.parametrize("method", sorted(run_folder.CONFIGS))
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_fits_every_method(name, method):
    argv = ["--dataset=photos", f"--method={method}", f"--recipe={name}"]
    options, shipped = command_line.parse(argv, run_folder.CONFIGS, registry.NAMES)
    assert shipped == [command_line.SHIPPED_FLAGS / "recipes" / f"{name}.flags"]
    assert options.model.ema_half_life > 0


def test_a_missing_folder_is_said():
    flagfile = command_line.SHIPPED_FLAGS / "cats.flags"
    options, _ = command_line.parse([f"--flagfile={flagfile}"], run_folder.CONFIGS, registry.NAMES)
    with pytest.raises(ValueError, match="datasets/cats"):
        registry.open_dataset(options.data)


@pytest.mark.parametrize("method", run_folder.CONFIGS)
def test_the_shapes_have_one_budget_and_size_for_all(method):
    """No sizes are set for one method alone."""
    prefix = "" if method == "munit" else f"{method}_"
    flagfile = f"--flagfile={command_line.SHIPPED_FLAGS / f'{prefix}shapes.flags'}"
    options, _ = command_line.parse([flagfile], run_folder.CONFIGS, registry.NAMES)
    data, train, model = options.data, options.train, options.model
    assert (data.dataset, data.resize, data.image_size) == ("shapes", 32, (32, 32))
    assert (model.gen_dim, model.dis_dim, model.num_scales) == (16, 32, 1)
    assert train.batch_size == 4
    assert getattr(model, "style_dim", 2) == 2
    # Encoder and decoder have two residual blocks each, CycleGAN's one generator has four.
    assert getattr(model, "num_res_blocks", 2) == (4 if method == "cyclegan" else 2)


def test_without_the_folder_a_data_set_of_ours_is_refused(tmp_path, monkeypatch):
    """Its settings would be the paper's, for photos, and not those that the file holds."""
    monkeypatch.setattr(command_line, "SHIPPED_FLAGS", tmp_path / "flags")
    with pytest.raises(InputError) as caught:
        command_line.parse(["--dataset=shapes"], run_folder.CONFIGS, registry.NAMES)
    assert "--dataset=shapes" in str(caught.value) and str(tmp_path / "flags") in str(caught.value)
    for argv in (["--dataset=photos"], ["--train_a=a", "--train_b=b"]):
        _, shipped = command_line.parse(argv, run_folder.CONFIGS, registry.NAMES)
        assert shipped == []
    (tmp_path / "own.flags").write_text("--dataset=shapes\n--gen_dim=4\n")
    argv = [f"--flagfile={tmp_path / 'own.flags'}"]
    options, _ = command_line.parse(argv, run_folder.CONFIGS, registry.NAMES)
    assert (options.data.dataset, options.model.gen_dim) == ("shapes", 4)
    (tmp_path / "flags").mkdir()
    _, shipped = command_line.parse(["--dataset=shapes"], run_folder.CONFIGS, registry.NAMES)
    assert shipped == []
