"""The tool that writes small run folders, and what commands do with them."""

import pathlib

import numpy as np
import publish_model
import pytest
import tensorflow as tf
from inference.run_folders import make_run
from training.processes import TINY, make_photos, state, train

import munit_tf
from munit_tf.errors import InputError
from munit_tf.runs import loading
from munit_tf.runs.run_folder import RunFolder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("publish")
    make_photos(folder / "photos")
    flags = ["--dataset=photos", *TINY, "--ema_half_life=5", "--steps=2", "--output=run"]
    train(*flags, cwd=folder, eager=True)
    flags = [f"--run={folder / 'run'}", f"--output={folder / 'small'}", "--dataset=edges2flowers"]
    assert publish_model.main(flags) == 0
    return folder


def test_weights_are_the_averages_rounded_to_half_precision(folder):
    small, run = state(folder / "small", 2), state(folder / "run", 2)
    names = [name for name in run if name.startswith("averages.Sgenerators")]
    assert set(small) == {*names, "step/.ATTRIBUTES/VARIABLE_VALUE"}
    for name in names:
        np.testing.assert_array_equal(small[name], run[name].astype(np.float16), err_msg=name)
    weights = munit_tf.load(folder / "small").named_weights()
    name = next(each for each in weights if each.startswith("generators/b") and each.endswith("kernel"))
    saved = small["averages.S" + name.replace("/", ".S") + "/.ATTRIBUTES/VARIABLE_VALUE"]
    assert weights[name].dtype == tf.float32
    np.testing.assert_array_equal(weights[name].numpy(), saved.astype(np.float32))


def test_options_name_the_data_set_and_no_path_of_this_machine(folder):
    text = (folder / "small/run.flags").read_text()
    assert "--dataset=edges2flowers" in text and str(folder) not in text
    mine, theirs = RunFolder(folder / "small").options(), RunFolder(folder / "run").options()
    assert mine.model == theirs.model and mine.data.image_size == theirs.data.image_size


def test_training_starts_from_it_with_new_discriminators(folder):
    flags = ["--dataset=photos", *TINY, "--steps=1", "--output=next", "--learning_rate=1e-9"]
    result = train(*flags, "--init_from=small", cwd=folder, eager=True)
    assert "small has no discriminators: they start with random weights" in result.stdout
    small, tuned = state(folder / "small", 2), state(folder / "next", 1)
    for name, value in small.items():
        if name.startswith("averages.S"):
            np.testing.assert_allclose(tuned[name[len("averages.S") :]], value, atol=1e-7, err_msg=name)


def test_refusals(folder, tmp_path, capsys):
    with pytest.raises(InputError, match="only averages"):
        loading.load(folder / "small", averaged=False)
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


def test_a_pretrained_model_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    package = pathlib.Path(munit_tf.__file__).parent
    for name in ("edges2flowers", "pretrained/edges2flowers"):
        assert RunFolder(name).path == package / "pretrained/edges2flowers"
    for name in ("./edges2flowers", "other/edges2flowers"):
        assert RunFolder(name).path == pathlib.Path(name)
