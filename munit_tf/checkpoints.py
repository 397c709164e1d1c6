"""Checkpoints: folders that are there whole or not at all, and whose damage is found out.

`step-7/` holds the files `state.*` that tf.train.Checkpoint writes, and `SHA256SUMS`, which `sha256sum -c`
reads.
"""

import hashlib
import os
import pathlib
import re
import shutil
import sys
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from munit_tf.config import InputError
from munit_tf.whole_files import TEMPORARY, sync

_PREFIX = "state"
_SUMS = "SHA256SUMS"


class NotFinite(InputError):
    """Training has met NaN or infinity."""


class Checkpoint(NamedTuple):
    """A whole checkpoint.

    Attributes:
        path: its folder, a pathlib.Path.
        step: training steps taken.
        sums: {name of a file: its SHA-256}.
    """

    path: pathlib.Path
    step: int
    sums: dict


class CheckpointManager:
    """The newest checkpoints of a run.

    Args:
        folder: where they are, a pathlib.Path.
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
                shutil.rmtree(path)


def write(folder, step, state):
    """Writes a checkpoint, in place of one of the same step.

    Args:
        folder: where checkpoints are, a pathlib.Path.
        step: training steps taken.
        state: {name: tf.Variable}.

    Raises:
        OSError, tf.errors.OpError: it cannot be written; all others are as they were.
    """
    final = folder / _name(step)
    unfinished = folder / f".{_name(step)}{TEMPORARY}"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        tf.train.Checkpoint(**state).write(str(unfinished / _PREFIX))
        (unfinished / _SUMS).write_text(_to_text(_sums(unfinished)))
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
        InputError: all are damaged, or the folder holds something else.
    """
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
        print(f"warning: checkpoint {path} is damaged ({reason}): looking for an older one", file=sys.stderr)
    if steps:
        raise InputError(f"every checkpoint in {folder} is damaged: take them from a copy, or start anew")
    if others := [path.name for path in _files(folder) if not path.name.startswith(".")]:
        raise InputError(f"{folder} holds {min(others)}, which is no checkpoint of this version of munit_tf")
    return None


def restore(variables, checkpoint):
    """Sets variables from a Checkpoint.

    Args:
        variables: {name: tf.Variable}.
        checkpoint: a Checkpoint.

    Raises:
        InputError: where the checkpoint lacks one of them, has another shape for it, or has more of
            the same kind: names and shapes must agree before anything is set.
    """
    path = str(checkpoint.path / _PREFIX)
    shapes = {_unescape(key): tuple(shape) for key, shape in tf.train.list_variables(path)}
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


def _name(step):
    return f"step-{step}"


def _is_ours(name):
    return re.fullmatch(rf"step-\d+|\.step-\d+{re.escape(TEMPORARY)}", name)


def _steps(folder):
    """Steps of all checkpoints, damaged ones too, in order."""
    matches = (re.fullmatch(r"step-(\d+)", path.name) for path in _files(folder) if path.is_dir())
    return sorted(int(match[1]) for match in matches if match)


def _files(folder):
    return list(folder.iterdir()) if folder.is_dir() else []


def _sums(path):
    """{name: SHA-256} of the files of a checkpoint that are there."""
    sums = {}
    for file in sorted(path.glob(f"{_PREFIX}.*")):
        digest = hashlib.sha256()
        with open(file, "rb") as data:
            while block := data.read(1 << 20):
                digest.update(block)
        sums[file.name] = digest.hexdigest()
    return sums


def _to_text(sums):
    return "".join(f"{digest}  {name}\n" for name, digest in sums.items())


def _unescape(key):
    """`generators.Sa.S...kernel/.ATTRIBUTES/VARIABLE_VALUE` -> the name of ours."""
    return key.split("/.ATTRIBUTES/")[0].replace(".S", "/")
