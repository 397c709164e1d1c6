"""Callbacks between training steps. Steps count from the start of the run, also after it is resumed."""

from __future__ import annotations

import abc
import json
import math
import signal
import sys
import time
import types
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from munit_tf.distribution import devices
from munit_tf.distribution.workers import Workers
from munit_tf.models.translator import CollapseCheck
from munit_tf.runs.checkpoints import CheckpointManager, NotFinite
from munit_tf.runs.run_folder import RunFolder
from munit_tf.storage.atomic import atomic_write
from munit_tf.training.sample_monitor import SampleMonitor


class StepCallback(abc.ABC):
    """Looks at the steps of a run; see `take_steps`, which calls it.

    Attributes:
        ends_training: whether no further step is taken.
    """

    ends_training = False

    def precedes_next(self, step: int) -> bool:
        """Whether the next step may only begin after `after_step`, which for example saves the weights."""
        del step
        return True

    @abc.abstractmethod
    def after_step(self, step: int, logs: Mapping[str, float]) -> None:
        """Called after each step.

        Args:
            step: steps taken since the start of the run.
            logs: the result of `train_step`.
        """


class TerminateOnNonFinite(StepCallback):
    """Raises NotFinite at the first step with a loss that is not finite.

    It must be the first callback, so that no other one handles that step.
    """

    def precedes_next(self, step: int) -> bool:
        """False; it still precedes the checkpoint of its step."""
        return False

    def after_step(self, step: int, logs: Mapping[str, float]) -> None:
        """Checks the losses."""
        wrong = [name for name, value in logs.items() if not math.isfinite(value)]
        if wrong:
            others = f" ({len(wrong) - 1} other losses are not finite either)" if len(wrong) > 1 else ""
            raise NotFinite(f"step {step}: {wrong[0]} is {logs[wrong[0]]}{others}")


class ProgressBar(StepCallback):
    """Shows step, remaining time, images per second and the main losses on standard error.

    A context manager, so that the line also ends after an error.

    Args:
        first_step: steps taken before this call of `take_steps`.
        last_step: the step at which training ends.
        batch_size: images of each domain in one step.
    """

    def __init__(self, first_step: int, last_step: int, batch_size: int) -> None:
        self._first_step = first_step
        self._last_step = last_step
        self._batch_size = batch_size

    def __enter__(self) -> ProgressBar:
        """Opens the bar."""
        # In a file every redraw is a line, so redraw rarely.
        interval = 0.5 if sys.stderr.isatty() else 30
        self._bar = tqdm(
            total=self._last_step,
            initial=self._first_step,
            unit="step",
            mininterval=interval,
            dynamic_ncols=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        """Closes the bar."""
        self._bar.close()

    def precedes_next(self, step: int) -> bool:
        """False."""
        return False

    def after_step(self, step: int, logs: Mapping[str, float]) -> None:
        """Updates the bar."""
        shown = {name: f"{logs[name]:.3f}" for name in ("loss_g", "loss_d")}
        rate = self._bar.format_dict["rate"]
        if rate:
            shown["images/s"] = f"{rate * self._batch_size:.3g}"
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()


class Checks:
    """Checks of measures; each warns when it starts to fail, and again only if it fails after it has passed.

    Args:
        checks: the checks.
        earlier: the rows already in the log.
    """

    def __init__(self, checks: Iterable[CollapseCheck], earlier: Iterable[Mapping[str, Any]]) -> None:
        self._checks = list(checks)
        self._ranges: dict[str, tuple[float, float]] = {}
        self._failed: set[tuple[str, CollapseCheck]] = set()
        for row in earlier:
            self.note(row)

    def note(self, row: Mapping[str, Any]) -> list[str]:
        """Updates the range of each measure; returns a warning for each check that fails from this row on."""
        warnings = []
        for name, value in row.items():
            for check in self._checks:
                if name.rpartition("/")[0] != check.measure:
                    continue
                lowest, highest = self._ranges.get(name, (value, value))
                self._ranges[name] = lowest, highest = min(value, lowest), max(value, highest)
                if not check.is_wrong(value, lowest, highest):
                    self._failed.discard((name, check))
                elif (name, check) not in self._failed:
                    self._failed.add((name, check))
                    numbers = dict(name=name, value=value, lowest=lowest, highest=highest)
                    warnings.append(check.message.format(**numbers))
        return warnings


def write_row(folder: RunFolder, writer: tf.summary.SummaryWriter, row: Mapping[str, Any]) -> None:
    """Appends a row to `log.jsonl`, and writes its numbers to TensorBoard.

    Args:
        folder: the run folder.
        writer: for TensorBoard.
        row: "step", and {name: number or None}.

    Raises:
        InputError: the folder cannot be written.
    """
    with folder.writing():
        with folder.log.open("a") as file:
            file.write(json.dumps(row) + "\n")
        with writer.as_default(row["step"]):
            for name, value in row.items():
                if name != "step" and value is not None:
                    tf.summary.scalar(name, value)
        writer.flush()


class Log(StepCallback):
    """Writes losses, measures and speed to `log.jsonl` and TensorBoard every `every` steps.

    Args:
        first_step: steps taken before this call of `take_steps`.
        every: steps between rows.
        folder: the run folder.
        writer: for TensorBoard.
        monitor: computes the measures.
        collapse_checks: checks of the measures; a failed one is a warning on standard error.
        batch_size: images of each domain in one step.
        earlier: the rows already in the log.
    """

    def __init__(
        self,
        first_step: int,
        every: int,
        folder: RunFolder,
        writer: tf.summary.SummaryWriter,
        monitor: SampleMonitor,
        collapse_checks: Iterable[CollapseCheck],
        batch_size: int,
        earlier: Iterable[Mapping[str, Any]],
    ) -> None:
        self._first_step = first_step
        self._every = every
        self._folder = folder
        self._writer = writer
        self._monitor = monitor
        self._batch_size = batch_size
        self._checks = Checks(collapse_checks, earlier)

    def precedes_next(self, step: int) -> bool:
        """True if a row is due; and after the first step, which includes building the graph, for the time."""
        return step % self._every == 0 or step == self._first_step + 1

    def after_step(self, step: int, logs: Mapping[str, float]) -> None:
        """Writes a row."""
        if step == self._first_step + 1:
            self._last = step, time.monotonic()
        if step % self._every:
            return
        last_step, last_time = self._last
        elapsed = time.monotonic() - last_time
        speed = (step - last_step) * self._batch_size / elapsed if step > last_step else None
        row: dict[str, Any] = {"step": step, **dict(sorted(logs.items()))}
        row.update(self._monitor.measure())
        row.update(images_per_second=speed, peak_memory_mib=devices.peak_memory_mib())
        write_row(self._folder, self._writer, row)
        for warning in self._checks.note(row):
            tqdm.write(f"warning: step {step}: {warning}", file=sys.stderr)
        self._last = step, time.monotonic()


class Samples(StepCallback):
    """Writes sample grids to `samples/` and TensorBoard every `every` steps and at the last one.

    Args:
        last_step: the step at which training ends.
        every: steps between grids.
        folder: the run folder.
        writer: for TensorBoard.
        monitor: makes the grids.
    """

    def __init__(
        self,
        last_step: int,
        every: int,
        folder: RunFolder,
        writer: tf.summary.SummaryWriter,
        monitor: SampleMonitor,
    ) -> None:
        self._last_step = last_step
        self._every = every
        self._folder = folder
        self._writer = writer
        self._monitor = monitor

    def precedes_next(self, step: int) -> bool:
        """True if grids are due."""
        return step % self._every == 0 or step == self._last_step

    def after_step(self, step: int, logs: Mapping[str, float]) -> None:
        """Writes the grids if they are due."""
        if not self.precedes_next(step):
            return
        grids = self._monitor.grids()
        with self._folder.writing():
            self._folder.samples.mkdir(exist_ok=True)
            with self._writer.as_default(step):
                for name, picture in grids.items():
                    with atomic_write(self._folder.samples / f"step_{step:08d}_{name}.png") as file:
                        picture.save(file, format="PNG")
                    tf.summary.image(f"samples/{name}", np.asarray(picture)[np.newaxis])
            self._writer.flush()


class Checkpoints(StepCallback):
    """Writes a checkpoint every `every` steps; `save` writes one at any step.

    Args:
        first_step: steps taken before this call of `take_steps`.
        every: steps between checkpoints.
        folder: the run folder.
        manager: writes the checkpoints.
    """

    def __init__(self, first_step: int, every: int, folder: RunFolder, manager: CheckpointManager) -> None:
        self._first_step = first_step
        self._every = every
        self._folder = folder
        self._manager = manager

    def precedes_next(self, step: int) -> bool:
        """True if a checkpoint is due."""
        return step % self._every == 0

    def after_step(self, step: int, logs: Mapping[str, float]) -> None:
        """Writes a checkpoint if it is due."""
        if self.precedes_next(step):
            self.save()

    def save(self) -> None:
        """Writes a checkpoint of the last step, unless it exists.

        Raises:
            NotFinite: a weight or an optimizer variable is not finite.
            InputError: the folder cannot be written.
        """
        if self._manager.step > self._first_step:
            with self._folder.writing():
                self._manager.save()


class StopOnSignal(StepCallback):
    """Ends training after the current step on SIGINT or SIGTERM; a second signal ends the process at once.

    A signal to one of several workers ends training on all of them, after the same step. A context manager:
    it handles signals while it is entered.

    Args:
        workers: the processes of the run.

    Attributes:
        received: the signal that ended training, or None.
    """

    received: signal.Signals | None = None

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._own = 0

    def __enter__(self) -> StopOnSignal:
        """Installs the signal handlers."""
        self._before = {
            number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        """Restores the previous signal handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def precedes_next(self, step: int) -> bool:
        """True after a signal, and with several workers, which must end after the same step."""
        return bool(self._own) or self._workers.count > 1

    def after_step(self, step: int, logs: Mapping[str, float]) -> None:
        """Ends training if a worker has received a signal."""
        received = self._workers.all_reduce_max(self._own)
        if received:
            self.received = signal.Signals(received)
            self.ends_training = True

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        self._own = number
        signal.signal(number, signal.SIG_DFL)
        name = signal.Signals(number).name
        tqdm.write(f"{name}: finishing the step and writing a checkpoint", file=sys.stderr)
