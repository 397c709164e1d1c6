"""Several processes train one model: two real ones on this machine, one of which dies."""

import json
import os
import shutil
import signal
import socket
import time

import numpy as np
import pytest
import tensorflow as tf
from forked import Command
from training.processes import TINY, log, make_photos, state

from munit_tf import train
from munit_tf.cli import command_line
from munit_tf.distribution.workers import Workers
from munit_tf.errors import InputError
from munit_tf.runs import loading, run_folder

# A pool that is full after a step and a half, and four rows a batch: two for each worker.
FLAGS = [
    "--dataset=photos",
    "--method=cyclegan",
    *(flag for flag in TINY if not flag.startswith(("--mlp_dim", "--num_scales", "--batch_size"))),
    "--pool_size=6",
    "--num_downsample=1",
    "--num_dis_layers=1",
    "--identity_weight=0",
    "--batch_size=4",
    "--sample_every=100000",
    "--checkpoint_every=2",
]


@pytest.fixture
def folder(tmp_path):
    make_photos(tmp_path / "photos")
    return tmp_path


def start(folder, flags):
    """Two workers, the chief first."""
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    workers = []
    for i in range(2):
        environment = {"TF_CONFIG": tf_config(addresses, "worker", i)}
        argv = [*flags, "--strategy=multiworker"]
        workers.append(Command("train", *argv, cwd=folder, environment=environment))
    return workers


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def wait_for_step(run, step, workers):
    while not (run / "log.jsonl").exists() or len((run / "log.jsonl").read_text().splitlines()) < step:
        assert all(worker.poll() is None for worker in workers)
        time.sleep(0.02)


# (which worker, by what); SIGSTOP is as a machine that has lost its network. Others on demand.
DEATHS = [(1, signal.SIGKILL)]
if os.environ.get("MUNIT_TF_TEST_ALL_DEATHS"):
    DEATHS += [(0, signal.SIGKILL), (1, signal.SIGSTOP), (0, signal.SIGSTOP)]


@pytest.mark.parametrize("index, number", DEATHS)
def test_a_worker_dies_all_start_again_and_one_is_told_to_stop(folder, mirrored, monkeypatch, index, number):
    """Then they have done what one process with two devices does."""
    run, flags = folder / "run", [*FLAGS, "--steps=100000", "--output=run"]
    workers = start(folder, flags)
    wait_for_step(run, 3, workers)
    workers[index].send_signal(number)
    began = time.monotonic()
    assert workers[1 - index].wait() == 2
    print(f"the other ended after {time.monotonic() - began:.1f} s")
    if workers[index].poll() is None:
        workers[index].send_signal(signal.SIGKILL)
        workers[index].wait()
    *_, line = workers[1 - index].stderr.splitlines()
    assert line.startswith("munit_tf.train: another worker has ended"), line
    died_at = len(log(run))

    workers = start(folder, flags)
    wait_for_step(run, died_at + 1, workers)
    workers[1].send_signal(signal.SIGTERM)
    assert [worker.wait() for worker in workers] == [128 + signal.SIGTERM] * 2
    for i in range(2):
        assert "stopped; to resume" in workers[i].stderr
    rows = log(run)
    last = len(rows)
    assert [row["step"] for row in rows] == list(range(1, last + 1))
    assert int(state(run, last)["step/.ATTRIBUTES/VARIABLE_VALUE"]) == last
    assert len(os.listdir(run / "tensorboard")) == 2  # The chief's alone, of each start.

    monkeypatch.chdir(folder)
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: mirrored)
    assert train.main([*FLAGS, "--strategy=mirrored", f"--steps={last}", "--output=one"]) == 0
    assert_close(run, folder / "one", last, 1e-5)


def test_one_device_then_two_are_one(folder, mirrored, monkeypatch, policy, eagerly):
    """In float64, where rounding does not grow: the same batches in the same order, shared out or not."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: mirrored)
    policy("float64")
    monkeypatch.setitem(loading._POLICIES, "float32", "float64")
    assert train.main([*FLAGS, "--strategy=none", "--steps=4", "--output=one"]) == 0
    shutil.copytree("one", "both")
    shutil.rmtree("both/checkpoints/step-4")
    assert train.main([*FLAGS, "--strategy=mirrored", "--steps=4", "--output=both"]) == 0
    assert_close(folder / "one", folder / "both", 4, 1e-9)


def assert_close(first, second, step, tolerance):
    """Every weight, moment, pool and counter, and every loss."""
    states = state(first, step), state(second, step)
    assert states[0].keys() == states[1].keys() and len(states[0]) > 80
    for name, value in states[0].items():
        np.testing.assert_allclose(states[1][name], value, rtol=tolerance, atol=tolerance, err_msg=name)
    for row, other in zip(log(first), log(second)):
        assert row == pytest.approx(other, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize(
    "step, flags, message",
    [
        ("0", "--seed=5\n--steps=9", "the worker at b:2 has --seed=5, the chief --seed=0: give all"),
        ("0", "--seed=0", "the worker at b:2 has the default, the chief --steps=9: give all"),
        (
            "2",
            "--seed=0\n--steps=9",
            "the worker at b:2 begins at step 2, the chief at step 4: --output=/run",
        ),
    ],
)
def test_workers_that_would_do_different_things(step, flags, message, monkeypatch):
    options, _ = command_line.parse(["--dataset=photos", "--output=/run"], run_folder.CONFIGS)
    workers = Workers(tf.distribute.get_strategy())
    monkeypatch.setattr(workers, "_addresses", ["a:1", "b:2"])
    everyones = [["4" if step == "2" else "0", "--seed=0\n--steps=9"], [step, flags]]
    monkeypatch.setattr(workers, "_gather_pairs", lambda number, text: everyones)
    with pytest.raises(InputError, match=message):
        workers.check_same(options, 0)


def tf_config(addresses, kind, index):
    return json.dumps({"cluster": {"worker": addresses}, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize(
    "config, parts",
    [
        ("", ["needs TF_CONFIG", '"cluster"']),
        ("{cluster", ["TF_CONFIG={cluster is not understood", '"cluster"']),
        ('{"cluster": {"worker": ["a:1", "b:1"]}}', ["is not understood"]),
        (tf_config(["a", "b"], "worker", 0), ["is not understood"]),
        (tf_config(["a:1", "a:1"], "worker", 0), ["its own host:port"]),
        (tf_config(["a:1", "b:1"], "worker", 2), ["no task of type worker and index 2"]),
        (tf_config(["a:1", "b:1"], "ps", 0), ["no task of type ps"]),
    ],
)
def test_tf_config_that_is_none(folder, config, parts, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TF_CONFIG", config)
    assert train.main([*FLAGS, "--strategy=multiworker"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("munit_tf.train: ") and all(part in line for part in parts)
    assert os.listdir(folder) == ["photos"]
