"""Models of runs: built, compiled, and loaded from checkpoints."""

from __future__ import annotations

import contextlib

import keras
import tensorflow as tf

from munit_tf.errors import InputError
from munit_tf.models import METHODS, memory
from munit_tf.runs import checkpoints
from munit_tf.runs.run_folder import RunFolder

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


@contextlib.contextmanager
def precision_policy(precision):
    """Models made inside have this precision: "float32", "bfloat16" or "float16"."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(_POLICIES[precision])
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def build_model(options, precision=None):
    """A model with these Options' method, config and precision (or another), and random weights.

    Raises:
        InputError: it does not fit in memory.
    """
    model_class = METHODS[options.train.method]
    with precision_policy(precision or options.train.precision):
        memory.check_networks(options.model)
        return model_class(options.model)


def compile_model(model, options):
    """Makes what training a model with these Options needs."""
    model.compile(
        options.data.image_size,
        jit_compile=options.train.jit_compile,
        recompute=options.train.recompute,
    )


def checkpoint_manager(folder, model, keep):
    """A CheckpointManager of all that training needs of a compiled model, under flat names.

    Args:
        folder: a RunFolder.
        model: a compiled Translator.
        keep: how many of the newest checkpoints stay.
    """
    return checkpoints.CheckpointManager(folder.checkpoints, model.named_state(), keep)


def load(path, precision=None):
    """The model of a run folder with its newest weights, built and ready to translate.

    Args:
        path: the run folder, or its URI.
        precision: "float32", "bfloat16" or "float16"; what it was trained in where None.

    Raises:
        InputError: it is not a run folder, or has no whole checkpoint.
    """
    while True:
        options, checkpoint = newest(path)
        try:
            return load_checkpoint(options, checkpoint, precision)
        except (tf.errors.NotFoundError, FileNotFoundError):
            # Training may have removed it meanwhile, and has written newer ones then.
            if newest(path)[1].step == checkpoint.step:
                raise


def newest(path):
    """(Options, newest Checkpoint) of the run folder at `path`.

    Raises:
        InputError: it is not a run folder, or has no whole checkpoint.
    """
    folder = RunFolder(path)
    options, checkpoint = folder.options(), folder.newest_checkpoint()
    if checkpoint is None:
        raise InputError(f"{path} has no checkpoint yet: train on with --flagfile={folder.flagfile}")
    return options, checkpoint


def load_checkpoint(options, checkpoint, precision=None):
    """The model of a Checkpoint of a run with these Options; see `load`."""
    model = build_model(options, precision)
    checkpoints.restore({"step": model.step, **model.named_weights()}, checkpoint)
    return model
