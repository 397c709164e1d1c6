"""Locks: a folder is for one process at a time."""

import contextlib
import os
import sys

from munit_tf.errors import InputError
from munit_tf.terminal import say


@contextlib.contextmanager
def exclusive_lock(folder, refusal):
    """Keeps others that ask for the same folder out of the block; they may read it.

    The lock is the operating system's, which takes it back when the process dies.

    Args:
        folder: an existing folder.
        refusal: the message where another one is in the block.

    Raises:
        InputError: another one is.
        OSError: the folder cannot be opened.
    """
    import fcntl  # Not on every system that can read.

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(refusal) from None
        except OSError as error:
            reason = f"its file system has no locks ({error.strerror})"
            say(f"warning: {folder}: {reason}; use it for one command at a time", file=sys.stderr)
        yield
    finally:
        os.close(descriptor)
