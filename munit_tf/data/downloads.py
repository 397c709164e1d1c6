"""What every download shares: where it goes, one short connection attempt, all or nothing."""

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
from collections.abc import Iterable

from munit_tf.errors import InputError
from munit_tf.storage.paths import absolute
from munit_tf.terminal import say

CONNECT_TIMEOUT_S = 10
_PORTS = {"http": 80, "https": 443}


def data_dir(config):
    """The folder of downloads and prepared data: `--data_dir`, else TFDS' own default."""
    chosen = config.data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return pathlib.Path(absolute(chosen))


def check_reachable(url, name, hint):
    """Tries once, for at most CONNECT_TIMEOUT_S all told, to connect to where `url` is.

    Libraries that download retry for minutes and leave files behind; this asks before they start.

    Args:
        url: str; where the environment names a proxy for it, the proxy is tried.
        name: the data set, for the message.
        hint: what else the user can do, for the message.

    Raises:
        InputError: if there is no connection.
    """
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:  # Such as a bracket of an IPv6 address alone.
        parts = urllib.parse.SplitResult("", "", "", "", "")
    if parts.scheme not in _PORTS or not parts.hostname:
        raise InputError(f"{url} is no http:// or https:// address: correct it")
    outcome = queue.SimpleQueue()
    # In a thread, since neither name look-up nor several addresses of one host heed a timeout.
    attempt = threading.Thread(target=lambda: outcome.put(_connect(parts)), daemon=True)
    attempt.start()
    try:
        error = outcome.get(timeout=CONNECT_TIMEOUT_S)
    except queue.Empty:
        error = f"no answer in {CONNECT_TIMEOUT_S} s"
    if error:
        raise InputError(f"cannot reach {parts.hostname} to download {name} ({error}); {hint}")


def _connect(parts):
    """None, or what went wrong."""
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname):
        parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    try:
        address = (parts.hostname, parts.port or _PORTS[parts.scheme])
        socket.create_connection(address, CONNECT_TIMEOUT_S).close()
    except OSError as error:
        return error.strerror or str(error)
    except (ValueError, KeyError) as error:  # A port or name that cannot be, an unknown proxy.
        return f"bad address: {error}"
    return None


def check_whole(folder: pathlib.Path, names: Iterable[str]) -> None:
    """Raises InputError where a folder of prepared images lacks one of its subfolders."""
    for name in names:
        if not (folder / name).is_dir():
            raise InputError(f"{folder} has no folder {name}: remove {folder}, and it is prepared again")


@contextlib.contextmanager
def exclusive_builder(root):
    """Makes folder `root` and lets one process at a time into the block; others wait.

    The lock is the operating system's, which takes it back when the process dies.

    Raises:
        InputError: if `root` (pathlib.Path) cannot be written to.
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


def _wait_for_lock(file, root):
    import fcntl  # Not on every system that can read prepared data.

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"waiting for another process that prepares data in {root}", file=sys.stderr)
        fcntl.flock(file, fcntl.LOCK_EX)


@contextlib.contextmanager
def atomic_folder(root, relative):
    """Makes folder `root / relative` completely or not at all; call it inside `exclusive_builder(root)`.

    The block fills the temporary folder that it is given. When it ends well the folder gets its
    name; when it fails, the folder is removed; what a process that died left is removed next time.

    Args:
        root: pathlib.Path of an existing folder.
        relative: str, such as "cat2dog/4.0.1".

    Yields:
        pathlib.Path of the empty temporary folder, or None if `root / relative` is there already.

    Raises:
        InputError: if the folder cannot be written.
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
