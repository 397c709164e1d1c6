"""Atomic writes of files."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

from munit_tf.errors import InputError
from munit_tf.storage.paths import RemotePath, is_special, to_path

TEMPORARY = ".tmp"


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike | RemotePath, durable: bool = False) -> Iterator[BinaryIO]:
    """Opens a binary file for writing and moves it to `path` once it is complete.

    Args:
        path: a path on this machine, or a URI.
        durable: wait until the data is on the disk. Without it a power failure may leave an empty file.

    Yields:
        The open file.

    Raises:
        InputError: the file cannot be written; an existing file at `path` is unchanged.
    """
    final: Any = to_path(path)
    temporary = final.parent / f"{final.name}{TEMPORARY}"
    is_local = not isinstance(final, RemotePath)
    if is_local and is_special(final):
        raise InputError(f"{final} cannot be written: it is not a regular file")
    opened = False
    try:
        with temporary.open("wb") as file:
            opened = True
            yield file
            if durable and is_local:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(final)
    except BaseException as error:  # Also on Ctrl-C.
        if opened:
            with contextlib.suppress(OSError, InputError):
                temporary.unlink()
        if isinstance(error, OSError):
            raise InputError(f"{final} cannot be written: {error.strerror or error}") from error
        raise


def sync(path: str | os.PathLike) -> None:
    """Waits until a file, or a folder's list of names, is on the disk.

    Raises:
        OSError: it cannot be written to the disk.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # Some file systems cannot sync a folder.
            raise
    finally:
        os.close(descriptor)
