"""Flagfiles: one argument a line."""

from __future__ import annotations

import os

from munit_tf.config.schema import text_problem
from munit_tf.errors import InputError
from munit_tf.storage.paths import absolute, is_remote, is_special, to_path

LARGEST_BYTES = 1 << 20
_LEAST_BYTES = 1024  # What a smaller file counts as: one that is included 80,000 times takes long, too.
_DEEPEST = 16


def name_in(argument: str) -> str | None:
    """The file's name in `--flagfile=NAME`, "" in `--flagfile`, None in any other argument."""
    flag, _, name = argument.partition("=")
    return name if flag in ("--flagfile", "-flagfile") else None


def read(name: str) -> list[str]:
    """The arguments in a flagfile, with those of a file that it includes by `--flagfile=NAME` in its place.

    Spaces around a line, empty lines and lines that begin with # or // are ignored. The rest is taken
    literally: there are no quotes and no escapes.

    Args:
        name: a path or URI, as it was given. Inside a flagfile, too, it is relative to the working directory.

    Raises:
        InputError: a file is missing, cannot be read, is not UTF-8 text or includes itself, or all of them
            together are larger than LARGEST_BYTES.
    """
    return _Reader().arguments(name, [])


class _Reader:
    def __init__(self):
        self._bytes_left = LARGEST_BYTES

    def arguments(self, name: str, above: list[str]) -> list[str]:
        """The arguments in a file; `above` are the paths of the files that it is included from."""
        flag = f"--flagfile={name}"
        if not name:
            raise InputError("--flagfile needs the name of a file")
        problem = text_problem(name, path=True)
        if problem:
            raise InputError(f"{flag}: {problem}")
        path = to_path(absolute(name))
        if str(path) in above:
            raise InputError(f"{flag}: the file includes itself")
        if len(above) == _DEEPEST:
            raise InputError(f"{flag}: flagfiles include one another more than {_DEEPEST} deep")
        arguments = []
        for line in self._text(flag, path).split("\n"):
            line = line.strip()
            if not line or line.startswith(("#", "//")):
                continue
            included = name_in(line)
            arguments += [line] if included is None else self.arguments(included, [*above, str(path)])
        return arguments

    def _text(self, flag, path):
        try:
            if not path.exists():
                raise InputError(f"{flag}: there is no such file")
            if not is_remote(path) and is_special(path) and str(path) != os.devnull:
                raise InputError(f"{flag}: it is not a regular file")
            with path.open("rb") as file:
                data = file.read(self._bytes_left + 1)
        except OSError as error:
            raise InputError(f"{flag} cannot be read: {error.strerror or error}") from error
        self._bytes_left -= max(len(data), _LEAST_BYTES)
        if self._bytes_left < 0:
            raise InputError(f"{flag}: flagfiles of more than {LARGEST_BYTES >> 20} MiB are not read")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{flag} is not UTF-8 text: give one flag a line") from error
