"""`log.jsonl` of a run folder: a row, a JSON object with "step" first, in each line."""

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
    """Removes the rows after a step, and lines that are damaged.

    It keeps a damaged file under another name, and says so in one line on standard error. A last line
    that ends early is not damage: a process that is killed leaves it.

    Args:
        path: the file's; there need be none.
        step: training steps taken.

    Returns:
        The rows that stay: dicts with "step", an int, and numbers by the names of losses and measures.

    Raises:
        InputError: the file cannot be read or written.
    """
    if not path.exists():
        return []
    try:
        if not path.is_file():
            kept = _unused(path)
            path.replace(kept)
            say(f"warning: {path} is not a file: it is renamed to {kept.name}", file=sys.stderr)
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


def _lines(data):
    *lines, last = data.split(b"\n")
    if not last.startswith(_BEGINNING) or last.endswith(b"}"):
        lines.append(last)
    return [line for line in lines if line.strip()]


def _row(line):
    """The row in a line, or None where it is damaged."""
    try:
        row = json_files.parse(line)
    except ValueError:
        return None
    return row if _is_row(row) else None


def _is_row(row):
    if not isinstance(row, dict) or not json_files.is_step(row.get("step")):
        return False
    # The first row after a start has no speed.
    measures = [value for name, value in row.items() if not (name == "images_per_second" and value is None)]
    return all(map(json_files.is_number, measures))


def _unused(path):
    """The path beside it with `.damaged` after its name, or `.damaged-2` and so on where that exists."""
    names = (f"{path.name}.damaged" + (f"-{i}" if i > 1 else "") for i in itertools.count(1))
    return next(each for each in (path.parent / name for name in names) if not each.exists())


def _write(path, data):
    with atomic_write(path, durable=True) as file:
        file.write(data)
