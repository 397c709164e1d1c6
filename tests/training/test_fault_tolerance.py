"""Training is killed, its checkpoints are cut off, its disk fills up, its numbers are poisoned.

`MUNIT_TF_HARMS=40 python -m pytest -n 0 tests/training/test_fault_tolerance.py` kills 40 times instead of
twice.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
import tensorflow as tf
from forked import Command
from training.processes import CYCLEGAN, log, make_photos, state

import munit_tf
from munit_tf import train as command
from munit_tf.data import pipeline
from munit_tf.errors import InputError
from munit_tf.models.optimizers import Adam
from munit_tf.runs import run_folder
from munit_tf.runs.checkpoints import NotFinite
from munit_tf.training import rollback

HARMS = int(os.environ.get("MUNIT_TF_HARMS", "2"))
FLAGS = [*CYCLEGAN, "--sample_every=1000"]
random.seed(HARMS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("harm")
    make_photos(folder / "photos", count=3)
    return folder


def newest(run):
    """The step of the newest folder in `checkpoints`, or -1."""
    folder = run / "checkpoints"
    names = os.listdir(folder) if folder.exists() else []
    return max((int(name[5:]) for name in names if name.startswith("step-")), default=-1)


def assert_same_state(first, second, step):
    states = state(first, step), state(second, step)
    assert states[0].keys() == states[1].keys() and len(states[0]) > 80
    assert [key for key in states[0] if not np.array_equal(states[0][key], states[1][key])] == []


def start(folder, *flags, **options):
    return Command("train", *flags, cwd=folder, eager=True, **options)


def run_to_its_end(folder, *flags):
    with start(folder, *flags) as process:
        assert process.wait() == 0, process.stderr


def cut_off(path):
    """Truncates one file of a checkpoint somewhere."""
    file = random.choice(sorted(path.iterdir()))
    size = random.randrange(file.stat().st_size)
    os.truncate(file, size)


def test_killed_and_cut_off_a_run_ends_as_an_uninterrupted_one(folder, monkeypatch, capfd):
    """After every other kill, at a random moment, the newest checkpoint is truncated, too."""
    run, flags = folder / "killed", [*FLAGS, "--log_every=1000"]
    reached = -1
    for i in range(HARMS):
        with start(folder, *flags, "--steps=1000000", "--output=killed") as process:
            if i == 0:
                monkeypatch.chdir(folder)
                while not run.exists():
                    time.sleep(0.02)
                assert command.main([*flags, "--output=killed"]) == 2
                line = capfd.readouterr().err.splitlines()[-1]
                message = f"{run}: another process is training in it: choose another --output"
                assert line == f"munit_tf.train: {message}"
            cut = reached
            while newest(run) <= max(reached, 1):  # Each life is to bring something new.
                time.sleep(0.01)
            time.sleep(random.uniform(0, 1))
            before = newest(run)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL, process.stderr
            assert process.stderr.count("is damaged") == (i % 2 == 0 and i > 0), process.stderr
        reached = newest(run)
        assert reached >= before > cut
        if i % 2:
            cut_off(run / "checkpoints" / f"step-{reached}")
            assert int(munit_tf.load(run).step) == reached - 1
    for output in ("killed", "whole"):
        run_to_its_end(folder, *flags, f"--steps={reached + 1}", f"--output={output}")
    assert_same_state(run, folder / "whole", reached + 1)
    assert sorted(os.listdir(run / "checkpoints")) == sorted(
        f"step-{step}" for step in range(reached + 1, reached + 1 - 5, -1) if step > 0
    )


@contextlib.contextmanager
def full(disk, free_bytes):
    """A disk with `free_bytes` left: a real one if it can be mounted, else a limit on file sizes.

    Yields options for `start`.
    """
    if disk.is_mount():
        filler = disk / "filler"
        with open(filler, "wb") as file:
            free = shutil.disk_usage(disk).free - free_bytes
            file.write(bytes(max(free, 0)))
        yield {}
        filler.unlink()
    else:
        yield {"largest_file": free_bytes}


@pytest.fixture
def disk(tmp_path):
    """A folder, of a small disk where that may be mounted."""
    mounted = not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "munit_tf", tmp_path], capture_output=True
    ).returncode
    yield tmp_path
    if mounted:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_full_disk_is_one_line_and_training_continues_when_there_is_space(folder, disk):
    run = disk / "run"
    flags = [*FLAGS, "--log_every=1", f"--output={run}"]
    run_to_its_end(folder, *flags, "--steps=1")
    size = sum(path.stat().st_size for path in (run / "checkpoints" / "step-1").iterdir())
    for _ in range(HARMS // 2):
        free_bytes = random.randrange(10_000, size * 3 // 4)
        with full(disk, free_bytes) as options, start(folder, *flags, "--steps=2", **options) as process:
            status, errors = process.wait(), process.stderr
        lines = errors.splitlines()
        assert status == 2 and "Traceback" not in errors, errors
        reason = "No space left on device" if disk.is_mount() else "File too large"
        assert lines[-1].startswith("munit_tf.train: ") and f"cannot be written: {reason}" in lines[-1]
        assert int(munit_tf.load(run).step) == newest(run) == 1
        assert [path for path in run.rglob("*") if ".tmp" in path.name] == []
        assert (run / "run.flags").read_text().startswith("# All options of this run.")
    run_to_its_end(folder, *flags, "--steps=2")
    assert newest(run) == 2 and [row["step"] for row in log(run)] == [1, 2]


@pytest.fixture
def here(folder, monkeypatch, eagerly):
    """In this process, where numbers can be poisoned."""
    monkeypatch.chdir(folder)
    return folder


def poison(monkeypatch, step, times):
    """The images of a step hold a NaN, until training has gone back `times` times."""
    batches = pipeline.training_batches

    def poisoned(*sources, start, rollbacks, **options):
        dataset = batches(*sources, start=start, rollbacks=rollbacks, **options)
        if len(rollbacks) >= times:
            return dataset
        return dataset.enumerate(start + 1).map(
            lambda i, batch: {**batch, "a": tf.where(i == step, np.nan, batch["a"])}
        )

    monkeypatch.setattr(pipeline, "training_batches", poisoned)


def train(capfd, output, *flags):
    """(status, standard error's last line, steps that training went back to)."""
    status = command.main([*FLAGS, "--log_every=1", "--checkpoint_every=2", f"--output={output}", *flags])
    notes = run_folder.RunFolder(output).read_rollbacks()
    return status, capfd.readouterr().err.splitlines()[-1], [note["to"] for note in notes]


def assert_finite(run, step):
    assert newest(run) == step and int(munit_tf.load(run).step) == step
    assert all(np.isfinite(x).all() for x in state(run, step).values() if x.dtype.kind == "f")
    assert [row["step"] for row in log(run)] == list(range(1, step + 1))


def test_an_infinite_learning_rate_stops_at_its_step(here, monkeypatch, capfd):
    rate = Adam.current_learning_rate

    def infinite(self):
        return tf.where(self._step == 2, tf.constant(np.inf, tf.float64), rate(self))

    monkeypatch.setattr(Adam, "current_learning_rate", infinite)
    status, line, notes = train(capfd, "infinite", "--steps=4")
    assert (status, notes) == (2, [])
    assert line.startswith("munit_tf.train: step 3: ") and "/checkpoints/step-2 is finite" in line
    assert_finite(here / "infinite", 2)
    # Other images do not help; it is tried twice.
    status, line, notes = train(capfd, "infinite", "--steps=4", "--on_nan=rollback")
    assert (status, notes) == (2, [2, 2])
    assert line.startswith("munit_tf.train: step 3: ") and "NaN 3 times in a row after" in line
    assert_finite(here / "infinite", 2)


@pytest.mark.parametrize("images_end", [False, True])
def test_losses_that_are_looked_at_late_stop_at_their_step(here, monkeypatch, capfd, images_end):
    """No row is due, so step 4 begins before the losses of step 3 are seen; it has no images, or saves."""
    poison(monkeypatch, 3, times=9)
    if images_end:
        poisoned = pipeline.training_batches
        monkeypatch.setattr(
            pipeline, "training_batches", lambda *a, **options: poisoned(*a, **options).take(3)
        )
    run = f"late-{images_end}"
    status, line, _ = train(capfd, run, "--steps=6", "--log_every=1000")
    assert status == 2 and line.startswith("munit_tf.train: step 3: ")
    assert newest(here / run) == 2


def test_rollback_goes_on_with_other_images_as_a_resumed_run_does(here, monkeypatch, capfd):
    poison(monkeypatch, 1, times=1)
    poison(monkeypatch, 3, times=2)
    assert train(capfd, "parts", "--steps=3", "--on_nan=rollback")[::2] == (0, [0, 2])
    assert train(capfd, "parts", "--steps=4")[::2] == (0, [0, 2])
    assert train(capfd, "one", "--steps=4", "--on_nan=rollback")[::2] == (0, [0, 2])
    assert_finite(here / "one", 4)
    assert_same_state(here / "parts", here / "one", 4)
    assert log(here / "parts") == log(here / "one")


def test_a_nan_before_the_first_checkpoint(tmp_path):
    with pytest.raises(InputError, match="^step 1: loss_g is nan, before the first checkpoint"):
        rollback.restore_last_finite(
            None, run_folder.RunFolder(tmp_path), "stop", NotFinite("step 1: loss_g is nan")
        )
