"""Checkpoints through every harm that a disk can do to them."""

import errno
import os

import numpy as np
import pytest
import tensorflow as tf

from munit_tf.errors import InputError
from munit_tf.runs import checkpoints

NAMES = ["SHA256SUMS", "state.data-00000-of-00001", "state.format", "state.index"]


@pytest.fixture
def state():
    return {"step": tf.Variable(0, dtype=tf.int64), "weights/x": tf.Variable(np.zeros((5, 3), "float32"))}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run" / "checkpoints"


def train(state, manager, steps):
    for step in steps:
        state["step"].assign(step)
        state["weights/x"].assign(np.full((5, 3), step, "float32"))
        manager.save()


def restored(state, folder):
    """The weight of the newest checkpoint, which knows its step."""
    checkpoint = checkpoints.newest(folder)
    checkpoints.restore(state, checkpoint)
    assert int(state["step"]) == checkpoint.step
    return state["weights/x"].numpy()[4, 2]


def test_any_truncated_or_changed_file_is_found_and_the_one_before_taken(state, folder, capsys):
    train(state, checkpoints.CheckpointManager(folder, state, 5), [1, 2])
    files = sorted(path for path in (folder / "step-2").iterdir())
    assert [path.name for path in files] == NAMES
    assert restored(state, folder) == 2
    for path in files:
        whole = path.read_bytes()
        flipped = bytes([whole[0], whole[1] ^ 1]) + whole[2:]
        for damaged in (*(whole[:size] for size in range(0, len(whole), 13)), whole[:-1], flipped, None):
            path.unlink()
            if damaged is not None:
                path.write_bytes(damaged)
            assert restored(state, folder) == 1
            line = capsys.readouterr().err
            assert line.startswith(f"warning: checkpoint {folder / 'step-2'} is damaged (")
            assert line.count("\n") == 1
            path.write_bytes(whole)
    assert restored(state, folder) == 2 and capsys.readouterr().err == ""


def test_an_empty_folder_and_lists_are_no_checkpoint(state, folder):
    assert checkpoints.newest(folder) is None
    (folder / "step-3").mkdir(parents=True)
    (folder / "step-3" / "SHA256SUMS").touch()
    with pytest.raises(InputError, match="every checkpoint in .* is damaged"):
        checkpoints.newest(folder)


def test_another_layout_is_not_taken_for_a_run_without_checkpoints(folder):
    folder.mkdir(parents=True)
    (folder / "step-3.index").touch()
    with pytest.raises(InputError, match="holds step-3.index, which is no checkpoint of this version"):
        checkpoints.newest(folder)


def test_old_and_damaged_ones_go_when_a_new_one_is_there(state, folder):
    train(state, checkpoints.CheckpointManager(folder, state, 2), [1, 2, 10, 12])
    assert sorted(os.listdir(folder)) == ["step-10", "step-12"]
    (folder / "step-12" / "state.index").write_bytes(b"")
    (folder / ".step-13.tmp").mkdir()  # As a kill leaves it.
    (folder / "notes").touch()
    assert restored(state, folder) == 10
    manager = checkpoints.CheckpointManager(folder, state, 2)
    assert sorted(os.listdir(folder)) == [".step-13.tmp", "notes", "step-10", "step-12"]
    train(state, manager, [11])
    assert sorted(os.listdir(folder)) == ["notes", "step-10", "step-11"]


def test_a_damaged_one_of_the_same_step_is_replaced(state, folder):
    train(state, checkpoints.CheckpointManager(folder, state, 1), [1, 2])
    assert os.listdir(folder) == ["step-2"]
    train(state, checkpoints.CheckpointManager(folder, state, 2), [3])
    (folder / "step-3" / "state.index").write_bytes(b"")
    assert restored(state, folder) == 2
    train(state, checkpoints.CheckpointManager(folder, state, 1), [3])
    assert restored(state, folder) == 3 and os.listdir(folder) == ["step-3"]


@pytest.mark.parametrize("broken", ["fsync", "rename"])
def test_where_writing_fails_all_others_stay(state, folder, monkeypatch, broken):
    manager = checkpoints.CheckpointManager(folder, state, 1)
    train(state, manager, [1])

    def fail(*paths):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, broken, fail)
        train(state, manager, [2])
    assert os.listdir(folder) == ["step-1"] and restored(state, folder) == 1
    train(state, manager, [2])
    assert os.listdir(folder) == ["step-2"]


def test_everything_is_on_the_disk_before_it_gets_its_name(state, folder, monkeypatch):
    """And its name before anything is removed: else a power cut could lose both."""
    train(state, checkpoints.CheckpointManager(folder, state, 1), [1])
    names, events = {}, []
    for name, place in (("open", os), ("fsync", os), ("rename", os), ("rmtree", checkpoints.shutil)):
        original = getattr(place, name)

        def spy(first, *rest, _name=name, _original=original, **options):
            result = _original(first, *rest, **options)
            if _name == "open":
                names[result] = os.path.basename(first)
            elif _name == "fsync":
                events.append(("fsync", names[first]))
            elif not options:
                events.append((_name, os.path.basename(first)))
            return result

        monkeypatch.setattr(place, name, spy)
    train(state, checkpoints.CheckpointManager(folder, state, 1), [2])
    files = NAMES
    assert sorted(events[:4]) == [("fsync", name) for name in files]
    assert events[4:] == [
        ("fsync", ".step-2.tmp"),
        ("rename", ".step-2.tmp"),
        ("fsync", "checkpoints"),
        ("rmtree", "step-1"),
    ]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_named_and_not_written(state, folder, value):
    manager = checkpoints.CheckpointManager(folder, state, 1)
    train(state, manager, [1])
    state["step"].assign(2)
    state["weights/x"][3, 1].assign(value)
    with pytest.raises(checkpoints.NotFinite, match="after step 2 weights/x has values that are not finite"):
        manager.save()
    assert os.listdir(folder) == ["step-1"] and restored(state, folder) == 1
