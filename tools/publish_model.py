"""Writes a trained model as a small run folder: averaged weights of the generators in half precision."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Optional

# Shows only fatal messages of TensorFlow; must be set before it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from munit_tf.cli import command_line
from munit_tf.config.options import RANDOM_FEATURES, DataConfig, ModelConfig, Options
from munit_tf.config.schema import option
from munit_tf.errors import InputError
from munit_tf.terminal import say

USAGE = """\
Writes a trained model as a run folder that is small enough to be shared: the generators' weights in half
precision, without discriminators and optimizers. All commands can use it; training can start from it with
--init_from. Add a README.md to it that says what it was trained on.

  python tools/publish_model.py --run=RUN --output=FOLDER --dataset=edges2flowers"""


@dataclasses.dataclass(frozen=True)
class PublishConfig(ModelConfig):
    """Published model."""

    output: str = option(None, "new folder for the model", path=True, required=True)
    dataset: Optional[str] = option(
        None, "data set to name in run.flags instead of the paths of images (default: none)"
    )


def main(argv: Sequence[str]) -> int:
    """Runs the tool; returns its exit status."""
    return command_line.run_command("publish_model", USAGE, PublishConfig, publish, argv)


def publish(config: PublishConfig) -> None:
    """Writes the folder.

    Raises:
        InputError: the run cannot be loaded, the output exists, or a weight is too large for half precision.
    """
    import numpy as np
    import tensorflow as tf

    from munit_tf.runs import loading

    output = pathlib.Path(config.output)
    if output.exists():
        raise InputError(f"--output={config.output} exists: choose another")
    options, _, model = loading.load_run(config.run, "float32", config.weights, config.averaged)
    state = {
        name: tf.Variable(tf.cast(weight, tf.float16))
        for name, weight in model.named_weights().items()
        if name.startswith("generators/")
    }
    for name, half in state.items():
        if not np.isfinite(half.numpy()).all():
            raise InputError(f"{name} has values that are too large for half precision")
    published = _without_paths(options, config.dataset)
    loading.write_new_run(output, published, {"step": model.step, **state})
    size = sum(file.stat().st_size for file in output.rglob("*") if file.is_file())
    say(f"written to: {os.path.relpath(output)} ({size / 1e6:.1f} MB)")


def _without_paths(options: Options, dataset: Optional[str]) -> Options:
    """The options of the published run: no files of this machine, and no averages besides the weights."""
    data = DataConfig(
        dataset=dataset,
        edges=options.data.edges and not dataset,
        resize=options.data.resize,
        image_size=options.data.image_size,
    )
    train = dataclasses.replace(options.train, output=None, init_from=None, validate_with=RANDOM_FEATURES)
    model = dataclasses.replace(options.model, ema_half_life=0)
    if hasattr(model, "vgg_weights"):
        model = dataclasses.replace(model, vgg_weights=None)
    return Options(data, train, model)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
