"""Flagfiles: one argument per line."""

from __future__ import annotations

import os
import pathlib

from munit_tf.config.schema import text_problem
from munit_tf.errors import InputError
from munit_tf.storage.paths import RemotePath, absolute, is_special, to_path

LARGEST_BYTES = 1 << 20
_LEAST_BYTES = 1024  # A smaller file counts as this many: including a tiny file 80,000 times is slow, too.
_DEEPEST = 16


def name_in(argument: str) -> str | None:
    """The file's name in `--flagfile=NAME`, "" in `--flagfile`, None in any other argument."""
    flag, _, name = argument.partition("=")
    return name if flag in ("--flagfile", "-flagfile") else None


def read(name: str) -> list[str]:
    """The arguments in a flagfile. `--flagfile=NAME` in it is replaced by the arguments of that file.

    Spaces around a line, empty lines and lines that begin with # or // are ignored. There are no quotes and
    no escapes.

    Args:
        name: a path or URI; relative to the working directory, even inside a flagfile.

    Raises:
        InputError: a file is missing, cannot be read, is not UTF-8 text or includes itself, or the total
            size exceeds LARGEST_BYTES.
    """
    return _Reader().arguments(name, [])


class _Reader:
    def __init__(self) -> None:
        self._bytes_left = LARGEST_BYTES

    def arguments(self, name: str, above: list[str]) -> list[str]:
        """The arguments in a file; `above`: the paths of the files that include it."""
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
        arguments: list[str] = []
        for line in self._text(flag, path).split("\n"):
            line = line.strip()
            if not line or line.startswith(("#", "//")):
                continue
            included = name_in(line)
            arguments += [line] if included is None else self.arguments(included, [*above, str(path)])
        return arguments

    def _text(self, flag: str, path: pathlib.Path | RemotePath) -> str:
        try:
            if not path.exists():
                raise InputError(f"{flag}: there is no such file")
            if not isinstance(path, RemotePath) and is_special(path) and str(path) != os.devnull:
                raise InputError(f"{flag}: it is not a regular file")
            with path.open("rb") as file:
                data = file.read(self._bytes_left + 1)
        except OSError as error:
            raise InputError(f"{flag} cannot be read: {error.strerror or error}") from error
        self._bytes_left -= max(len(data), _LEAST_BYTES)
        if self._bytes_left < 0:
            raise InputError(f"{flag}: flagfiles may have at most {LARGEST_BYTES >> 20} MiB in total")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{flag} is not UTF-8 text: write one flag per line") from error
