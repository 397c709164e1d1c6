"""Files and folders that are there whole or not at all, and a folder for one process at a time."""

import contextlib
import errno
import os

from munit_tf.errors import InputError
from munit_tf.storage.paths import is_remote, is_special, to_path

TEMPORARY = ".tmp"


@contextlib.contextmanager
def atomic_write(path, durable=False):
    """A binary file to write to, which takes its place at `path` when it is whole.

    Args:
        path: of this machine, or a URI.
        durable: whether it is to be on the disk then, as else a power cut may leave an empty file.

    Raises:
        InputError: it cannot be written; what was at `path` stays as it was.
    """
    path = to_path(path)
    temporary = path.parent / f"{path.name}{TEMPORARY}"
    try:
        if not is_remote(path) and is_special(path):
            raise InputError(f"{path} cannot be written: it is not a regular file")
        with temporary.open("wb") as file:
            yield file
            if durable and not is_remote(path):
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:  # Ctrl-C included.
        with contextlib.suppress(OSError, InputError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
        raise


def sync(path):
    """Returns when a file, or a folder's list of names, has reached the disk.

    Raises:
        OSError: it has not.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # Some file systems keep no such list that could be synced.
            raise
    finally:
        os.close(descriptor)
