"""The run folder: what training writes and every other command reads."""

import contextlib
import json
import pathlib

import keras
import tensorflow as tf

from munit_tf import command_line
from munit_tf.config import InputError
from munit_tf.models import METHODS
from munit_tf.whole_files import replacing

CONFIGS = {name: model_class.config_class for name, model_class in METHODS.items()}
_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


class RunFolder:
    """The files of one run. Nothing is written before it is asked for.

    Raises:
        InputError: the path has signs that TensorFlow cannot restore from.
    """

    def __init__(self, path):
        if set(str(path)) & set("[]*?"):
            raise InputError(
                f"run folder {path}: TensorFlow takes [ ] * ? in a checkpoint's path for patterns"
            )
        self.path = pathlib.Path(path)
        self.flagfile = self.path / "run.flags"
        self.checkpoints = self.path / "checkpoints"
        self.samples = self.path / "samples"
        self.tensorboard = self.path / "tensorboard"
        self.log = self.path / "log.jsonl"

    def latest_checkpoint(self):
        """The path that names the newest checkpoint, or None."""
        return tf.train.latest_checkpoint(str(self.checkpoints))

    def options(self):
        """The Options that the run was started with.

        Raises:
            InputError: it is not a run folder.
        """
        if not self.flagfile.is_file():
            raise InputError(f"{self.path} is not a run folder: it has no run.flags")
        return command_line.read_flagfile(self.flagfile, CONFIGS)

    def write_options(self, options):
        """Writes `run.flags`, whole or not at all.

        Raises:
            InputError: the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--output={self.path} cannot be written: {error.strerror}") from error
        with replacing(self.flagfile) as file:
            file.write(options.to_flagfile().encode())

    def cut_log(self, step):
        """Removes the lines of `log.jsonl` after a step; returns those that stay, as dicts."""
        if not self.log.exists():
            return []
        rows = [json.loads(line) for line in self.log.read_text().splitlines() if line.endswith("}")]
        rows = [row for row in rows if row["step"] <= step]
        with replacing(self.log) as file:
            file.write("".join(json.dumps(row) + "\n" for row in rows).encode())
        return rows


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
    """A model with these Options' method, config and precision (or another), and random weights."""
    with precision_policy(precision or options.train.precision):
        return METHODS[options.train.method](options.model)


def checkpoint_manager(folder, model, keep):
    """A tf.train.CheckpointManager of all that training needs of a compiled model, under flat names.

    Args:
        folder: a RunFolder.
        model: a compiled Translator.
        keep: how many of the newest checkpoints stay.
    """
    checkpoint = tf.train.Checkpoint(**model.named_state())
    return tf.train.CheckpointManager(
        checkpoint, str(folder.checkpoints), max_to_keep=keep, checkpoint_name="step"
    )


def restore(variables, path):
    """Sets variables from a checkpoint.

    Args:
        variables: {name: tf.Variable}.
        path: the checkpoint's, as `RunFolder.latest_checkpoint` gives it.

    Raises:
        InputError: where the checkpoint lacks one of them, has another shape for it, or has more of
            the same kind: names and shapes must agree before anything is set.
    """
    shapes = {_unescape(key): tuple(shape) for key, shape in tf.train.list_variables(path)}
    for name, variable in variables.items():
        if name not in shapes:
            raise InputError(f"checkpoint {path} does not fit the model: it has no {name}")
        if shapes[name] != tuple(variable.shape):
            raise InputError(f"checkpoint {path} does not fit the model: {name} has shape {shapes[name]}")
    kinds = {name.split("/")[0] for name in variables}
    for name in shapes.keys() - variables.keys():
        if name.split("/")[0] in kinds:
            raise InputError(f"checkpoint {path} does not fit the model: the model has no {name}")
    tf.train.Checkpoint(**variables).restore(path).assert_existing_objects_matched().expect_partial()


def load(path, precision=None):
    """The model of a run folder with its newest weights, built and ready to translate.

    Args:
        path: the run folder.
        precision: "float32", "bfloat16" or "float16"; what it was trained in where None.

    Raises:
        InputError: it is not a run folder, or has no checkpoint yet.
    """
    folder = RunFolder(path)
    options = folder.options()
    checkpoint = folder.latest_checkpoint()
    if checkpoint is None:
        raise InputError(f"{path} has no checkpoint yet: train on with --flagfile={folder.flagfile}")
    model = build_model(options, precision)
    restore({"step": model.step, **model.named_weights()}, checkpoint)
    return model


def _unescape(key):
    """`generators.Sa.S...kernel/.ATTRIBUTES/VARIABLE_VALUE` -> the name of ours."""
    return key.split("/.ATTRIBUTES/")[0].replace(".S", "/")
