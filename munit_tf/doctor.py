"""Looks for what is wrong with images before training: `python -m munit_tf.doctor --help`."""

import dataclasses
import json
import os
import sys
from typing import Optional

# Before TensorFlow is imported: of its own messages only fatal ones.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from munit_tf.cli.command_line import run_training_command
from munit_tf.config.schema import Config, option
from munit_tf.errors import InputError
from munit_tf.storage.atomic import atomic_write
from munit_tf.terminal import say

USAGE = """\
Looks at every image of a data set: what training would stop at, and what is worth knowing.

  python -m munit_tf.doctor --dataset=photos
  python -m munit_tf.doctor --train_a=summer --train_b='winter/*.jpg' --headers_only --json=found.json

It takes the flags of munit_tf.train and judges by them: give it those that you will train with. The exit
status is 0 where nothing is fatal, 1 where something is, 2 for wrong flags. Nothing is changed."""


@dataclasses.dataclass(frozen=True)
class DoctorConfig(Config):
    """The doctor's own."""

    headers_only: bool = option(False, "decode nothing: quick, and blind to damage and copies")
    measure_step: bool = option(
        False, "take some training steps, too, and say how long one is and how much memory it needs"
    )
    json: Optional[str] = option(None, "file to write everything to that was found", path=True)


def main(argv):
    """Runs the command; returns its exit status."""
    from munit_tf.data import registry
    from munit_tf.runs.run_folder import CONFIGS

    return run_training_command(
        "munit_tf.doctor", USAGE, DoctorConfig, _look, argv, CONFIGS, registry.descriptions()
    )


def _look(config, options):
    from munit_tf.data.inspection import report, scan

    options.validate()
    cost = _measure(options) if config.measure_step else None  # First, for the memory is the process' peak.
    inspection = scan.inspect(options.data, decode=not config.headers_only)
    unreadable = options.data.unreadable
    say(*report.as_text(inspection, unreadable).split("\n"))
    if cost:
        train = options.train
        print(
            f"a step of {train.method} with {train.batch_size} images of each domain: {cost.seconds:.3g} s, "
            f"so {train.steps} steps: {cost.seconds * train.steps / 3600:.1f} hours; peak memory: "
            f"{cost.peak_memory_mib} MiB (on {cost.device})"
        )
    if config.json:
        found = report.as_json(inspection, unreadable)
        found["step"] = dataclasses.asdict(cost) if cost else None
        with atomic_write(config.json) as file:
            file.write(json.dumps(found, indent=1).encode())
    return 1 if report.fatal_count(inspection, unreadable) else 0


def _measure(options):
    from munit_tf.distribution import devices
    from munit_tf.training import step_timing

    devices.set_up()
    try:
        return step_timing.measure(options)
    except InputError as error:  # What is wrong with the images is about to be found.
        say(f"munit_tf.doctor: no step was measured: {error}", file=sys.stderr)
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
