"""The command, on run folders made here."""

import dataclasses
import importlib.util
import json
import os
import shutil

import forked
import keras
import numpy as np
import pytest
import tensorflow as tf
from inception_reference import seeded_state
from reference import FOLDER
from training.processes import make_photos

from munit_tf import evaluate
from munit_tf.cli import command_line
from munit_tf.evaluation.options import PUBLICATIONS, EvaluateConfig
from munit_tf.metrics import classifier
from munit_tf.networks import fid_inception, pretrained
from munit_tf.networks.classifiers import build_classifier
from munit_tf.runs import checkpoints, loading, run_folder

TINY = ["--resize=36", "--image_size=32", "--gen_dim=4", "--dis_dim=4", "--mlp_dim=8", "--num_res_blocks=1"]
TINY += ["--num_dis_layers=2", "--num_scales=1", "--style_dim=2"]


def make_run(path, dataset, seed=0):
    """A run folder with random weights."""
    options, _ = command_line.parse([*TINY, f"--dataset={dataset}", f"--output={path}"], run_folder.CONFIGS)
    keras.utils.set_random_seed(seed)
    model = loading.build_model(options)
    folder = run_folder.RunFolder(path)
    folder.write_options(options)
    checkpoints.write(folder.checkpoints, 7, {"step": model.step, **model.named_weights()})
    return path


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Two runs on photos, one on shapes; a classifier of a and b; LPIPS' weights, seeded networks."""
    folder = tmp_path_factory.mktemp("evaluate")
    make_photos(folder / "photos", count=6, test_count=6, size=(48, 40))
    make_run(folder / "first", folder / "photos")
    make_run(folder / "second", folder / "photos", seed=1)
    make_run(folder / "shapes", "shapes")
    keras.utils.set_random_seed(2)
    description = dict(backbone="small", classes=["a", "b"], image_size=16)
    classifier.save(folder / "classifier", build_classifier("small", 2, 16), description)
    (folder / "weights").mkdir()
    random, arrays = np.random.RandomState(2012), {}
    for i, (k, c_in, c_out) in enumerate(
        ((11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256))
    ):
        arrays[f"{i}/kernel"] = (random.randn(k, k, c_in, c_out) / np.sqrt(k * k * c_in)).astype("float32")
        arrays[f"{i}/bias"] = (random.randn(c_out) * 0.1).astype("float32")
    np.savez(folder / "weights" / "alexnet.npz", **arrays)
    golden = np.load(FOLDER / "lpips_alex.npz")
    linear = {f"alexnet/{v}/{i}": golden[f"lin{i}_v{v}"] for v in ("0.0", "0.1") for i in range(5)}
    np.savez(folder / "weights" / "lpips.npz", **linear)
    np.savez(folder / "weights" / "fid_inception.npz", **fid_inception.from_pytorch(seeded_state()))
    return folder


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("HOME", str(tmp_path_factory.getbasetemp()))  # Features are kept there.
    monkeypatch.setattr(pretrained, "INCEPTION_V3_URL", "http://127.0.0.1:9/weights.h5")


def flags(work, run="first", *more):
    return [
        f"--run={work / run}",
        f"--classifier={work / 'classifier'}",
        f"--weights_dir={work / 'weights'}",
        f"--cache_dir={work / 'cache'}",
        "--num_inputs=2",
        "--num_outputs=3",
        "--lpips_protocol=stargan2",
        *more,
    ]


def result(run):
    return json.loads((run / "evaluation.json").read_text())


def test_every_metric_and_all_that_tells_how_it_was_computed(work, capsys):
    # More than five inputs, for the fifth nearest neighbor.
    assert evaluate.main(flags(work, "first", "--num_inputs=6")) == 0
    found = result(work / "first")
    assert set(found["directions"]) == {"a2b", "b2a"}
    everything = {"lpips", "l1", "fid", "kid", "inception_score", "is", "cis", "accuracy"}
    everything |= {"precision_recall", "density_coverage", "reconstruction", "cycle", "style"}
    for direction in found["directions"].values():
        assert set(direction["metrics"]) == everything
        assert direction["inputs"] == 6
        assert direction["metrics"]["lpips"]["pairs"] == 6 * 45
        assert direction["metrics"]["fid"]["generated_images"] == 18
        assert direction["metrics"]["density_coverage"]["generated_images"] == 6
    assert found["settings"]["lpips_version"] == "0.0" and found["settings"]["seed"] == 0
    assert found["checkpoint"]["name"] == "step-7"
    assert found["versions"]["tensorflow"] == tf.__version__
    taps, linear = found["weights"]["lpips"]
    assert taps["sha256"] == pretrained.sha256(work / "weights" / "alexnet.npz")
    assert linear["file"] == "lpips.npz"
    assert found["weights"]["features"]["description"]["backbone"] == "small"
    assert found["not_computed"] == {}
    assert found["settings"]["features"] == "classifier"
    output = capsys.readouterr()
    assert "features of FID and KID: classifier\n" in output.out
    assert "LPIPS between outputs" in output.out and "evaluation.json" in output.out
    assert "munit_tf.evaluate" not in output.err


def test_the_same_command_gives_the_same_file(work):
    """Once in this process, once in one of its own, as a user runs it."""
    argv = flags(work, "second", "--direction=a2b", "--metrics=lpips,fid,kid,is,cis,accuracy,style,cycle")
    assert evaluate.main(argv) == 0
    first = (work / "second" / "evaluation.json").read_bytes()
    os.remove(work / "second" / "evaluation.json")
    forked.run("evaluate", *argv, cwd=work)
    assert (work / "second" / "evaluation.json").read_bytes() == first


def test_what_needs_missing_weights_says_so_and_the_others_go_on(work, capsys, eagerly):
    argv = [f"--run={work / 'first'}", f"--weights_dir={work / 'none'}", "--num_inputs=2"]
    argv.append("--direction=a2b")
    assert evaluate.main(argv) == 3
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("munit_tf.evaluate")]
    reasons = {line.split(" no ")[1].split(":")[0]: line for line in lines}
    assert set(reasons) == {"lpips", "fid", "kid", "inception_score", "is", "cis", "accuracy"} | {
        "precision_recall",
        "density_coverage",
    }
    assert "alexnet.npz" in reasons["lpips"] and "munit_tf.import_weights" in reasons["lpips"]
    for metric in ("fid", "inception_score"):
        assert "fid_inception.npz" in reasons[metric]
        assert ("--features" in reasons[metric]) == (metric == "fid")
    assert "--classifier" in reasons["is"] and "--domain_classifier" in reasons["accuracy"]
    found = result(work / "first")
    assert set(found["directions"]["a2b"]["metrics"]) == {"l1", "reconstruction", "cycle", "style"}
    assert set(found["not_computed"]) == set(reasons)
    assert evaluate.main([*argv, "--metrics=fid", "--features=keras"]) == 3
    output, line = capsys.readouterr()
    assert "written to" not in output and result(work / "first") == found
    assert "cannot reach 127.0.0.1" in line and pretrained.INCEPTION_V3_FILE in line
    assert evaluate.main([*argv, "--metrics=style"]) == 0
    assert not (work / "none").exists()


def test_damaged_weights_are_never_replaced(work, tmp_path, capsys, eagerly):
    shutil.copytree(work / "weights", tmp_path / "weights")
    for name in ("alexnet.npz", "fid_inception.npz"):
        (tmp_path / "weights" / name).write_bytes(b"damaged")
    (tmp_path / "weights" / pretrained.INCEPTION_V3_FILE).write_bytes(b"damaged")
    argv = [f"--run={work / 'first'}", f"--weights_dir={tmp_path / 'weights'}", "--num_inputs=2"]
    assert evaluate.main([*argv, "--metrics=lpips,fid", "--direction=a2b"]) == 3
    error = capsys.readouterr().err
    assert "alexnet.npz cannot be read" in error and "fid_inception.npz cannot be read" in error
    assert evaluate.main([*argv, "--metrics=fid", "--features=keras", "--direction=a2b"]) == 3
    error = capsys.readouterr().err
    assert "does not hold Keras' Inception-v3 without top" in error


def test_shapes_have_their_own_answers(work, eagerly):
    argv = flags(work, "shapes", "--metrics=shapes", "--batch_size=50")
    assert evaluate.main(argv) == 0
    found = result(work / "shapes")["directions"]
    assert set(found["a2b"]["metrics"]["shapes"]) == {
        "content_iou",
        "hue_entropy",
        "guided_hue_error",
        "outputs",
        "references",
    }
    assert found["b2a"]["metrics"] == {}
    assert evaluate.main(flags(work, "first", "--metrics=shapes")) == 3


def test_compare_reads_what_is_there_and_computes_what_is_not(work, capsys, eagerly):
    short = ["--metrics=l1", "--direction=a2b"]
    argv = flags(work, "first", f"--compare={work / 'second'}", *short)
    assert evaluate.main(argv) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["first", "second"]
    first, second = lines[2].split()[-2:]
    assert first != second

    kept = result(work / "second")
    kept["directions"]["a2b"]["metrics"]["l1"]["between_outputs"] = 42.0
    (work / "second" / "evaluation.json").write_text(json.dumps(kept))
    assert evaluate.main(argv) == 0
    assert capsys.readouterr().out.splitlines()[2].split()[-1] == "42"
    # Other settings: computed again.
    assert evaluate.main([*argv, "--seed=5"]) == 0
    assert result(work / "second")["settings"]["seed"] == 5
    assert float(capsys.readouterr().out.splitlines()[2].split()[-1]) < 2


def test_another_data_set(work, tmp_path, eagerly):
    make_photos(tmp_path / "others", count=2, size=(40, 40))
    argv = flags(work, "first", "--metrics=l1", "--num_inputs=5", f"--dataset={tmp_path / 'others'}")
    assert evaluate.main(argv) == 0
    found = result(work / "first")
    assert found["directions"]["a2b"]["inputs"] == 2
    assert found["images"]["dataset"] == str(tmp_path / "others")


def test_bad_input_is_one_line_and_writes_nothing(work, tmp_path, capsys):
    make_photos(tmp_path / "photos", count=2, size=(40, 40))
    run = make_run(tmp_path / "run", tmp_path / "photos")
    (tmp_path / "no test").mkdir()
    for name in ("trainA", "trainB"):
        shutil.copytree(tmp_path / "photos" / name, tmp_path / "no test" / name)
    shutil.copytree(tmp_path / "photos", tmp_path / "empty")
    for path in (tmp_path / "empty" / "testB").iterdir():
        path.unlink()
    (tmp_path / "unfinished").mkdir()
    shutil.copy(run / "run.flags", tmp_path / "unfinished")
    for argv, message in (
        ([], "--run is missing"),
        (["--run=none"], "is not a run folder"),
        ([f"--run={tmp_path / 'unfinished'}"], "no checkpoint yet"),
        ([f"--run={run}", "--metrics=fif"], "must be one of lpips"),
        ([f"--run={run}", f"--compare={run},{tmp_path / 'none'}"], "is not a run folder"),
        ([f"--run={run}", f"--classifier={tmp_path / 'none'}"], "is not a classifier's folder"),
        ([f"--run={run}", f"--dataset={tmp_path / 'no test'}"], "no test images"),
        ([f"--run={run}", f"--dataset={tmp_path / 'empty'}"], "testB contains no image"),
        ([f"--run={run}", "--num_inputs=0"], "--num_inputs=0"),
        ([f"--run={run}", "--features=classifier"], "--features=classifier needs --classifier"),
    ):
        assert evaluate.main(argv) == 2, argv
        error = capsys.readouterr().err.strip()
        assert error.startswith("munit_tf.evaluate: ") and message in error
        assert "\n" not in error
    assert not (run / "evaluation.json").exists()


def test_a_run_that_has_diverged(work, tmp_path, capsys, eagerly):
    run = make_run(tmp_path / "run", work / "photos")
    options = run_folder.RunFolder(run).options()
    model = loading.build_model(options)
    model.generators["b"].decoder.convs[-1].conv.kernel.assign(
        np.full_like(model.generators["b"].decoder.convs[-1].conv.kernel.numpy(), np.nan)
    )
    checkpoints.write(run_folder.RunFolder(run).checkpoints, 8, {"step": model.step, **model.named_weights()})
    assert evaluate.main([f"--run={run}", "--num_inputs=2", "--metrics=l1"]) == 2
    assert "NaN" in capsys.readouterr().err
    assert not (run / "evaluation.json").exists()


def test_a_protocol_sets_flags_and_is_recorded(work, capsys, eagerly):
    argv = [f"--run={work / 'second'}", f"--weights_dir={work / 'weights'}", "--direction=a2b"]
    argv += ["--metrics=lpips", "--protocol=stargan2"]
    assert evaluate.main(argv) == 0
    found = result(work / "second")
    expected = dict(protocol="stargan2", lpips_protocol="stargan2", fid_reference="train", num_outputs=10)
    assert {**found["settings"], **expected} == found["settings"]
    assert found["settings"]["num_inputs"] == "all" and found["directions"]["a2b"]["inputs"] == 6
    assert found["directions"]["a2b"]["metrics"]["lpips"]["pairs"] == 6 * 45
    assert "256x256 pixels" in capsys.readouterr().err  # These images are smaller.
    assert evaluate.main([*argv, "--fid_reference=test"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "--fid_reference=test: --protocol=stargan2 has train" in error


@pytest.mark.parametrize("protocol", PUBLICATIONS)
def test_protocols_are_valid_flags(protocol):
    config = EvaluateConfig(run="x", protocol=protocol)
    assert PUBLICATIONS[protocol] == {name: getattr(config, name) for name in PUBLICATIONS[protocol]}
    assert dataclasses.replace(config, run="y").num_inputs == config.num_inputs


def test_help(capsys):
    assert evaluate.main(["--help"]) == 0
    output = capsys.readouterr().out
    assert "--lpips_protocol" in output and "(default: munit)" in output and "Exit status" in output


def pictures_of(page):
    return [part.split('"')[0] for part in page.split('alt="')[1:]]


def test_a_report_has_the_measures_and_pictures_of_both_directions(work, capsys, eagerly):
    (work / "second" / "log.jsonl").write_text(
        '{"step": 1, "adv_d/a": 1.5}\n{"step": 2, "adv_d/a": 1.25}\n{"step": 3, "adv'
    )
    argv = [f"--run={work / 'second'}", f"--weights_dir={work / 'weights'}", f"--cache_dir={work / 'cache'}"]
    argv += [f"--classifier={work / 'classifier'}", "--num_inputs=4", "--metrics=l1", "--report"]
    assert evaluate.main(argv) == 0
    folder = work / "second" / "report"
    assert result(work / "second")["weights"] == {}  # The report's networks do not count.
    assert "report.html" in capsys.readouterr().out
    page, text = (folder / "report.html").read_text(), (folder / "report.md").read_text()
    names = ["random styles", "styles of references", "nearest training images", "extreme cases"]
    expected = [f"{direction}: {name}" for direction in ("a2b", "b2a") for name in names]
    expected.append("losses and measures over the steps of training")
    assert pictures_of(page) == expected
    assert "L1 between outputs" in page and "step-7" in page and "of 6 training images" in page
    files = {path.name for path in folder.iterdir()}
    assert files == {"report.html", "report.md", "curves.png"} | {
        f"{kind}_{direction}.png"
        for kind in ("random", "guided", "nearest", "extremes")
        for direction in ("a2b", "b2a")
    }
    assert all(f"]({name})" in text for name in files if name.endswith(".png"))


def test_a_report_without_weights_says_what_it_uses_instead(work, tmp_path, eagerly):
    argv = [f"--run={work / 'second'}", f"--weights_dir={tmp_path}", "--direction=a2b", "--num_inputs=2"]
    assert evaluate.main([*argv, "--metrics=l1", "--report"]) == 0
    page = (work / "second" / "report" / "report.html").read_text()
    assert "fixed random network" in page and "In L1, since LPIPS is unavailable" in page


def test_a_report_needs_matplotlib(work, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert evaluate.main([f"--run={work / 'first'}", "--metrics=l1", "--report"]) == 2
    assert "--report needs matplotlib: pip install matplotlib" in capsys.readouterr().err
