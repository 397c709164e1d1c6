"""Validation during training: measures held-out images, keeps the best checkpoint, and says when to stop."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf
from tqdm import tqdm

from munit_tf.errors import InputError
from munit_tf.models.translator import CollapseCheck
from munit_tf.runs.checkpoints import CheckpointManager
from munit_tf.runs.run_folder import RunFolder
from munit_tf.terminal import say
from munit_tf.training import progress_plot
from munit_tf.training.callbacks import Checks, StepCallback, write_row
from munit_tf.training.validation_measures import PREFIX, Validator

_LEAST_KID = 1e-3
_PATIENCE = 10
_PATIENCE_SHARE = 0.3


class Validation(StepCallback):
    """Validates every `every` steps: a row in the log, `progress.png`, the best checkpoint, warnings.

    Args:
        every: steps between validations.
        folder: the run folder.
        writer: for TensorBoard.
        validator: measures the model.
        best: writes the best checkpoint.
        checks: the checks of the measures.
        earlier: the rows already in the log.
    """

    def __init__(
        self,
        every: int,
        folder: RunFolder,
        writer: tf.summary.SummaryWriter,
        validator: Validator,
        best: CheckpointManager,
        checks: Iterable[CollapseCheck],
        earlier: Iterable[Mapping[str, Any]],
    ) -> None:
        self._every = every
        self._folder = folder
        self._writer = writer
        self._validator = validator
        self._best = best
        self._rows = [row for row in earlier if is_validation(row)]
        self._checks = Checks(checks, self._rows)
        self._progress = Progress(self._rows)
        self._best_row = _best_row(folder, self._rows)

    def precedes_next(self, step: int) -> bool:
        """True if a validation is due."""
        return step % self._every == 0

    def after_step(self, step: int, logs: Mapping[str, float]) -> None:
        """Validates if it is due.

        Raises:
            NotFinite: translations, styles or weights have values that are not finite.
            InputError: the folder cannot be written.
        """
        if not self.precedes_next(step):
            return
        row: dict[str, Any] = {"step": step, **self._validator.measure()}
        self._rows.append(row)
        write_row(self._folder, self._writer, row)
        if self._best_row is None or overall_kid(row) < overall_kid(self._best_row):
            with self._folder.writing():
                self._best.save()
            self._best_row = row
        with self._folder.writing():
            progress_plot.draw(self._folder.progress, self._rows, int(self._best_row["step"]))
        for warning in self._checks.note(row):
            tqdm.write(f"warning: step {step}: {warning}", file=sys.stderr)
        if line := self._progress.note(row):
            tqdm.write(line, file=sys.stderr)


class Progress:
    """Notes when KID has not improved for 10 validations and 30 % of the steps, once until it improves.

    Args:
        earlier: the validations so far.
    """

    def __init__(self, earlier: Iterable[Mapping[str, Any]]) -> None:
        self._best: Mapping[str, Any] | None = None
        self._since = 0
        self._said = False
        for row in earlier:
            self.note(row)

    def note(self, row: Mapping[str, Any]) -> str | None:
        """Counts a validation; returns a line if it is time to say that KID does not improve."""
        if self._best is None or overall_kid(row) < overall_kid(self._best):
            self._best, self._since, self._said = row, 0, False
            return None
        self._since += 1
        step, best = row["step"], self._best["step"]
        if self._said or self._since < _PATIENCE or step - best < _PATIENCE_SHARE * step:
            return None
        self._said = True
        return (
            f"step {step}: the mean KID has not improved since step {best} ({overall_kid(self._best):.4g} "
            f"there, {overall_kid(row):.4g} now): compare sample grids to see whether more training helps"
        )


def is_validation(row: Mapping[str, Any]) -> bool:
    """Whether a row of the log is of a validation."""
    return any(name.startswith(f"{PREFIX}kid/") for name in row)


def overall_kid(row: Mapping[str, Any]) -> float:
    """The geometric mean over directions of the KID in a row of the log; infinite if one is not finite.

    Both directions count alike, although their KID may differ by orders of magnitude. The unbiased estimate
    can be 0 or less: what is below 0.001 counts as 0.001.
    """
    values = [value for name, value in row.items() if name.startswith(f"{PREFIX}kid/")]
    if not all(map(math.isfinite, values)):
        return math.inf
    return statistics.geometric_mean(max(value, _LEAST_KID) for value in values)


def _best_row(folder: RunFolder, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The row of the best checkpoint; None if there is none, or if its row is not in the log.

    The row is missing after a return to an earlier step. Then the next validation replaces the checkpoint.
    """
    try:
        checkpoint = folder.best_checkpoint()
    except InputError as error:
        say(f"warning: {error}; the next validation writes another one", file=sys.stderr)
        return None
    if checkpoint is None:
        if rows:
            say(
                f"warning: {folder.best} has no checkpoint any more: the next validation writes one",
                file=sys.stderr,
            )
        return None
    return next((row for row in reversed(rows) if row["step"] == checkpoint.step), None)
