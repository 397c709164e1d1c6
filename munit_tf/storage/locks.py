"""Exclusive locks on folders."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from munit_tf.errors import InputError
from munit_tf.terminal import say


@contextlib.contextmanager
def exclusive_lock(folder: str | os.PathLike, refusal: str) -> Iterator[None]:
    """Holds a lock on a folder; other processes can still read it.

    The operating system releases the lock when the process ends.

    Args:
        folder: an existing folder.
        refusal: the message if another process holds the lock.

    Raises:
        InputError: another process holds the lock.
        OSError: the folder cannot be opened.
    """
    import fcntl  # Unavailable on some systems, which can still read run folders.

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(refusal) from None
        except OSError as error:
            reason = f"its file system has no locks ({error.strerror})"
            say(f"warning: {folder}: {reason}; run only one command on it at a time", file=sys.stderr)
        yield
    finally:
        os.close(descriptor)
