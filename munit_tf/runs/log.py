"""`log.jsonl` of a run folder: each line is a row, a JSON object that begins with "step"."""

from __future__ import annotations

import itertools
import json
import pathlib
import sys
from typing import Any

from munit_tf.errors import InputError
from munit_tf.storage import json_files
from munit_tf.storage.atomic import atomic_write
from munit_tf.storage.paths import RemotePath
from munit_tf.terminal import say

_BEGINNING = b'{"step": '


def truncate(path: pathlib.Path | RemotePath, step: int) -> list[dict[str, Any]]:
    """Removes the rows after a step, and damaged lines.

    A damaged file is kept under another name and reported in one line on standard error. An incomplete last
    line does not count as damage: a killed process leaves one.

    Args:
        path: the file; it need not exist.
        step: training steps taken.

    Returns:
        The remaining rows: dicts of "step", an int, and {name of a loss or measure: number}.

    Raises:
        InputError: the file cannot be read or written.
    """
    if not path.exists():
        return []
    try:
        if not path.is_file():
            kept = _unused(path)
            path.replace(kept)
            say(f"warning: {path} is not a file: renamed to {kept.name}", file=sys.stderr)
            return []
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    lines = _lines(data)
    rows = [row for row in map(_row, lines) if row]
    if len(rows) < len(lines):
        kept = _unused(path)
        _write(kept, data)
        dropped = f"{len(lines) - len(rows)} of {len(lines)} lines dropped"
        say(f"warning: {path} is damaged, {dropped}: the old file is kept as {kept.name}", file=sys.stderr)
    rows = [row for row in rows if row["step"] <= step]
    _write(path, "".join(json.dumps(row) + "\n" for row in rows).encode())
    return rows


def read(path: pathlib.Path | RemotePath) -> list[dict[str, Any]]:
    """The rows of a log, without damaged lines; changes nothing.

    Args:
        path: the file; it need not exist.

    Returns:
        As for `truncate`.

    Raises:
        InputError: the file cannot be read.
    """
    if not path.is_file():
        return []
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    return [row for row in map(_row, _lines(data)) if row]


def _lines(data: bytes) -> list[bytes]:
    *lines, last = data.split(b"\n")
    is_incomplete = last.startswith(_BEGINNING) or _BEGINNING.startswith(last)
    if not is_incomplete or last.endswith(b"}"):
        lines.append(last)
    return [line for line in lines if line.strip()]


def _row(line: bytes) -> dict[str, Any] | None:
    """The row in a line, or None if the line is damaged."""
    try:
        row = json_files.parse(line)
    except ValueError:
        return None
    return row if _is_row(row) else None


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or not json_files.is_step(row.get("step")):
        return False
    # The first row after a start can have no speed.
    measures = [value for name, value in row.items() if not (name == "images_per_second" and value is None)]
    return all(map(json_files.is_number, measures))


def _unused(path: Any) -> Any:
    """The first unused path of NAME.damaged, NAME.damaged-2 and so on in the same folder."""
    names = (f"{path.name}.damaged" + (f"-{i}" if i > 1 else "") for i in itertools.count(1))
    return next(each for each in (path.parent / name for name in names) if not each.exists())


def _write(path: pathlib.Path | RemotePath, data: bytes) -> None:
    with atomic_write(path, durable=True) as file:
        file.write(data)
