"""The tool that writes small run folders, and what commands do with them."""

import pathlib

import numpy as np
import publish_model
import pytest
import tensorflow as tf
from inference.run_folders import make_run
from training.processes import TINY, make_photos, state, train

import munit_tf
from munit_tf import evaluate
from munit_tf.data import registry
from munit_tf.runs import loading
from munit_tf.runs.run_folder import RunFolder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("publish")
    make_photos(folder / "photos")
    flags = ["--train_b=photos/trainB", "--edges", *TINY, "--ema_half_life=5", "--steps=2", "--output=run"]
    train(*flags, cwd=folder, eager=True)
    flags = [f"--run={folder / 'run'}", f"--output={folder / 'small'}", "--dataset=edges2flowers"]
    assert publish_model.main(flags) == 0
    return folder


def test_weights_are_the_averages_rounded_to_half_precision(folder):
    small, run = state(folder / "small", 2), state(folder / "run", 2)
    names = [name for name in run if name.startswith("generators.S")]
    assert set(small) == {*names, "step/.ATTRIBUTES/VARIABLE_VALUE"}
    for name in names:
        average = run[f"averages.S{name}"].astype(np.float16)
        np.testing.assert_array_equal(small[name], average, err_msg=name)
    weights = munit_tf.load(folder / "small").named_weights()
    name = next(each for each in weights if each.startswith("generators/b") and each.endswith("kernel"))
    saved = small[name.replace("/", ".S") + "/.ATTRIBUTES/VARIABLE_VALUE"]
    assert weights[name].dtype == tf.float32
    np.testing.assert_array_equal(weights[name].numpy(), saved.astype(np.float32))


def test_options_name_the_data_set_and_no_path_of_this_machine(folder):
    flags = folder / "run/run.flags"
    flags.write_text(flags.read_text() + f"--validate_with={folder}\n--vgg_weights={folder}/vgg.h5\n")
    assert publish_model.main([f"--run={folder / 'run'}", f"--output={folder / 'nameless'}"]) == 0
    for name, data in ("small", "--dataset=edges2flowers"), ("nameless", "--edges=true"):
        text = (folder / name / "run.flags").read_text()
        assert data in text and str(folder) not in text
        mine, theirs = RunFolder(folder / name).options(), RunFolder(folder / "run").options()
        assert mine.model.gen_dim == theirs.model.gen_dim and mine.data.image_size == theirs.data.image_size
        assert registry.has_edges(mine.data)


def test_the_newest_weights_instead_of_the_averages(folder):
    flags = [f"--run={folder / 'run'}", f"--output={folder / 'newest'}", "--noaveraged"]
    assert publish_model.main(flags) == 0
    mine, theirs = munit_tf.load(folder / "newest"), munit_tf.load(folder / "run", averaged=False)
    for name, weight in theirs.named_weights().items():
        if name.startswith("generators/"):
            rounded = weight.numpy().astype(np.float16)
            np.testing.assert_array_equal(mine.named_weights()[name].numpy(), rounded, err_msg=name)


def test_training_starts_from_it_with_new_discriminators(folder):
    flags = ["--dataset=photos", *TINY, "--steps=1", "--output=next", "--learning_rate=1e-9"]
    result = train(*flags, "--init_from=small", cwd=folder, eager=True)
    assert "small has no discriminators: they start with random weights" in result.stderr
    small, tuned = state(folder / "small", 2), state(folder / "next", 1)
    for name, value in small.items():
        if name.startswith("generators.S"):
            np.testing.assert_allclose(tuned[name], value, atol=1e-7, err_msg=name)


def test_refusals(folder, tmp_path, capsys):
    assert publish_model.main([f"--run={folder / 'run'}", f"--output={folder / 'small'}"]) == 2
    assert "--output" in capsys.readouterr().err
    run = make_run(tmp_path / "run")
    options, checkpoint, model = loading.load_run(run)
    weight = model.generators["a"].weights[0]
    weight.assign(tf.fill(weight.shape, 7e4))
    model.compile(options.data.image_size)
    model.step.assign(checkpoint.step + 1)
    loading.checkpoint_manager(RunFolder(run), model, keep=1).save()
    assert publish_model.main([f"--run={run}", f"--output={tmp_path / 'small'}"]) == 2
    assert "too large for half precision" in capsys.readouterr().err
    assert not (tmp_path / "small").exists()


def test_a_pretrained_model_by_its_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    there = pathlib.Path(munit_tf.__file__).parent / "pretrained/edges2flowers"
    for name in ("edges2flowers", "pretrained/edges2flowers"):
        assert RunFolder.to_read(name).path == there
        assert RunFolder(name).path == pathlib.Path(name)  # To write.
    for name in ("./edges2flowers", "other/edges2flowers"):
        assert RunFolder.to_read(name).path == pathlib.Path(name)
    # Nothing is written into the package, by whatever name.
    for flags in (["--run=edges2flowers"], [f"--run={there}"], [f"--run={there}", "--compare=edges2flowers"]):
        assert evaluate.main(flags) == 2
        assert "part of the package" in capsys.readouterr().err
