"""Shared by all downloads: the folder, a connection test, a lock and atomic folders."""

from __future__ import annotations

import contextlib
import os
import pathlib
import queue
import shutil
import socket
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any, Optional

from munit_tf.config.options import DataConfig
from munit_tf.errors import InputError
from munit_tf.storage.paths import absolute
from munit_tf.terminal import say

CONNECT_TIMEOUT_S = 10
_PORTS = {"http": 80, "https": 443}


def data_dir(config: DataConfig) -> pathlib.Path:
    """The folder for downloads and prepared data: `--data_dir`, or the default of TFDS."""
    chosen = config.data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return pathlib.Path(absolute(chosen))


def check_reachable(url: str, name: str, hint: str) -> None:
    """Tries once to connect to the host of `url`, for at most CONNECT_TIMEOUT_S seconds in total.

    Download libraries retry for minutes and leave files behind, so the connection is tested first.

    Args:
        url: the address; if the environment sets a proxy for it, the proxy is tested.
        name: the data set, for the message.
        hint: what else the user can do, for the message.

    Raises:
        InputError: there is no connection, or the address is invalid.
    """
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:  # E.g. an unmatched bracket of an IPv6 address.
        parts = urllib.parse.SplitResult("", "", "", "", "")
    if parts.scheme not in _PORTS or not parts.hostname:
        raise InputError(f"{url} is not an http:// or https:// address: correct it")
    outcome: queue.SimpleQueue[Optional[str]] = queue.SimpleQueue()
    # In a thread: the timeout of a connection covers neither DNS lookup nor several addresses of a host.
    attempt = threading.Thread(target=lambda: outcome.put(_connect(parts)), daemon=True)
    attempt.start()
    try:
        error = outcome.get(timeout=CONNECT_TIMEOUT_S)
    except queue.Empty:
        error = f"no answer in {CONNECT_TIMEOUT_S} s"
    if error:
        raise InputError(f"cannot reach {parts.hostname} to download {name} ({error}); {hint}")


def _connect(parts: urllib.parse.SplitResult) -> str | None:
    """Returns the error message of a connection attempt, or None if it succeeds."""
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    try:
        address = (parts.hostname, parts.port or _PORTS[parts.scheme])
        socket.create_connection(address, CONNECT_TIMEOUT_S).close()
    except OSError as error:
        return error.strerror or str(error)
    except (ValueError, KeyError) as error:  # An invalid port or name, an unknown kind of proxy.
        return f"bad address: {error}"
    return None


def check_whole(folder: pathlib.Path, names: Iterable[str]) -> None:
    """Checks that a folder of prepared images has all its subfolders.

    Raises:
        InputError: one is missing.
    """
    for name in names:
        if not (folder / name).is_dir():
            raise InputError(f"{folder} has no folder {name}: remove {folder} to prepare it again")


@contextlib.contextmanager
def exclusive_builder(root: pathlib.Path) -> Iterator[None]:
    """Creates folder `root` and lets one process at a time enter the block; others wait.

    The operating system releases the lock if the process dies.

    Raises:
        InputError: `root` is not writable.
    """
    with contextlib.ExitStack() as stack:
        try:
            root.mkdir(parents=True, exist_ok=True)
            _wait_for_lock(stack.enter_context(open(root / ".lock", "w")), root)
        except OSError as error:
            raise InputError(
                f"cannot write to {root}: {error.strerror}; choose a --data_dir that you can write to"
            ) from error
        yield


def _wait_for_lock(file: Any, root: pathlib.Path) -> None:
    import fcntl  # Unavailable on Windows, which can still read prepared data.

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"waiting for another process that is preparing data in {root}", file=sys.stderr)
        fcntl.flock(file, fcntl.LOCK_EX)


@contextlib.contextmanager
def atomic_folder(root: pathlib.Path, relative: str) -> Iterator[pathlib.Path | None]:
    """Creates folder `root / relative` atomically; call it inside `exclusive_builder(root)`.

    The block fills a temporary folder, which is renamed if the block succeeds and removed if it fails.
    The next call removes what a killed process left behind.

    Args:
        root: an existing folder.
        relative: path of the new folder in `root`, e.g. "cat2dog/4.0.1".

    Yields:
        The empty temporary folder, or None if `root / relative` exists.

    Raises:
        InputError: the folder cannot be written.
    """
    final = root / relative
    if final.is_dir():
        yield None
        return
    for path in (final, final.parent):
        if os.path.lexists(path) and not path.is_dir():
            raise InputError(f"{path} is not a folder: remove it, or choose another --data_dir")
    building = root / (relative.replace("/", "-") + ".tmp")
    try:
        for leftover in root.glob("*.tmp"):
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()
        building.mkdir()
        yield building
        final.parent.mkdir(exist_ok=True)
        building.rename(final)
    except OSError as error:
        raise InputError(
            f"cannot write {final}: {error.strerror or error}; free some space, or choose another --data_dir"
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
