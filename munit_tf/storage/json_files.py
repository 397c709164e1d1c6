"""JSON files that this package wrote and that may have been damaged since."""

from __future__ import annotations

import json
import pathlib
from typing import Any, Callable

from munit_tf.errors import InputError
from munit_tf.storage.paths import RemotePath

_MOST_LEVELS = 32  # Our own files have fewer than ten; hundreds exceed Python's recursion limit.
_INT64 = 2**63


def parse(text: str | bytes) -> Any:
    """Parses JSON text; bytes must be UTF-8.

    Raises:
        ValueError: it is not JSON, is not UTF-8, or is nested more than 32 levels deep.
    """
    try:
        value = json.loads(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    level = [value]
    for _ in range(_MOST_LEVELS):
        parents = [each for each in level if isinstance(each, (dict, list))]
        level = [item for each in parents for item in (each.values() if isinstance(each, dict) else each)]
        if not level:
            return value
    raise ValueError("nested too deeply")


def read(path: pathlib.Path | RemotePath, is_valid: Callable[[Any], bool], remedy: str) -> Any:
    """Reads a JSON file.

    Args:
        path: the file.
        is_valid: takes the value; returns whether it has the structure that this package writes.
        remedy: how to fix a damaged file, for the message.

    Raises:
        InputError: the file cannot be read or is damaged; the message names it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        value = parse(data)
    except ValueError as error:
        raise InputError(f"{path} is damaged: {remedy}") from error
    if not is_valid(value):
        raise InputError(f"{path} is damaged: {remedy}")
    return value


def is_step(value: Any) -> bool:
    """Whether a JSON value is a number of training steps: a non-negative int of 64 bits."""
    return type(value) is int and 0 <= value < _INT64


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number: a float (including NaN and infinity) or an int of 64 bits."""
    return type(value) is float or (type(value) is int and -_INT64 <= value < _INT64)
