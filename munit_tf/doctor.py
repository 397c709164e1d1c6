"""Finds problems of images before training: `python -m munit_tf.doctor --help`."""

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

# Set before TensorFlow is imported: shows only its fatal messages.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from munit_tf.cli.command_line import run_training_command
from munit_tf.config.options import Options
from munit_tf.config.schema import Config, option
from munit_tf.errors import InputError
from munit_tf.storage.atomic import atomic_write
from munit_tf.terminal import say

USAGE = """\
Inspects every image of a data set: reports what would stop training, and other noteworthy findings.

  python -m munit_tf.doctor --dataset=photos
  python -m munit_tf.doctor --train_a=summer --train_b='winter/*.jpg' --headers_only --json=found.json

It takes the flags of munit_tf.train, and the findings depend on them: give the flags that you will train
with. Exit status: 0 if nothing is fatal, 1 if something is, 2 for invalid flags. No file is changed."""

if TYPE_CHECKING:
    from munit_tf.training.step_timing import StepCost


@dataclasses.dataclass(frozen=True)
class DoctorConfig(Config):
    """Inspection."""

    headers_only: bool = option(False, "read only the headers: fast, but finds neither damage nor duplicates")
    measure_step: bool = option(
        False, "also take some training steps, and report the time and memory of a step"
    )
    json: Optional[str] = option(None, "JSON file for all findings", path=True)


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    from munit_tf.data import registry
    from munit_tf.runs.run_folder import CONFIGS

    return run_training_command(
        "munit_tf.doctor", USAGE, DoctorConfig, _inspect, argv, CONFIGS, registry.descriptions()
    )


def _inspect(config: DoctorConfig, options: Options) -> int:
    from munit_tf.data.inspection import report, scan
    from munit_tf.distribution import devices

    options.validate()
    devices.set_up(options.train.tf32, options.train.deterministic)
    used = devices.describe(options.train.strategy, options.train.batch_size)
    note = devices.precision_note(options.train.precision)
    say(f"training would run on {used}", *([note] if note else []), file=sys.stderr)
    cost = _measure(options) if config.measure_step else None  # First: it measures the process' peak memory.
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
        findings = report.as_json(inspection, unreadable)
        findings["step"] = dataclasses.asdict(cost) if cost else None
        with atomic_write(config.json) as file:
            file.write(json.dumps(findings, indent=1).encode())
    return 1 if report.fatal_count(inspection, unreadable) else 0


def _measure(options: Options) -> Optional["StepCost"]:
    from munit_tf.training import step_timing

    try:
        return step_timing.measure(options)
    except InputError as error:  # The inspection will report problems of images.
        say(f"munit_tf.doctor: no step was measured: {error}", file=sys.stderr)
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
