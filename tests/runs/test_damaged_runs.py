"""Files of a run folder that were damaged: one line each, nothing lost, no traceback."""

import json

import pytest
import tensorflow as tf
from damage import BAD_JSON, put
from inference.run_folders import make_run
from training.processes import CYCLEGAN, log, make_photos

import munit_tf
from munit_tf import evaluate, export, train, translate
from munit_tf.errors import InputError
from munit_tf.explorer.model_service import ModelService
from munit_tf.runs import run_folder
from munit_tf.training import callbacks

ROWS = [{"step": 1, "diversity/b": 0.5, "images_per_second": None}, {"step": 2, "diversity/b": 0.25}]
FIRST, SECOND = (json.dumps(row).encode() + b"\n" for row in ROWS)
# {name: (what the log holds, the steps of the rows that stay, how many lines are dropped as damaged)}.
LOGS = {
    "garbage": (b"garbage", [], "1 of 1"),
    "garbage between rows": (FIRST + b"garbage\n" + SECOND, [1, 2], "1 of 3"),
    "not UTF-8": (FIRST + b'{"step": 1, "\xff": 2}\n' + SECOND, [1, 2], "1 of 3"),
    "binary": (bytes(range(256)), [], "2 of 2"),
    "NUL bytes": (bytes(4096), [], "1 of 1"),
    "NUL bytes after a row": (FIRST + bytes(100), [1], "1 of 2"),
    "a torn line before others": (FIRST + b'{"step": 2, "x"\n' + SECOND, [1, 2], "1 of 3"),
    "two rows in one line": (FIRST[:-1] + FIRST + SECOND, [2], "1 of 2"),
    "a list": (b"[1, 2]\n" + SECOND, [2], "1 of 2"),
    "a list of rows": (b"[" + FIRST[:-1] + b"]\n", [], "1 of 1"),
    "a number": (b"3\n" + FIRST, [1], "1 of 2"),
    "null": (b"null\n" + FIRST, [1], "1 of 2"),
    "no step": (b'{"loss_g": 1.0}\n' + FIRST, [1], "1 of 2"),
    "step null": (b'{"step": null}\n' + FIRST, [1], "1 of 2"),
    "step a string": (b'{"step": "1"}\n' + FIRST, [1], "1 of 2"),
    "step true": (b'{"step": true}\n' + FIRST, [1], "1 of 2"),
    "step a fraction": (b'{"step": 1.5}\n' + FIRST, [1], "1 of 2"),
    "step negative": (b'{"step": -1}\n' + FIRST, [1], "1 of 2"),
    "step huge": (b'{"step": 1' + b"0" * 30 + b"}\n" + FIRST, [1], "1 of 2"),
    "step of 5000 digits": (b'{"step": ' + b"9" * 5000 + b"}\n" + FIRST, [1], "1 of 2"),
    "measure null": (b'{"step": 1, "diversity/b": null}\n' + FIRST, [1], "1 of 2"),
    "measure a string": (b'{"step": 1, "diversity/b": "0.5"}\n' + FIRST, [1], "1 of 2"),
    "measure a list": (b'{"step": 1, "diversity/b": [0.5]}\n' + FIRST, [1], "1 of 2"),
    "measure huge": (b'{"step": 1, "diversity/b": 1' + b"0" * 400 + b"}\n" + FIRST, [1], "1 of 2"),
    "nested too deeply": (b"[" * 100_000 + b"\n" + FIRST, [1], "1 of 2"),
    "nested deeply": (b'{"step": 1, "x": ' + b"[" * 500 + b"]" * 500 + b"}\n" + FIRST, [1], "1 of 2"),
}
# What is no damage: rows of later steps, and what a killed process leaves.
GOOD_LOGS = {
    "empty": (b"", []),
    "blank lines": (b"\n" + FIRST + b"\n\n" + SECOND, [1, 2]),
    "lines end as on Windows": (FIRST.replace(b"\n", b"\r\n") + SECOND, [1, 2]),
    "a last line that ends early": (FIRST + SECOND + b'{"step": 3, "x"', [1, 2]),
    "a last line that ends where it begins": (FIRST + SECOND + b'{"step": ', [1, 2]),
    "a last line without its end": (FIRST + SECOND[:-1], [1, 2]),
    "later steps": (FIRST + SECOND + b'{"step": 3, "diversity/b": 0.125}\n', [1, 2]),
    "NaN and infinity": (FIRST + b'{"step": 2, "diversity/b": NaN, "kl/b": Infinity}\n', [1, 2]),
}


class NoDiversity:
    """Probes of a model whose outputs have become one."""

    def measure(self):
        return {"diversity/b": 0.0}


def resume(path):
    """Truncates the log as training does when it resumes after step 2; returns the rows that it keeps."""
    folder = run_folder.RunFolder(path)
    rows = folder.truncate_log(2)
    watches = munit_tf.METHODS["munit"].collapse_checks
    writer = tf.summary.create_file_writer(str(path / "tensorboard"))
    callbacks.Log(2, 1, folder, writer, NoDiversity(), watches, 1, rows).after_step(3, {"loss_g": 1.0})
    return rows


@pytest.mark.parametrize("name", LOGS)
def test_a_damaged_log_is_kept_and_what_is_dropped_is_said(tmp_path, capsys, name):
    data, steps, dropped = LOGS[name]
    (tmp_path / "log.jsonl").write_bytes(data)
    assert [row["step"] for row in resume(tmp_path)] == steps
    assert [row["step"] for row in log(tmp_path)] == [*steps, 3]
    assert (tmp_path / "log.jsonl.damaged").read_bytes() == data
    [line] = [line for line in capsys.readouterr().err.splitlines() if "damaged" in line]
    assert f"{tmp_path / 'log.jsonl'} is damaged, {dropped} lines dropped" in line
    assert "log.jsonl.damaged" in line


@pytest.mark.parametrize("name", GOOD_LOGS)
def test_what_a_killed_process_leaves_in_the_log_is_no_damage(tmp_path, capsys, name):
    data, steps = GOOD_LOGS[name]
    (tmp_path / "log.jsonl").write_bytes(data)
    assert [row["step"] for row in resume(tmp_path)] == steps
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "tensorboard"]
    assert "log.jsonl" not in capsys.readouterr().err


def test_damaged_logs_do_not_replace_each_other(tmp_path, capsys):
    folder = run_folder.RunFolder(tmp_path)
    for data in (b"first\n", b"second\n", None):
        put(folder.log, data)
        assert folder.truncate_log(2) == []
    assert (tmp_path / "log.jsonl.damaged").read_bytes() == b"first\n"
    assert (tmp_path / "log.jsonl.damaged-2").read_bytes() == b"second\n"
    assert (tmp_path / "log.jsonl.damaged-3").is_dir()
    assert "log.jsonl.damaged-3" in capsys.readouterr().err.splitlines()[-1]
    assert folder.truncate_log(2) == []


def notes(value):
    return json.dumps([{"to": 2, "reason": "NaN"}, value]).encode()


BAD_NOTES = {
    **BAD_JSON,
    "an object": b"{}",
    "no step": notes({"reason": "NaN"}),
    "step null": notes({"to": None}),
    "step a string": notes({"to": "7"}),
    "step true": notes({"to": True}),
    "step a fraction": notes({"to": 1.5}),
    "step negative": notes({"to": -1}),
    "step infinite": b'[{"to": Infinity}]',
    "step beyond 64 bits": notes({"to": 2**63}),
    "step of 400 digits": notes({"to": 10**400}),
}


@pytest.mark.parametrize("name", BAD_NOTES)
def test_damaged_notes_of_rollbacks_are_an_error(tmp_path, name):
    folder = run_folder.RunFolder(tmp_path)
    put(folder.rollbacks, BAD_NOTES[name])
    with pytest.raises(InputError) as caught:
        folder.read_rollbacks()
    assert str(folder.rollbacks) in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_in_place_of_the_checkpoints_does_not_start_training_over(tmp_path):
    folder = run_folder.RunFolder(tmp_path)
    put(folder.checkpoints, b"")
    with pytest.raises(InputError) as caught:
        folder.newest_checkpoint()
    assert str(folder.checkpoints) in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_in_place_of_tensorboard_is_one_line(tmp_path):
    folder = run_folder.RunFolder(tmp_path)
    put(folder.tensorboard, b"")
    with pytest.raises(InputError, match="cannot be written: Not a directory; once"), folder.writing():
        tf.summary.create_file_writer(str(folder.tensorboard))


def test_training_goes_on_with_a_damaged_log_and_not_with_damaged_rollbacks(
    tmp_path, monkeypatch, capsys, eagerly
):
    monkeypatch.chdir(tmp_path)
    make_photos(tmp_path / "photos", count=3)
    run = tmp_path / "run"
    flags = [*CYCLEGAN, "--log_every=1", "--sample_every=1000", "--output=run"]
    assert train.main([*flags, "--steps=1"]) == 0
    good = run.joinpath("log.jsonl").read_bytes()
    run.joinpath("log.jsonl").write_bytes(b'{"step": null}\n' + good)
    assert train.main([*flags, "--steps=2"]) == 0
    assert [row["step"] for row in log(run)] == [1, 2]
    assert "1 of 2 lines dropped" in capsys.readouterr().err
    run.joinpath("rollbacks.json").write_bytes(notes({"to": 10**30}))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert train.main([*flags, "--steps=3"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("munit_tf.train: ") and "rollbacks.json is damaged" in line
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert [path.name for path in after if after[path] != before.get(path)] == ["run.flags"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    make_photos(folder / "photos", count=1)
    return make_run(folder / "run", dataset=folder / "photos")


# {name: (whether the flags are there still, what comes after them, or None for a folder)}.
BAD_FLAGS = {
    "empty": (False, b""),
    "garbage": (False, b"garbage\n"),
    "binary": (False, bytes(range(256))),
    "NUL bytes": (False, bytes(512)),
    "comments": (False, b"# All options of this run.\n"),
    "a folder": (False, None),
    "garbage after flags": (True, b"garbage\n"),
    "an unknown flag": (True, b"--gen_dimm=4\n"),
    "a value that is cut off": (True, b"--gen_dim="),
    "a value out of range": (True, b"--gen_dim=-1\n"),
    "a value of another type": (True, b"--gen_dim=four\n"),
    "not UTF-8": (True, b"# \xff\n"),
    "NUL bytes after flags": (True, bytes(512)),
}


@pytest.mark.parametrize("name", BAD_FLAGS)
def test_every_command_names_damaged_run_flags(run, tmp_path, capsys, name):
    flagfile = run / "run.flags"
    good = flagfile.read_bytes()
    kept, more = BAD_FLAGS[name]
    put(flagfile, good + more if kept else more)
    output = f"--output={tmp_path / 'out'}"
    photos = run.parent / "photos"
    try:
        for command, flags in (
            (translate, [f"--run={run}", f"--input={photos / 'testA'}", "--direction=a2b", output]),
            (export, [f"--run={run}", output]),
            (evaluate, [f"--run={run}"]),
            (train, [f"--dataset={photos}", "--resize=64", "--image_size=64", f"--output={run}"]),
        ):
            assert command.main(flags) == 2
            line = capsys.readouterr().err.splitlines()[-1]
            assert line.startswith(f"{command.__name__}: ") and str(run) in line and "run.flags" in line
        with pytest.raises(InputError, match="run.flags"):
            ModelService(run, 10_000)
    finally:
        put(flagfile, good)
    assert not (tmp_path / "out").exists()
