"""What happens between the steps of training. Steps are the run's, also in a run that is resumed."""

import json
import math
import signal
import sys
import time

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from munit_tf.distribution import devices
from munit_tf.runs.checkpoints import NotFinite
from munit_tf.storage.atomic import atomic_write


class StepCallback(keras.callbacks.Callback):
    """Calls `after_step(step, logs)` with the run's own step.

    Args:
        first_step: steps taken before this `fit`.
    """

    def __init__(self, first_step):
        super().__init__()
        self.first_step = first_step

    def on_train_batch_end(self, batch, logs=None):
        """Keras' hook; `batch` counts from 0 in every `fit`."""
        self.after_step(self.first_step + batch + 1, logs)

    def after_step(self, step, logs):
        """What to do after a step; `logs` is `train_step`'s result, as numbers."""
        raise NotImplementedError


class TerminateOnNonFinite(StepCallback):
    """Ends `fit` with NotFinite at the first step with a loss that is not finite.

    It comes before all others, so that none of them sees such a step.
    """

    def after_step(self, step, logs):
        """Looks at the losses."""
        wrong = [name for name, value in logs.items() if not math.isfinite(value)]
        if wrong:
            others = f" (so are {len(wrong) - 1} other losses)" if len(wrong) > 1 else ""
            raise NotFinite(f"step {step}: {wrong[0]} is {float(logs[wrong[0]])}{others}")


class ProgressBar(StepCallback):
    """Step, time left, images per second and the main losses, in a line on standard error.

    A context manager, so that the line ends however training does.
    """

    def __init__(self, first_step, last_step, batch_size):
        super().__init__(first_step)
        self._last_step = last_step
        self._batch_size = batch_size

    def __enter__(self):
        """Opens the bar."""
        # Redrawn rarely where no one watches: in a file every redraw is a line.
        interval = 0.5 if sys.stderr.isatty() else 30
        self._bar = tqdm(
            total=self._last_step,
            initial=self.first_step,
            unit="step",
            mininterval=interval,
            dynamic_ncols=True,
        )
        return self

    def __exit__(self, *error):
        """Closes the bar."""
        self._bar.close()

    def after_step(self, step, logs):
        """Moves the bar."""
        shown = {name: f"{float(logs[name]):.3f}" for name in ("loss_g", "loss_d")}
        rate = self._bar.format_dict["rate"]
        if rate:
            shown["images/s"] = f"{rate * self._batch_size:.3g}"
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()


class Log(StepCallback):
    """Losses, measures and speed every `every` steps, to `log.jsonl` and TensorBoard.

    Args:
        first_step, every: in steps.
        folder: the RunFolder.
        writer: a tf.summary writer.
        probes: Probes.
        collapse_checks: the model's CollapseCheck tuples; one that goes wrong is a warning on standard error.
        batch_size: images of each domain in one step.
        earlier: rows of the log that were there before, as dicts.
    """

    def __init__(self, first_step, every, folder, writer, probes, collapse_checks, batch_size, earlier):
        super().__init__(first_step)
        self._every = every
        self._folder = folder
        self._writer = writer
        self._probes = probes
        self._batch_size = batch_size
        self._collapse_checks = collapse_checks
        self._ranges = {}
        self._wrong = set()
        for row in earlier:
            self._note(row)

    def after_step(self, step, logs):
        """Writes a row."""
        if step == self.first_step + 1:
            self._last = step, time.monotonic()  # The first step's time is the graph's making.
        if step % self._every:
            return
        last_step, last_time = self._last
        elapsed = time.monotonic() - last_time
        speed = (step - last_step) * self._batch_size / elapsed if step > last_step else None
        row = {"step": step, **{name: float(value) for name, value in sorted(logs.items())}}
        row.update(self._probes.measure())
        row.update(images_per_second=speed, peak_memory_mib=devices.peak_memory_mib())
        with self._folder.writing():
            with self._folder.log.open("a") as file:
                file.write(json.dumps(row) + "\n")
            with self._writer.as_default(step):
                for name, value in row.items():
                    if name != "step" and value is not None:
                        tf.summary.scalar(name, value)
            self._writer.flush()
        for warning in self._note(row):
            tqdm.write(f"warning: step {step}: {warning}", file=sys.stderr)
        self._last = step, time.monotonic()

    def _note(self, row):
        """Keeps each measure's range; returns a line for each watched one that has just gone wrong."""
        warnings = []
        for name, value in row.items():
            for check in self._collapse_checks:
                if name.split("/")[0] != check.measure:
                    continue
                lowest, highest = self._ranges.get(name, (value, value))
                self._ranges[name] = lowest, highest = min(value, lowest), max(value, highest)
                if not check.is_wrong(value, lowest, highest):
                    self._wrong.discard((name, check))
                elif (name, check) not in self._wrong:
                    self._wrong.add((name, check))
                    numbers = dict(name=name, value=value, lowest=lowest, highest=highest)
                    warnings.append(check.message.format(**numbers))
        return warnings


class Samples(StepCallback):
    """Sample grids every `every` steps and at the last one, to `samples/` and TensorBoard."""

    def __init__(self, first_step, last_step, every, folder, writer, probes):
        super().__init__(first_step)
        self._last_step = last_step
        self._every = every
        self._folder = folder
        self._writer = writer
        self._probes = probes

    def after_step(self, step, logs):
        """Writes the grids."""
        if step % self._every and step != self._last_step:
            return
        grids = self._probes.grids()
        with self._folder.writing():
            self._folder.samples.mkdir(exist_ok=True)
            with self._writer.as_default(step):
                for name, picture in grids.items():
                    with atomic_write(self._folder.samples / f"step_{step:08d}_{name}.png") as file:
                        picture.save(file, format="PNG")
                    tf.summary.image(f"samples/{name}", np.asarray(picture)[np.newaxis])
            self._writer.flush()


class Checkpoints(StepCallback):
    """A checkpoint every `every` steps; `save` writes one of the last step, if there is none."""

    def __init__(self, first_step, every, folder, manager):
        super().__init__(first_step)
        self._every = every
        self._folder = folder
        self._manager = manager

    def after_step(self, step, logs):
        """Saves, where it is time."""
        if step % self._every == 0:
            self.save()

    def save(self):
        """Saves the last step taken.

        Raises:
            NotFinite: a weight, or what an optimiser keeps of it, is not finite.
            InputError: the folder cannot be written.
        """
        if self._manager.step > self.first_step:
            with self._folder.writing():
                self._manager.save()


class StopOnSignal(StepCallback):
    """SIGINT and SIGTERM let the step finish and end `fit`; a second one ends the process at once.

    With several workers, one that a signal comes to ends `fit` on all, after the same step. A context
    manager: the signals are its own while it is entered.

    Args:
        first_step: steps taken before this `fit`.
        workers: Workers.

    Attributes:
        received: the signal that all workers have ended `fit` for, or None.
    """

    received = None

    def __init__(self, first_step, workers):
        super().__init__(first_step)
        self._workers = workers
        self._own = 0

    def __enter__(self):
        """Takes the signals over."""
        self._before = {
            number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *error):
        """Gives the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def after_step(self, step, logs):
        """Ends `fit` where a signal has come."""
        received = self._workers.all_reduce_max(self._own)
        if received:
            self.received = signal.Signals(received)
            self.model.stop_training = True

    def _note(self, number, frame):
        self._own = number
        signal.signal(number, signal.SIG_DFL)
        name = signal.Signals(number).name
        tqdm.write(f"{name}: finishing the step and writing a checkpoint", file=sys.stderr)
