"""Checkpoints: folders that are there whole or not at all, and whose damage is found out.

`step-7/` holds the files `state.*` that tf.train.Checkpoint writes, and `SHA256SUMS`, which `sha256sum -c`
reads. On this machine it gets its name when all of it is on the disk. Object stores rename no folders: there
`SHA256SUMS`, which comes last, makes it whole.
"""

import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import sys
from typing import NamedTuple, Union

import numpy as np
import tensorflow as tf

from munit_tf.errors import InputError
from munit_tf.storage.atomic import TEMPORARY, sync
from munit_tf.storage.paths import RemotePath, is_remote, remove_tree
from munit_tf.terminal import say

_PREFIX = "state"
_SUMS = "SHA256SUMS"


class NotFinite(InputError):
    """Training has met NaN or infinity."""


class Checkpoint(NamedTuple):
    """A whole checkpoint.

    Attributes:
        path: its folder.
        step: training steps taken.
        sums: {name of a file: its SHA-256}.
    """

    path: Union[pathlib.Path, RemotePath]
    step: int
    sums: dict


class CheckpointManager:
    """The newest checkpoints of a run.

    Args:
        folder: where they are, a pathlib.Path or RemotePath.
        state: {name: tf.Variable} of all that training needs to go on, "step" among them; what is in
            the folder of later steps is taken for damaged.
        keep: how many of the newest stay.
    """

    def __init__(self, folder, state, keep):
        self._folder = folder
        self._state = state
        self._keep = keep
        self._steps = [step for step in _steps(folder) if step <= self.step]

    @property
    def step(self):
        """Training steps taken."""
        return int(self._state["step"].numpy())

    def save(self):
        """Writes a checkpoint if there is none of this step, and only then removes older and damaged ones.

        Raises:
            NotFinite: something in the state is not finite; nothing is written.
            OSError, tf.errors.OpError: it cannot be written; all others are as they were.
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
            if path.name not in kept and _is_ours(path.name):
                remove_tree(path)


def write(folder, step, state):
    """Writes a checkpoint, in place of one of the same step.

    Args:
        folder: where checkpoints are, a pathlib.Path or RemotePath.
        step: training steps taken.
        state: {name: tf.Variable}.

    Raises:
        OSError, tf.errors.OpError, InputError: it cannot be written; all others are as they were.
    """
    final = folder / _name(step)
    if is_remote(folder):
        if final.exists():
            remove_tree(final)
        _write_files(final, state)
        return
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
        shutil.rmtree(unfinished, ignore_errors=True)  # It is there still where something went wrong.


def newest(folder):
    """The newest Checkpoint that is whole, or None where there are none at all.

    Each damaged one on the way is a line on standard error.

    Raises:
        InputError: all are damaged, the folder holds something else, or it is not a folder.
    """
    if not folder.is_dir() and folder.exists():
        raise InputError(f"{folder} is not a folder: put the checkpoints back from a copy, or remove it")
    steps = _steps(folder)
    for step in reversed(steps):
        path = folder / _name(step)
        try:
            recorded, sums = (path / _SUMS).read_text(errors="replace"), _sums(path)
            if sums and recorded == _to_text(sums):
                return Checkpoint(path, step, sums)
            reason = f"it is not what its {_SUMS} says"
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}"
        if _steps(folder) != steps:
            return newest(folder)  # Training is just removing it, and has written newer ones.
        say(f"warning: checkpoint {path} is damaged ({reason}): looking for an older one", file=sys.stderr)
    if steps:
        raise InputError(f"every checkpoint in {folder} is damaged: take them from a copy, or start anew")
    others = [path.name for path in _files(folder)]
    if others := [name for name in others if not (name.startswith(".") or _is_ours(name))]:
        raise InputError(f"{folder} holds {min(others)}, which is no checkpoint of this version of munit_tf")
    return None


def restore(variables, checkpoint):
    """Sets variables from a Checkpoint.

    Args:
        variables: {name: tf.Variable}.
        checkpoint: a Checkpoint.

    Raises:
        InputError: where the checkpoint lacks one of them, has another shape for it, or has more of
            the same kind: names and shapes must agree before anything is set; or it is remote, and
            cannot be read.
        tf.errors.NotFoundError, FileNotFoundError: it has been removed, on this machine or a remote one.
    """
    with checkpoint.path.errors() if is_remote(checkpoint.path) else contextlib.nullcontext():
        _restore(variables, checkpoint)


def _restore(variables, checkpoint):
    path = str(checkpoint.path / _PREFIX)
    # tf.train.list_variables asks whether it is a folder first, which ram:// affirms for every prefix.
    reader = tf.compat.v1.train.NewCheckpointReader(path)
    shapes = {_unescape(key): tuple(shape) for key, shape in reader.get_variable_to_shape_map().items()}
    problem = f"checkpoint {checkpoint.path} does not fit the model"
    for name, variable in variables.items():
        if name not in shapes:
            raise InputError(f"{problem}: it has no {name}")
        if shapes[name] != tuple(variable.shape):
            raise InputError(f"{problem}: {name} has shape {shapes[name]}")
    kinds = {name.split("/")[0] for name in variables}
    for name in shapes.keys() - variables.keys():
        if name.split("/")[0] in kinds:
            raise InputError(f"{problem}: the model has no {name}")
    tf.train.Checkpoint(**variables).read(path).assert_existing_objects_matched().expect_partial()


def _write_files(path, state):
    path.mkdir(parents=True)
    tf.train.Checkpoint(**state).write(str(path / _PREFIX))
    (path / _SUMS).write_bytes(_to_text(_sums(path)).encode())


def _name(step):
    return f"step-{step}"


def _is_ours(name):
    return re.fullmatch(rf"step-\d+|\.step-\d+{re.escape(TEMPORARY)}", name)


def _steps(folder):
    """Steps of all checkpoints, damaged ones too, in order."""
    matches = (re.fullmatch(r"step-(\d+)", path.name) for path in _files(folder) if _is_finished(path))
    return sorted(int(match[1]) for match in matches if match)


def _is_finished(path):
    return (path / _SUMS).exists() if is_remote(path) else path.is_dir()


def _files(folder):
    return list(folder.iterdir()) if folder.is_dir() else []


def _sums(path):
    """{name: SHA-256} of the files of a checkpoint that are there."""
    sums = {}
    for name in sorted(file.name for file in path.iterdir() if file.name.startswith(f"{_PREFIX}.")):
        digest = hashlib.sha256()
        with (path / name).open("rb") as data:
            while block := data.read(1 << 20):
                digest.update(block)
        sums[name] = digest.hexdigest()
    return sums


def _to_text(sums):
    return "".join(f"{digest}  {name}\n" for name, digest in sums.items())


def _unescape(key):
    """`generators.Sa.S...kernel/.ATTRIBUTES/VARIABLE_VALUE` -> the name of ours."""
    return key.split("/.ATTRIBUTES/")[0].replace(".S", "/")
