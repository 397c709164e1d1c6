"""Every shipped flagfile gives a model that takes a step, its networks made narrow."""

import dataclasses

import keras
import numpy as np
import pytest
from conformance.methods import tiny_batch

from munit_tf import command_line, runs
from munit_tf.data import registry

FILES = sorted(command_line.SHIPPED_FLAGS.glob("*.flags"))
NARROW = dict(gen_dim=4, dis_dim=4, mlp_dim=8, num_res_blocks=1)


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
        "horse2zebra",
        "miso_summer2winter",
        "miso_male2female",
        "miso_cat2dog",
        "miso_monet2photo",
        "miso_shapes",
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_flagfile(path, request):
    options, _ = command_line.parse([f"--flagfile={path}"], runs.CONFIGS, registry.NAMES)
    assert options.data.dataset in registry.NAMES or options.data.dataset.startswith("datasets/")
    assert not any(
        line.startswith("-") for line in path.read_text().splitlines() if not line.startswith("--")
    )
    assert path.stem.startswith("miso_") == (options.train.method == "miso")
    narrow = NARROW
    perceptual = getattr(options.model, "perceptual_weight", 0) > 0
    if perceptual:
        narrow = {**NARROW, "vgg_weights": str(request.getfixturevalue("vgg_weights"))}
    options.model.check_size(*options.data.image_size)
    model = runs.build_model(dataclasses.replace(options, model=dataclasses.replace(options.model, **narrow)))
    model.compile()
    logs = model.train_step(tiny_batch(model, 1))
    assert all(np.isfinite(value) for value in logs.values())
    assert ("perceptual/a" in logs) == perceptual
    assert ("cycle_x/a" in logs) == (options.model.cycle_weight > 0)


def test_a_missing_folder_is_said():
    options, _ = command_line.parse([f"--flagfile={FILES[0]}"], runs.CONFIGS, registry.NAMES)
    assert FILES[0].stem == "cats"
    with pytest.raises(ValueError, match="datasets/cats"):
        registry.open_dataset(options.data)
