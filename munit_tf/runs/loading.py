"""Builds, compiles and loads the models of runs."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeVar

import keras
import tensorflow as tf

from munit_tf.config.options import Options
from munit_tf.config.schema import to_text
from munit_tf.errors import InputError
from munit_tf.models import METHODS, memory
from munit_tf.models.translator import Translator
from munit_tf.runs import checkpoints
from munit_tf.runs.run_folder import RunFolder
from munit_tf.storage.paths import RemotePath
from munit_tf.terminal import say

Result = TypeVar("Result")
_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


@contextlib.contextmanager
def precision_policy(precision: str) -> Iterator[None]:
    """Sets the precision of models built in the block: "float32", "bfloat16" or "float16"."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(_POLICIES[precision])
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def build_model(options: Options, precision: str | None = None) -> Translator:
    """A model with random weights.

    Args:
        options: the method, its config, and the precision if `precision` is None.
        precision: "float32", "bfloat16" or "float16".

    Raises:
        InputError: it does not fit in memory.
    """
    model_class = METHODS[options.train.method]
    with precision_policy(precision or options.train.precision):
        memory.check_networks(options.model)
        return model_class(options.model)


def compile_model(model: Translator, options: Options) -> None:
    """Compiles a model for training with these Options."""
    model.compile(
        options.data.image_size,
        jit_compile=options.train.jit_compile,
        recompute=options.train.recompute,
    )


def checkpoint_manager(folder: RunFolder, model: Translator, keep: int) -> checkpoints.CheckpointManager:
    """A CheckpointManager of everything that is needed to resume training.

    Args:
        folder: the run folder.
        model: a compiled model.
        keep: how many of the newest checkpoints to keep.
    """
    return checkpoints.CheckpointManager(folder.checkpoints, model.named_state(), keep)


def best_checkpoint_manager(folder: RunFolder, model: Translator) -> checkpoints.CheckpointManager:
    """The same for the best checkpoint: the last one that was saved is kept."""
    return checkpoints.CheckpointManager(folder.best, model.named_state(), keep=1)


def write_new_run(path: str | os.PathLike, options: Options, state: Mapping[str, tf.Variable]) -> None:
    """Writes a run folder with one checkpoint, complete or not at all.

    Args:
        path: the folder, which must not exist, or be empty.
        options: the options of the run.
        state: {name: tf.Variable}, including "step".

    Raises:
        InputError: it cannot be written, or a variable is not finite.
    """
    output = pathlib.Path(path)
    temporary = output.with_name(f"{output.name}.{os.getpid()}.tmp")
    try:
        folder = RunFolder(temporary)
        folder.write_options(options)
        checkpoints.CheckpointManager(folder.checkpoints, state, keep=1).save()
        os.replace(temporary, output)
    except (OSError, tf.errors.OpError) as error:
        raise InputError(f"--output={output} cannot be written: {' '.join(str(error).split())}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load(
    path: str | os.PathLike | RemotePath,
    precision: str | None = None,
    weights: str = "newest",
    averaged: bool = True,
) -> Translator:
    """Loads the model of a run folder.

    Args:
        path: the run folder, or its URI, or the name of a pretrained model, "edges2flowers".
        precision: "float32", "bfloat16" or "float16"; None: the precision of training.
        weights: which checkpoint: "newest", or "best", the one with the best validation.
        averaged: use the averages of the generators' weights if the run has them.

    Raises:
        InputError: it is not a run folder, or has no such checkpoint.
    """
    return load_run(path, precision, weights, averaged).model


class LoadedRun(NamedTuple):
    """A model and its origin.

    Attributes:
        options: the options of the run.
        checkpoint: the checkpoint that the weights are from.
        model: the model.
    """

    options: Options
    checkpoint: checkpoints.Checkpoint
    model: Translator


def load_run(
    path: str | os.PathLike | RemotePath,
    precision: str | None = None,
    weights: str = "newest",
    averaged: bool = True,
) -> LoadedRun:
    """Loads the model of a run folder with its options and checkpoint; see `load`."""

    def build(options: Options, checkpoint: checkpoints.Checkpoint) -> LoadedRun:
        model = build_model(options, precision)
        _restore_weights({"step": model.step, **model.named_weights()}, options, checkpoint, averaged)
        return LoadedRun(options, checkpoint, model)

    return _with_checkpoint(path, weights, build)


def find_checkpoint(
    path: str | os.PathLike | RemotePath, weights: str = "newest"
) -> tuple[Options, checkpoints.Checkpoint]:
    """(Options, Checkpoint) of the run folder at `path`; `weights` is as for `load`.

    Raises:
        InputError: it is not a run folder, or has no such checkpoint; or `weights` is neither of the two.
    """
    if weights not in ("newest", "best"):
        raise InputError(f"weights={weights!r}: must be 'newest' or 'best'")
    folder = RunFolder.to_read(path)
    options = folder.options()
    if weights == "best":
        checkpoint = folder.best_checkpoint()
        if checkpoint is None:
            raise InputError(f"{path} has no best checkpoint: only training with --validate_every keeps it")
        return options, checkpoint
    checkpoint = folder.newest_checkpoint()
    if checkpoint is None:
        raise InputError(f"{path} has no checkpoint yet: continue training with --flagfile={folder.flagfile}")
    return options, checkpoint


def init_from(model: Translator, options: Options) -> int:
    """Sets the weights to those of the run `options.train.init_from`; the model's step stays 0.

    Generators get averages if there are any. Pretrained models have no discriminators: these stay random, and
    a line says so.

    Returns:
        The step of the checkpoint that the weights are from.

    Raises:
        InputError: it is not a run folder, has no complete checkpoint, or its networks differ.
    """
    path = options.train.init_from
    assert path is not None

    def restore(theirs: Options, checkpoint: checkpoints.Checkpoint) -> int:
        try:
            _restore_weights(model.named_weights(), theirs, checkpoint, averaged=True)
        except InputError as error:
            raise InputError(f"--init_from={path}: {error}{_advice(theirs, options)}") from error
        if "discriminators" not in checkpoints.parts(checkpoint):
            say(f"{path} has no discriminators: they start with random weights", file=sys.stderr)
        return checkpoint.step

    return _with_checkpoint(path, "newest", restore)


def _advice(theirs: Options, mine: Options) -> str:
    """The flags of another run's networks that this run lacks, as the end of a message."""
    fields = [field for field in dataclasses.fields(theirs.model) if hasattr(mine.model, field.name)]
    flags = [
        f"--{field.name}={to_text(value)}"
        for field in fields
        if field.metadata["memory"] or field.name in ("dis_norm", "gen_activation", "dis_activation")
        if (value := getattr(theirs.model, field.name)) != getattr(mine.model, field.name)
    ]
    if theirs.train.method != mine.train.method:
        flags.insert(0, f"--method={theirs.train.method}")
    return f"; it was trained with {' '.join(flags)}: give this run the same" if flags else ""


def _with_checkpoint(
    path: str | os.PathLike | RemotePath,
    weights: str,
    use: Callable[[Options, checkpoints.Checkpoint], Result],
) -> Result:
    """use(options, checkpoint) of the run at `path`, again if training removes the checkpoint meanwhile."""
    while True:
        options, checkpoint = find_checkpoint(path, weights)
        try:
            return use(options, checkpoint)
        except (tf.errors.NotFoundError, FileNotFoundError):
            if find_checkpoint(path, weights)[1].step == checkpoint.step:
                raise


def _restore_weights(
    variables: dict[str, tf.Variable], options: Options, checkpoint: checkpoints.Checkpoint, averaged: bool
) -> None:
    """Restores {name: weight}, or averages where they exist; published models have no discriminators."""
    if "discriminators" not in checkpoints.parts(checkpoint):
        variables = {name: each for name, each in variables.items() if not name.startswith("discriminators/")}
    if averaged and options.model.ema_half_life:
        variables = {
            f"averages/{name}" if name.startswith("generators/") else name: weight
            for name, weight in variables.items()
        }
    checkpoints.restore(variables, checkpoint)
