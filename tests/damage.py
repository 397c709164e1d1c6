"""What can happen to a file: tables for the tests of every kind of file that is read back."""

import io
import shutil

import numpy as np

# Not what any of our JSON files holds: {name: bytes, or None for a folder of the file's name}.
BAD_JSON = {
    "empty": b"",
    "garbage": b"garbage",
    "binary": bytes(range(256)),
    "not UTF-8": b'["\xff"]',
    "UTF-16": "[]".encode("utf-16"),
    "NUL bytes": bytes(512),
    "cut off": b'[{"to": 2, "reas',
    "followed by more": b"[]\n[]",
    "nested deeper than Python recurses": b"[" * 100_000,
    "nested deeply": b"[" * 500 + b"]" * 500,
    "nested deeply in objects": b'{"a":' * 500 + b"1" + b"}" * 500,
    "a number": b"3",
    "a number of 5000 digits": b"[" + b"9" * 5000 + b"]",
    "null": b"null",
    "a string": b'""',
    "a list of null": b"[null]",
    "a list of lists": b"[[]]",
    "a list of numbers": b"[1, 2]",
    "a folder": None,
}


def put(path, data):
    """Makes the file at `path` hold `data`; None: makes a folder of it."""
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()
    if data is None:
        path.mkdir()
    else:
        path.write_bytes(data)


def changed(value, **changes):
    """A copy of a dict with other values; a value of ... leaves its key out."""
    return {key: each for key, each in {**value, **changes}.items() if each is not ...}


def npy(array):
    """The bytes of a `.npy` file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(arrays):
    """The bytes of a `.npz` file."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()
