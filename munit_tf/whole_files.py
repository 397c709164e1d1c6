"""Files that are there whole or not at all."""

import contextlib
import os
import pathlib

from munit_tf.config import InputError

TEMPORARY = ".tmp"


@contextlib.contextmanager
def replacing(path):
    """A binary file to write to, which takes its place at `path` when it is whole.

    Raises:
        InputError: it cannot be written; what was at `path` stays as it was.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        with open(temporary, "wb") as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()  # It is there still where something went wrong, Ctrl-C included.
