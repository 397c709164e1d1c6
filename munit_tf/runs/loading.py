"""Builds, compiles and loads the models of runs."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator

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


def load(
    path: str | os.PathLike | RemotePath,
    precision: str | None = None,
    weights: str = "newest",
    averaged: bool = True,
) -> Translator:
    """Loads the model of a run folder.

    Args:
        path: the run folder, or its URI.
        precision: "float32", "bfloat16" or "float16"; None: the precision of training.
        weights: which checkpoint: "newest", or "best", the one with the best validation.
        averaged: use the averages of the generators' weights if the run has them.

    Raises:
        InputError: it is not a run folder, or has no such checkpoint.
    """
    while True:
        options, checkpoint = find_checkpoint(path, weights)
        try:
            return load_checkpoint(options, checkpoint, precision, averaged)
        except (tf.errors.NotFoundError, FileNotFoundError):
            # Training may have removed it after writing another one.
            if find_checkpoint(path, weights)[1].step == checkpoint.step:
                raise


def find_checkpoint(
    path: str | os.PathLike | RemotePath, weights: str = "newest"
) -> tuple[Options, checkpoints.Checkpoint]:
    """(Options, Checkpoint) of the run folder at `path`; `weights` is as for `load`.

    Raises:
        InputError: it is not a run folder, or has no such checkpoint.
    """
    folder = RunFolder(path)
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


def load_checkpoint(
    options: Options, checkpoint: checkpoints.Checkpoint, precision: str | None = None, averaged: bool = True
) -> Translator:
    """Loads the model of a Checkpoint of a run with these Options; see `load`."""
    model = build_model(options, precision)
    _restore_weights({"step": model.step, **model.named_weights()}, options, checkpoint, averaged)
    return model


def init_from(model: Translator, options: Options) -> None:
    """Sets the weights to those of the run `options.train.init_from`; the step stays 0.

    Generators get averages if there are any.

    Raises:
        InputError: it is not a run folder, has no complete checkpoint, or its networks differ.
    """
    path = options.train.init_from
    assert path is not None
    theirs, checkpoint = find_checkpoint(path)
    differing = [
        f"--{field.name}={to_text(value)}"
        for field in dataclasses.fields(theirs.model)
        if field.metadata["memory"] and field.name in vars(options.model)
        if (value := getattr(theirs.model, field.name)) != getattr(options.model, field.name)
    ]
    if theirs.train.method != options.train.method:
        differing.insert(0, f"--method={theirs.train.method}")
    try:
        _restore_weights(model.named_weights(), theirs, checkpoint, averaged=True)
    except InputError as error:
        advice = f"it was trained with {' '.join(differing)}" if differing else "it has other networks"
        raise InputError(f"--init_from={path}: {advice}, which this run needs too ({error})") from error


def _restore_weights(
    variables: dict[str, tf.Variable], options: Options, checkpoint: checkpoints.Checkpoint, averaged: bool
) -> None:
    """Restores {name: weight}, or averages where they exist."""
    if averaged and options.model.ema_half_life:
        variables = {
            f"averages/{name}" if name.startswith("generators/") else name: weight
            for name, weight in variables.items()
        }
    checkpoints.restore(variables, checkpoint)
