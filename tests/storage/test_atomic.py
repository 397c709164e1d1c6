"""Files are written atomically."""

import errno
import fcntl
import os

import pytest

from munit_tf.errors import InputError
from munit_tf.storage.atomic import atomic_write
from munit_tf.storage.locks import exclusive_lock


def test_a_whole_file_takes_the_others_place(tmp_path):
    (tmp_path / "x").write_bytes(b"old")
    with atomic_write(tmp_path / "x") as file:
        file.write(b"new")
        assert (tmp_path / "x").read_bytes() == b"old"
    assert (tmp_path / "x").read_bytes() == b"new" and os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("error, raised", [(OSError("full"), InputError), (KeyboardInterrupt(), None)])
def test_a_half_written_one_leaves_nothing(tmp_path, error, raised):
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(raised or type(error)), atomic_write(tmp_path / "x") as file:
        file.write(b"ha")
        raise error
    assert (tmp_path / "x").read_bytes() == b"old" and os.listdir(tmp_path) == ["x"]


def test_a_durable_one_is_on_the_disk_before_it_has_the_name(tmp_path, monkeypatch):
    events, fsync = [], os.fsync

    def spy(descriptor):
        events.append((os.listdir(tmp_path), os.fstat(descriptor).st_size))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    with atomic_write(tmp_path / "x", durable=True) as file:
        file.write(b"new")
    assert events == [(["x.tmp"], 3)] and os.listdir(tmp_path) == ["x"]


def test_no_folder(tmp_path):
    message = "none/x cannot be written: No such file"
    with pytest.raises(InputError, match=message), atomic_write(tmp_path / "none" / "x"):
        pass


def test_a_folder_is_for_one_at_a_time(tmp_path):
    with exclusive_lock(tmp_path, "busy"):
        with pytest.raises(InputError, match="^busy$"), exclusive_lock(tmp_path, "busy"):
            pass
        assert os.listdir(tmp_path) == []
    with exclusive_lock(tmp_path, "busy"):
        pass


def test_a_file_system_without_locks_is_said_to_have_none(tmp_path, monkeypatch, capsys):
    def flock(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with exclusive_lock(tmp_path, "busy"):
        pass
    assert "its file system has no locks (No locks available)" in capsys.readouterr().err
