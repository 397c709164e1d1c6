"""Builds, compiles and loads the models of runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import keras
import tensorflow as tf

from munit_tf.config.options import Options
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


def load(path: str | os.PathLike | RemotePath, precision: str | None = None) -> Translator:
    """Loads the model of a run folder with its newest weights.

    Args:
        path: the run folder, or its URI.
        precision: "float32", "bfloat16" or "float16"; None: the precision of training.

    Raises:
        InputError: it is not a run folder, or has no complete checkpoint.
    """
    while True:
        options, checkpoint = newest(path)
        try:
            return load_checkpoint(options, checkpoint, precision)
        except (tf.errors.NotFoundError, FileNotFoundError):
            # Training may have removed it after writing a newer one.
            if newest(path)[1].step == checkpoint.step:
                raise


def newest(path: str | os.PathLike | RemotePath) -> tuple[Options, checkpoints.Checkpoint]:
    """(Options, newest Checkpoint) of the run folder at `path`.

    Raises:
        InputError: it is not a run folder, or has no complete checkpoint.
    """
    folder = RunFolder(path)
    options, checkpoint = folder.options(), folder.newest_checkpoint()
    if checkpoint is None:
        raise InputError(f"{path} has no checkpoint yet: continue training with --flagfile={folder.flagfile}")
    return options, checkpoint


def load_checkpoint(
    options: Options, checkpoint: checkpoints.Checkpoint, precision: str | None = None
) -> Translator:
    """Loads the model of a Checkpoint of a run with these Options; see `load`."""
    model = build_model(options, precision)
    checkpoints.restore({"step": model.step, **model.named_weights()}, checkpoint)
    return model
