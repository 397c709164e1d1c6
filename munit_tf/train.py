"""Trains a translator: `python -m munit_tf.train --dataset=summer2winter`."""

import os
import shlex
import sys

# Before TensorFlow is imported: of its own messages only fatal ones.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

USAGE = """\
Trains a model that translates between two sets of images, without pairs.

  python -m munit_tf.train --dataset=shapes
  python -m munit_tf.train --dataset=FOLDER_WITH_trainA_trainB

In an interrupted run folder the same command goes on where it stopped."""


def main(argv):
    """Runs the command; returns its exit status."""
    from munit_tf import command_line, help_pages
    from munit_tf.config import DataConfig, TrainConfig
    from munit_tf.data import registry
    from munit_tf.runs import CONFIGS
    from munit_tf.terminal import say

    if command_line.wants_help(argv):
        print(help_pages.train_help(USAGE, CONFIGS, registry.descriptions()))
        return 0

    def train():
        options, shipped = command_line.parse(argv, CONFIGS, registry.NAMES)
        if shipped:
            say(f"using {os.path.relpath(shipped)}", file=sys.stderr)
        return _train(options)

    return command_line.run("munit_tf.train", train, DataConfig, TrainConfig)


def _train(options):
    from munit_tf.paths import relative
    from munit_tf.terminal import say
    from munit_tf.training import devices, loop

    devices.set_up()
    received = loop.train(options)
    output = relative(options.train.output)
    if received:
        flagfile = shlex.quote(f"--flagfile={output / 'run.flags'}")
        say(f"stopped; to go on: python -m munit_tf.train {flagfile}", file=sys.stderr)
        return 128 + received
    say(f"run folder: {output}")
    picture = output / "samples" / f"step_{options.train.steps:08d}_a2b.png"
    if picture.exists():
        say(f"open:       {picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
