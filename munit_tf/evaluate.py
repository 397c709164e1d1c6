"""Evaluates the translations of a run: `python -m munit_tf.evaluate --run=RUN`."""

import os
import sys
from collections.abc import Sequence

# Set before TensorFlow is imported: shows only its fatal messages.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

USAGE = """\
Evaluates the translations of a run folder; writes RUN/evaluation.json and prints a table.

  python -m munit_tf.evaluate --run=runs/shapes-munit
  python -m munit_tf.evaluate --run=RUN --metrics=lpips,fid --direction=a2b --compare=RUN2,RUN3
  python -m munit_tf.evaluate --run=RUN --report

Exit status: 0 if all requested metrics were computed; 3 if some were not (the reasons are printed); 2 for
an error."""


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    from munit_tf.cli.command_line import run_command
    from munit_tf.evaluation.options import EvaluateConfig

    return run_command("munit_tf.evaluate", USAGE, EvaluateConfig, _evaluate, argv)


def _evaluate(config):
    from munit_tf.distribution import devices
    from munit_tf.evaluation import evaluate_runs
    from munit_tf.evaluation.options import WITH_FEATURES
    from munit_tf.evaluation.table import table
    from munit_tf.storage.paths import relative
    from munit_tf.terminal import say

    devices.set_up()
    results = evaluate_runs.evaluate(config)
    first = next(iter(results.values()))
    say(*table(results).split("\n"), "")
    if any(WITH_FEATURES & set(direction["metrics"]) for direction in first["directions"].values()):
        resizing = f", resized as in {config.fid_resize}" if config.features == "published" else ""
        say(f"features of FID and KID: {config.features}{resizing}")
    if evaluate_runs.has_metrics(first):
        say(f"written to: {relative(config.run) / evaluate_runs.FILE}")
    if config.report:
        say(f"open:       {relative(config.run) / evaluate_runs.REPORT / 'report.html'}")
    missing = False
    for run, result in results.items():
        for metric, reason in result["not_computed"].items():
            missing = True
            say(f"munit_tf.evaluate: {run}: no {metric}: {reason}", file=sys.stderr)
    return 3 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
