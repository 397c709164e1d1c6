"""A run folder on one of TensorFlow's file systems: here in memory, so in this process."""

import json

import pytest
import tensorflow as tf
from inference.run_folders import files
from training.processes import CYCLEGAN, assert_same_run, log, make_photos

import munit_tf
from munit_tf import evaluate, train, translate
from munit_tf.runs import loading
from munit_tf.storage.paths import to_path

FLAGS = [*CYCLEGAN, "--sample_every=2", "--log_every=1", "--keep_checkpoints=2"]
RUN = "ram://bucket/runs/mine"


def fetch(folder, target):
    """Copies a folder to this machine; returns {name in it: bytes}."""
    found = {}
    for path in folder.iterdir():
        if path.is_dir():
            inner = fetch(path, target / path.name)
            found.update({f"{path.name}/{name}": data for name, data in inner.items()})
        else:
            target.mkdir(parents=True, exist_ok=True)
            found[path.name] = path.read_bytes()
            (target / path.name).write_bytes(found[path.name])
    return found


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """The working directory, with `local`, an uninterrupted run of 3 steps; RUN is its like, of 2 and 1."""
    folder = tmp_path_factory.mktemp("remote")
    make_photos(folder / "photos", count=3, test_count=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        tf.config.run_functions_eagerly(True)
        assert train.main([*FLAGS, "--steps=3", "--output=local"]) == 0
        assert train.main([*FLAGS, "--steps=2", f"--output={RUN}"]) == 0
        with (to_path(RUN) / "log.jsonl").open("a") as file:
            file.write('{"step": 3, "loss_g"')  # As a process leaves it that is killed.
        assert train.main([f"--flagfile={RUN}/run.flags", "--steps=3", "--resume=must"]) == 0
        yield folder
        tf.config.run_functions_eagerly(False)


def test_a_run_resumed_there_ends_as_a_local_one(here, tmp_path):
    found = fetch(to_path(RUN), tmp_path)
    assert_same_run(here / "local", tmp_path, 3)
    assert [row["step"] for row in log(tmp_path)] == [1, 2, 3]
    local = {str(path.relative_to(here / "local")): path for path in (here / "local").rglob("*.*")}
    events = [name for name in found if name.startswith("tensorboard/events.")]
    assert len(events) == 2 and found.keys() - events == {
        *(name for name in local if not name.startswith("tensorboard")),
        "checkpoints/step-2/SHA256SUMS",
        "checkpoints/step-3/SHA256SUMS",
    }
    for name in ("samples/step_00000002_a2b.png", "samples/step_00000003_b2a.png"):
        assert found[name] == local[name].read_bytes()
    assert f"--output={RUN}\n" in found["run.flags"].decode()


def test_training_says_that_there_is_no_lock_and_where_all_is(here, capfd):
    assert train.main([f"--flagfile={RUN}/run.flags"]) == 0
    streams = capfd.readouterr()
    assert f"warning: {RUN} has no locks: train in it with one command at a time\n" in streams.err
    assert streams.out == f"run folder: {RUN}\nopen:       {RUN}/samples/step_00000003_a2b.png\n"


def test_translating_and_evaluating_it(here, capfd):
    flags = ["--input=photos/testA", "--direction=a2b"]
    assert translate.main([f"--run={RUN}", *flags, "--output=out"]) == 0
    assert translate.main(["--run=local", *flags, "--output=local_out"]) == 0
    results, expected = files(here / "out"), files(here / "local_out")
    assert len(results) == 5 and results.pop("translate.json") != expected.pop("translate.json")
    assert results == expected
    capfd.readouterr()
    assert evaluate.main([f"--run={RUN}/", "--compare=local", "--metrics=cycle"]) == 0
    assert f"\nwritten to: {RUN}/evaluation.json\n" in capfd.readouterr().out
    there, local = (
        json.loads((run / "evaluation.json").read_text()) for run in (to_path(RUN), here / "local")
    )
    assert there["directions"] == local["directions"] and there["directions"].keys() == {"a2b", "b2a"}
    assert evaluate.main(["--run=local", f"--compare={RUN}", "--metrics=cycle"]) == 0


def test_a_torn_newest_checkpoint_is_passed_over(here, tmp_path, capfd):
    newest = to_path(RUN) / "checkpoints" / "step-3"
    data = newest / "state.data-00000-of-00001"
    torn = data.read_bytes()[:-1]
    data.unlink()  # In memory a file that is written over keeps what it was.
    data.write_bytes(torn)
    assert int(munit_tf.load(RUN).step) == 2
    line = f"warning: checkpoint {newest} is damaged (it does not match its SHA256SUMS): looking for"
    assert capfd.readouterr().err.startswith(line)
    (newest / "SHA256SUMS").unlink()
    assert int(munit_tf.load(RUN).step) == 2
    assert train.main([f"--flagfile={RUN}/run.flags"]) == 0
    fetch(to_path(RUN), tmp_path)
    assert_same_run(here / "local", tmp_path, 3)


@pytest.mark.parametrize(
    "program, flags, message",
    [
        (train, [*FLAGS, "--output=foo://x/run"], "foo://x/run is on no file system that TensorFlow has"),
        (train, ["--flagfile=foo://x/run.flags"], "foo://x/run.flags is on no file system"),
        (translate, ["--run=foo://x"], "foo://x is on no file system"),
        (translate, ["--run=ram://none"], "ram://none is not a run folder: it has no run.flags"),
        (translate, [f"--run={RUN}", "--output=gs://x/out"], "--output=gs://x/out: files must be on this ma"),
        (evaluate, ["--run=local", "--compare=foo://x"], "foo://x is on no file system"),
    ],
)
def test_what_cannot_be_is_one_line(here, program, flags, message, capfd):
    more = ["--input=photos/testA", "--direction=a2b", "--output=out"] if program is translate else []
    assert program.main([*more, *flags]) == 2
    lines = capfd.readouterr().err.splitlines()
    name = program.__name__
    assert lines[-1].startswith(f"{name}: {message}")
    assert sum(line.startswith(name) for line in lines) == 1 and not any("Traceback" in x for x in lines)


def test_a_run_there_is_not_begun_over(here, monkeypatch, capfd):
    """Where its checkpoints cannot be seen, as the network is away."""

    def silent(path):
        raise tf.errors.UnavailableError(None, None, "no answer")

    before = int(loading.find_checkpoint(RUN)[1].step)
    with monkeypatch.context() as patch:
        patch.setattr(tf.io.gfile, "stat", silent)
        assert train.main([f"--flagfile={RUN}/run.flags", "--steps=4"]) == 2
    assert capfd.readouterr().err.splitlines()[-1] == f"munit_tf.train: {RUN}/checkpoints: no answer"
    assert int(loading.find_checkpoint(RUN)[1].step) == before


def test_a_network_that_goes_while_weights_are_read_is_one_line(here, monkeypatch, capfd):
    def silent(path):
        raise tf.errors.UnavailableError(None, None, "no answer")

    monkeypatch.setattr(tf.compat.v1.train, "NewCheckpointReader", silent)
    argv = [f"--run={RUN}", "--input=photos/testA", "--direction=a2b", "--output=out2"]
    assert translate.main(argv) == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert line.startswith(f"munit_tf.translate: {RUN}/checkpoints/step-") and line.endswith(": no answer")
