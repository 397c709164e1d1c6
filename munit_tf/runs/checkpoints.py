"""Checkpoints: folders that are written atomically and verified by checksums.

`step-7/` holds the files `state.*` that tf.train.Checkpoint writes, and `SHA256SUMS`, which `sha256sum -c`
can read. On this machine the folder gets its name once all its files are on the disk. Object stores cannot
rename folders: there a checkpoint is complete once `SHA256SUMS`, its last file, exists.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple, Union

import numpy as np
import tensorflow as tf

from munit_tf.config import format_version
from munit_tf.errors import InputError
from munit_tf.storage.atomic import TEMPORARY, sync
from munit_tf.storage.paths import RemotePath, is_remote, remove_tree
from munit_tf.terminal import say

BEST = "best"  # A folder beside the checkpoints, for the one with the best validation.
_PREFIX = "state"
_SUMS = "SHA256SUMS"
_FORMAT = f"{_PREFIX}.format"


class NotFinite(InputError):
    """A loss, a weight or an optimizer variable is NaN or infinite."""


class Checkpoint(NamedTuple):
    """A complete checkpoint.

    Attributes:
        path: its folder.
        step: training steps taken.
        sums: {name of a file: its SHA-256}.
        format: the number of its format; see `config.format_version`.
    """

    path: Union[pathlib.Path, RemotePath]
    step: int
    sums: dict[str, str]
    format: int


class CheckpointManager:
    """The newest checkpoints of a run.

    Args:
        folder: the folder of the checkpoints.
        state: {name: tf.Variable} of everything that is needed to resume training, including "step".
            Checkpoints of later steps in the folder are considered damaged.
        keep: how many of the newest to keep.
    """

    def __init__(
        self, folder: pathlib.Path | RemotePath, state: Mapping[str, tf.Variable], keep: int
    ) -> None:
        self._folder = folder
        self._state = state
        self._keep = keep
        self._steps = [step for step in _steps(folder) if step <= self.step]

    @property
    def step(self) -> int:
        """Training steps taken."""
        return int(self._state["step"].numpy())

    def save(self) -> None:
        """Writes a checkpoint unless this step has one, then removes older and damaged ones.

        Raises:
            NotFinite: a variable is not finite; nothing is written.
            OSError, tf.errors.OpError: the checkpoint cannot be written; the others are unchanged.
        """
        step = self.step
        if step in self._steps:
            return
        for name, variable in self._state.items():
            value = variable.numpy()
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise NotFinite(f"after step {step} {name} has values that are not finite")
        write(self._folder, step, self._state)
        self._steps = [*self._steps, step][-self._keep :]
        kept = {_name(each) for each in self._steps}
        for path in self._folder.iterdir():
            if path.name not in kept and _is_ours(path.name) and path.is_dir():
                remove_tree(path)


def write(folder: pathlib.Path | RemotePath, step: int, state: Mapping[str, tf.Variable]) -> None:
    """Writes a checkpoint; replaces one of the same step.

    Args:
        folder: the folder of the checkpoints.
        step: training steps taken.
        state: {name: tf.Variable}.

    Raises:
        OSError, tf.errors.OpError, InputError: the checkpoint cannot be written; the others are unchanged.
    """
    if isinstance(folder, RemotePath):
        target = folder / _name(step)
        if target.exists():
            remove_tree(target)
        _write_files(target, state)
        return
    final = folder / _name(step)
    unfinished = folder / f".{_name(step)}{TEMPORARY}"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        _write_files(unfinished, state)
        for path in [*unfinished.iterdir(), unfinished]:
            sync(path)
        if final.exists():
            shutil.rmtree(final)
        os.rename(unfinished, final)
        sync(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)  # Exists only after an error.


def newest(folder: pathlib.Path | RemotePath) -> Checkpoint | None:
    """The newest complete Checkpoint, or None if there are no checkpoints.

    Each newer one that is damaged is named in a line on standard error.

    Raises:
        InputError: all are damaged, the folder holds something else, or it is not a folder.
    """
    if not folder.is_dir() and folder.exists():
        raise InputError(f"{folder} is not a folder: restore the checkpoints from a copy, or remove it")
    steps = _steps(folder)
    for step in reversed(steps):
        try:
            return _verified(folder, step)
        except _Damaged as error:
            reason = error
        if _steps(folder) != steps:
            return newest(folder)  # Training has removed it after writing a newer one.
        path = folder / _name(step)
        say(f"warning: checkpoint {path} is damaged ({reason}): looking for an older one", file=sys.stderr)
    if steps:
        raise InputError(f"every checkpoint in {folder} is damaged: restore one from a copy, or start again")
    others = [path.name for path in _files(folder)]
    if others := [name for name in others if not (name.startswith(".") or name == BEST or _is_ours(name))]:
        raise InputError(f"{folder} holds {min(others)}, which is no checkpoint of this version of munit_tf")
    return None


def best(folder: pathlib.Path | RemotePath) -> Checkpoint | None:
    """The Checkpoint in a folder for the best one, or None if there is none.

    Raises:
        InputError: it is damaged, or the folder is not a folder.
    """
    if not folder.is_dir() and folder.exists():
        raise InputError(f"{folder} is not a folder: remove it")
    steps = _steps(folder)
    if not steps:
        return None
    try:
        return _verified(folder, steps[-1])
    except _Damaged as error:
        if _steps(folder) != steps:
            return best(folder)  # Training has removed it after writing a better one.
        raise InputError(
            f"best checkpoint {folder / _name(steps[-1])} is damaged ({error}): restore it from a copy, or "
            "remove it and use the newest one"
        ) from error


def parts(checkpoint: Checkpoint) -> set[str]:
    """The first parts of the names of a checkpoint's variables, for example "generators".

    Raises:
        InputError: the checkpoint is remote and cannot be read.
        tf.errors.NotFoundError, FileNotFoundError: a local or remote checkpoint has been removed.
    """
    with _remote_errors(checkpoint):
        return {name.split("/")[0] for name in _contents(checkpoint)}


def restore(variables: Mapping[str, tf.Variable], checkpoint: Checkpoint) -> None:
    """Sets variables from a Checkpoint; values in half precision are converted.

    Args:
        variables: {name: tf.Variable}.
        checkpoint: the checkpoint.

    Raises:
        InputError: the checkpoint lacks a variable, has another shape for it, or has additional variables
            with the same first part of the name; no variable is set then. Or it is remote and cannot be
            read.
        tf.errors.NotFoundError, FileNotFoundError: a local or remote checkpoint has been removed.
    """
    with _remote_errors(checkpoint):
        _restore(variables, checkpoint)


def _remote_errors(checkpoint: Checkpoint) -> contextlib.AbstractContextManager[None]:
    path = checkpoint.path
    return path.errors() if isinstance(path, RemotePath) else contextlib.nullcontext()


def _restore(variables: Mapping[str, tf.Variable], checkpoint: Checkpoint) -> None:
    contents = _contents(checkpoint)
    if checkpoint.format == 0:
        variables = {re.sub("^image_pools/", "memory/", name): each for name, each in variables.items()}
    problem = f"checkpoint {checkpoint.path} does not fit the model"
    for name, variable in variables.items():
        if name not in contents:
            raise InputError(f"{problem}: it has no {name}")
        if contents[name].shape != tuple(variable.shape):
            raise InputError(f"{problem}: {name} has shape {contents[name].shape}")
    kinds = {name.split("/")[0] for name in variables}
    for name in contents.keys() - variables.keys():
        if name.split("/")[0] in kinds:
            raise InputError(f"{problem}: the model has no {name}")
    # Published models have weights in half precision.
    halves = {name for name in variables if contents[name].dtype == tf.float16}
    reader = _reader(checkpoint)
    for name in halves:
        variables[name].assign(tf.cast(reader.get_tensor(contents[name].key), variables[name].dtype))
    others = tf.train.Checkpoint(**{name: each for name, each in variables.items() if name not in halves})
    others.read(_prefix(checkpoint)).assert_existing_objects_matched().expect_partial()


class _Stored(NamedTuple):
    """A variable in a checkpoint."""

    key: str
    shape: tuple[int, ...]
    dtype: tf.DType


def _contents(checkpoint: Checkpoint) -> dict[str, _Stored]:
    reader = _reader(checkpoint)
    dtypes = reader.get_variable_to_dtype_map()
    return {
        _unescape(key): _Stored(key, tuple(shape), dtypes[key])
        for key, shape in reader.get_variable_to_shape_map().items()
    }


def _reader(checkpoint: Checkpoint) -> Any:
    # tf.train.list_variables first asks whether the path is a folder, and ram:// says so for every prefix.
    return tf.compat.v1.train.NewCheckpointReader(_prefix(checkpoint))


def _prefix(checkpoint: Checkpoint) -> str:
    return str(checkpoint.path / _PREFIX)


class _Damaged(Exception):
    """A checkpoint is damaged; the message is the reason."""


def _verified(folder: pathlib.Path | RemotePath, step: int) -> Checkpoint:
    """The Checkpoint of a step; raises _Damaged unless it is complete."""
    path = folder / _name(step)
    try:
        recorded, sums = (path / _SUMS).read_text(errors="replace"), _sums(path)
        if not sums or recorded != _to_text(sums):
            raise _Damaged(f"it does not match its {_SUMS}")
        number = _read_format(path) if _FORMAT in sums else 0
    except OSError as error:
        raise _Damaged(f"{error.filename}: {error.strerror}") from error
    if number is None:
        raise _Damaged(f"{_FORMAT} is not a number")
    format_version.check(number, path)
    return Checkpoint(path, step, sums, number)


def _write_files(path: pathlib.Path | RemotePath, state: Mapping[str, tf.Variable]) -> None:
    path.mkdir(parents=True)
    tf.train.Checkpoint(**state).write(str(path / _PREFIX))
    (path / _FORMAT).write_bytes(f"{format_version.FORMAT}\n".encode())
    (path / _SUMS).write_bytes(_to_text(_sums(path)).encode())


def _read_format(path: pathlib.Path | RemotePath) -> int | None:
    match = re.fullmatch(rb"(\d{1,9})\n", (path / _FORMAT).read_bytes())
    return int(match[1]) if match else None


def _name(step: int) -> str:
    return f"step-{step}"


def _is_ours(name: str) -> bool:
    return bool(re.fullmatch(rf"step-\d+|\.step-\d+{re.escape(TEMPORARY)}", name))


def _steps(folder: pathlib.Path | RemotePath) -> list[int]:
    """Steps of all checkpoints, including damaged ones, in ascending order."""
    matches = (re.fullmatch(r"step-(\d+)", path.name) for path in _files(folder) if _is_finished(path))
    return sorted(int(match[1]) for match in matches if match)


def _is_finished(path: pathlib.Path | RemotePath) -> bool:
    return (path / _SUMS).exists() if is_remote(path) else path.is_dir()


def _files(folder: pathlib.Path | RemotePath) -> list[pathlib.Path | RemotePath]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _sums(path: pathlib.Path | RemotePath) -> dict[str, str]:
    """{name: SHA-256} of the existing files of a checkpoint."""
    sums = {}
    for name in sorted(file.name for file in path.iterdir() if file.name.startswith(f"{_PREFIX}.")):
        digest = hashlib.sha256()
        with (path / name).open("rb") as data:
            while block := data.read(1 << 20):
                digest.update(block)
        sums[name] = digest.hexdigest()
    return sums


def _to_text(sums: dict[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in sums.items())


def _unescape(key: str) -> str:
    """`generators.Sa.S...kernel/.ATTRIBUTES/VARIABLE_VALUE` -> `generators/a/.../kernel`."""
    return key.split("/.ATTRIBUTES/")[0].replace(".S", "/")
