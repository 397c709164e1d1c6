"""The connection attempt keeps its deadline; folders are created atomically."""

import errno
import socket
import subprocess
import sys
import threading
import time

import pytest

from munit_tf.config.options import DataConfig
from munit_tf.data import downloads
from munit_tf.errors import InputError


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_reachable_host_passes(listening):
    downloads.check_reachable(f"https://127.0.0.1:{listening}/path", "maps", "hint")


def test_silent_host_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr(downloads, "CONNECT_TIMEOUT_S", 0.2)
    released = threading.Event()

    def look_up(*args):  # It ignores the socket's timeout.
        released.wait(30)
        raise socket.gaierror(-3, "Temporary failure")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    start = time.monotonic()
    with pytest.raises(InputError, match=r"cannot reach far\.example .*no answer in 0.2 s.*; hint"):
        downloads.check_reachable("https://far.example/x", "maps", "hint")
    assert time.monotonic() - start < 5
    released.set()


def test_deadline_is_10_seconds():
    assert downloads.CONNECT_TIMEOUT_S == 10


def test_unknown_host(monkeypatch):
    def fail(*args):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(InputError, match=r"far\.example to download maps \(Name or service"):
        downloads.check_reachable("https://far.example/x", "maps", "hint")


@pytest.mark.parametrize("port", ["99999", "x"])
def test_port_that_cannot_be(port):
    with pytest.raises(InputError, match="bad address"):
        downloads.check_reachable(f"http://127.0.0.1:{port}/", "maps", "hint")


def test_proxy_is_what_must_be_reachable(monkeypatch, listening):
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{listening}")
    downloads.check_reachable("https://far.example/x", "maps", "hint")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(InputError, match="Connection refused"):
        downloads.check_reachable("https://127.0.0.1:9/x", "maps", "hint")


def test_data_dir(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    assert downloads.data_dir(DataConfig()) == tmp_path / "tensorflow_datasets"
    monkeypatch.setenv("TFDS_DATA_DIR", "/elsewhere")
    assert str(downloads.data_dir(DataConfig())) == "/elsewhere"
    assert downloads.data_dir(DataConfig(data_dir="~/mine")) == tmp_path / "mine"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_folder_gets_its_name_when_it_is_complete(tmp_path):
    with downloads.atomic_folder(tmp_path, "set/1.0.0") as folder:
        (folder / "x").write_text("x")
        assert not (tmp_path / "set").exists()
    assert names(tmp_path) == ["set"] and names(tmp_path / "set/1.0.0") == ["x"]
    with downloads.atomic_folder(tmp_path, "set/1.0.0") as folder:
        assert folder is None


@pytest.mark.parametrize("error", [KeyboardInterrupt(), InputError("bad"), RuntimeError("bug")])
def test_failure_leaves_nothing_and_passes_through(tmp_path, error):
    with pytest.raises(type(error)), downloads.atomic_folder(tmp_path, "set/1.0.0") as folder:
        (folder / "x").write_text("x")
        raise error
    assert names(tmp_path) == []


def test_full_disk_is_said_in_one_line(tmp_path):
    message = "cannot write .*set: No space left.*--data_dir"
    with pytest.raises(InputError, match=message), downloads.atomic_folder(tmp_path, "set"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


BUILDER = """
import pathlib, sys, time
from munit_tf.data import downloads
with downloads.exclusive_builder(pathlib.Path(sys.argv[1])):
    print("inside", flush=True)
    time.sleep(60)
"""


def test_second_builder_waits_and_a_dead_one_does_not_block(tmp_path):
    entered = threading.Event()

    def build():
        with downloads.exclusive_builder(tmp_path):
            entered.set()

    first = subprocess.Popen([sys.executable, "-c", BUILDER, str(tmp_path)], stdout=subprocess.PIPE)
    with first:
        assert first.stdout.readline() == b"inside\n"
        second = threading.Thread(target=build)
        second.start()
        assert not entered.wait(0.3)
        first.kill()
        assert entered.wait(10)
        second.join()
