"""The run folder: what training writes and every other command reads."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

import munit_tf
from munit_tf.cli import command_line
from munit_tf.config import format_version
from munit_tf.config.options import PRETRAINED_NAMES, Options
from munit_tf.errors import InputError
from munit_tf.models import METHODS
from munit_tf.runs import checkpoints, log
from munit_tf.storage import json_files
from munit_tf.storage.atomic import atomic_write
from munit_tf.storage.locks import exclusive_lock
from munit_tf.storage.paths import RemotePath, remove_tree, to_path
from munit_tf.terminal import say

PRETRAINED_FOLDER = pathlib.Path(munit_tf.__file__).parent / "pretrained"
CONFIGS = {name: model_class.config_class for name, model_class in METHODS.items()}


class RunFolder:
    """The files of one run. The constructor writes nothing.

    Args:
        path: the folder, or its URI.

    Raises:
        InputError: TensorFlow has no file system for the path, or cannot restore from it.
    """

    def __init__(self, path: str | os.PathLike | RemotePath) -> None:
        self.path = to_path(path)
        if set(str(self.path)) & set("[]*?\\"):
            raise InputError(
                f"run folder {path}: TensorFlow takes [ ] * ? \\ in a checkpoint's path as patterns"
            )
        self.flagfile = self.path / "run.flags"
        self.checkpoints = self.path / "checkpoints"
        self.best = self.checkpoints / checkpoints.BEST
        self.samples = self.path / "samples"
        self.progress = self.path / "progress.png"
        self.tensorboard = self.path / "tensorboard"
        self.log = self.path / "log.jsonl"
        self.rollbacks = self.path / "rollbacks.json"

    @classmethod
    def to_read(cls, path: str | os.PathLike | RemotePath) -> RunFolder:
        """The folder at `path`, or that of the pretrained model with this name.

        Args:
            path: the folder, or its URI, or one of `PRETRAINED_NAMES`. A folder of one's own with such a name
                is "./NAME".

        Raises:
            InputError: as for the constructor.
        """
        if path in PRETRAINED_NAMES:
            return cls(PRETRAINED_FOLDER / str(path).rpartition("/")[2])
        return cls(path)

    def newest_checkpoint(self) -> checkpoints.Checkpoint | None:
        """The newest complete Checkpoint, or None if there are no checkpoints.

        Raises:
            InputError: all are damaged.
        """
        return checkpoints.newest(self.checkpoints)

    def best_checkpoint(self) -> checkpoints.Checkpoint | None:
        """The Checkpoint with the best validation, or None if there is none.

        Raises:
            InputError: it is damaged.
        """
        return checkpoints.best(self.best)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other processes from training in the folder.

        It creates the folder, and removes it at the end if it is still empty.

        Raises:
            InputError: another process trains in it, or the folder cannot be created.
        """
        if isinstance(self.path, RemotePath):
            say(f"warning: {self.path} has no locks: train in it with one command at a time", file=sys.stderr)
            yield
            return
        with self.writing():
            missing = [each for each in (self.path, *self.path.parents) if not each.exists()]
        refusal = f"{self.path}: another process is training in it: choose another --output"
        try:
            with contextlib.ExitStack() as stack:
                with self.writing():
                    self.path.mkdir(parents=True, exist_ok=True)
                    stack.enter_context(exclusive_lock(self.path, refusal))
                yield
        finally:
            with contextlib.suppress(OSError):
                for each in missing:
                    each.rmdir()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Converts errors of writing in the block, for example a full disk, to InputError."""
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            # TensorFlow's messages look like `{{NODE}} PATH; No space left on device [Op:SaveV2] name:`.
            lines = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", getattr(error, "strerror", None) or str(error))
            reason = " ".join(lines.split()).rpartition("; ")[2]
            raise InputError(
                f"--output={self.path} cannot be written: {reason}; once this is fixed, the same command "
                "resumes training"
            ) from error

    def options(self) -> Options:
        """The Options that the run was started with.

        Raises:
            InputError: it is not a run folder, its `run.flags` is damaged, or its format is newer than this
                version of munit_tf.
        """
        if not self.flagfile.is_file():
            raise InputError(f"{self.path} is not a run folder: it has no run.flags")
        try:
            text = self.flagfile.read_bytes().decode()
        except OSError as error:
            raise InputError(f"{self.flagfile} cannot be read: {error.strerror or error}") from error
        except UnicodeDecodeError:
            text = ""
        number = re.search(r"^# Format (\d{1,9})\.$", text, re.MULTILINE)
        format_version.check(int(number[1]) if number else 0, self.path)
        if not re.search("^--", text, re.MULTILINE):
            raise InputError(f"{self.flagfile} is damaged, it has no flags: restore it from a copy")
        try:
            return command_line.read_flagfile(self.flagfile, CONFIGS)
        except InputError as error:
            raise InputError(f"{self.flagfile}: {error}") from error

    def write_options(self, options: Options) -> None:
        """Writes `run.flags` atomically.

        Raises:
            InputError: the folder cannot be written.
        """
        with self.writing():
            self.path.mkdir(parents=True, exist_ok=True)
        _write(self.flagfile, options.to_flagfile())

    def reset(self) -> None:
        """Removes the files of a run without a checkpoint, except the log; see `truncate_log`."""
        for folder in (self.tensorboard, self.best):
            if folder.exists():
                remove_tree(folder)
        for file in (self.rollbacks, self.progress):
            file.unlink(missing_ok=True)

    def read_rollbacks(self) -> list[dict[str, Any]]:
        """The rollbacks so far, in order: dicts with "to", a step. See `training.rollback`.

        Raises:
            InputError: the file is damaged or cannot be read.
        """
        if not self.rollbacks.exists():
            return []
        return json_files.read(self.rollbacks, _are_rollbacks, "restore it from a copy, or remove it")

    def write_rollbacks(self, rows: list[dict[str, Any]]) -> None:
        """Writes the rollbacks; see `read_rollbacks`."""
        _write(self.rollbacks, json.dumps(rows, indent=1) + "\n")

    def truncate_log(self, step: int) -> list[dict[str, Any]]:
        """Removes the rows of `log.jsonl` after a step; returns the others. See `log.truncate`."""
        return log.truncate(self.log, step)


def _are_rollbacks(rows: Any) -> bool:
    return isinstance(rows, list) and all(
        isinstance(row, dict) and json_files.is_step(row.get("to")) for row in rows
    )


def _write(path: os.PathLike | RemotePath, text: str) -> None:
    with atomic_write(path, durable=True) as file:
        file.write(text.encode())
