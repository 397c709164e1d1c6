"""Trains a translator: `python -m munit_tf.train --dataset=summer2winter`."""

import os
import shlex
import sys
from collections.abc import Sequence

# Set before TensorFlow is imported: shows only its fatal messages.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

USAGE = """\
Trains a model that translates between two sets of images, without pairs.

  python -m munit_tf.train --dataset=shapes
  python -m munit_tf.train --dataset=FOLDER_WITH_trainA_trainB

After an interruption, the same command resumes training."""


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    from munit_tf.cli import command_line, help
    from munit_tf.config.options import DataConfig, TrainConfig
    from munit_tf.data import registry
    from munit_tf.runs.run_folder import CONFIGS

    if command_line.wants_help(argv):
        print(help.train_help(USAGE, CONFIGS, registry.descriptions()))
        return 0
    with command_line.errors_reported("munit_tf.train", DataConfig, TrainConfig) as outcome:
        from munit_tf.distribution import devices
        from munit_tf.training import loop

        options, shipped = command_line.parse(argv, CONFIGS, registry.NAMES)
        command_line.say_shipped(shipped)
        devices.set_up(options.train.tf32, options.train.deterministic)
        received = loop.train(options)
        outcome.status = 128 + received if received else 0
        _report(options, received)
    return outcome.status


def _report(options, received):
    from munit_tf.storage.paths import relative
    from munit_tf.terminal import say

    output = relative(options.train.output)
    if received:
        flagfile = shlex.quote(f"--flagfile={output / 'run.flags'}")
        say(f"stopped; to resume: python -m munit_tf.train {flagfile}", file=sys.stderr)
        return
    say(f"run folder: {output}")
    picture = output / "samples" / f"step_{options.train.steps:08d}_a2b.png"
    if picture.exists():
        say(f"open:       {picture}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
