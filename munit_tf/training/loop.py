"""A training run, from options to a run folder."""

from __future__ import annotations

import contextlib
import functools
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Optional

import keras
import numpy as np
import tensorflow as tf

from munit_tf.config.options import DataConfig, Options
from munit_tf.data import pipeline, registry
from munit_tf.data.inspection import preflight
from munit_tf.distribution import devices
from munit_tf.distribution.workers import Workers
from munit_tf.errors import InputError
from munit_tf.models.translator import Translator
from munit_tf.runs import checkpoints, loading
from munit_tf.runs.checkpoints import NotFinite
from munit_tf.runs.run_folder import RunFolder
from munit_tf.terminal import say
from munit_tf.training import callbacks, memory, progress_plot, rollback
from munit_tf.training.callbacks import StepCallback
from munit_tf.training.sample_monitor import SampleMonitor
from munit_tf.training.validation import Validation
from munit_tf.training.validation_measures import (
    Features,
    Validator,
    checks_for,
    held_out_images,
    load_features,
)

_NUM_MONITOR_IMAGES = 16


def train(options: Options) -> Optional[signal.Signals]:
    """Trains until `options.train.steps`; resumes from the run folder's newest checkpoint if it has one.

    Args:
        options: the run's options.

    Returns:
        The signal that ended training early, or None.

    Raises:
        InputError: a problem that the user can fix. If it occurs before the first step, nothing is written,
            else a checkpoint is.
    """
    options.validate()
    train_options = options.train
    assert train_options.output is not None  # Set by command_line.parse.
    folder = RunFolder(train_options.output)
    workers = Workers(devices.make_strategy(train_options.strategy, train_options.batch_size))
    with contextlib.ExitStack() as stack:
        stack.enter_context(workers.propagate_failure())
        memory.check(options, workers.strategy.num_replicas_in_sync, workers.count)
        dataset = _open_dataset(options, workers)
        held_out = _held_out(dataset, options, workers.is_chief)
        if workers.is_chief:
            stack.enter_context(folder.lock())
        model, is_new = _build_or_restore(folder, options, workers)
        first_step = int(model.step.numpy())
        if first_step >= train_options.steps:
            say(
                f"{folder.path} is at step {first_step} already: to train it further, give a larger --steps",
                file=sys.stderr,
            )
            return None
        monitor = _prepare_folder(model, dataset, folder, options, is_new) if workers.is_chief else None
        validator = None
        if held_out:
            validator = Validator(model, *held_out, train_options.seed, train_options.batch_size)
        stop = stack.enter_context(callbacks.StopOnSignal(workers))
        while int(model.step.numpy()) < train_options.steps and not stop.received:
            workers.barrier()  # The chief has prepared the folder.
            first_step = int(model.step.numpy())
            rollbacks = [note["to"] for note in folder.read_rollbacks()]
            steps = range(first_step, train_options.steps)
            batches = make_batches(workers.strategy, dataset, options, steps.start, steps.stop, rollbacks)
            written = _nothing_written()
            if monitor:
                written = _written(model, monitor, validator, folder, options)
            try:
                with written as writers, pipeline.input_errors():
                    hooks = [callbacks.TerminateOnNonFinite(), *writers, stop]
                    take_steps(model, batches, options, steps, hooks)
            except NotFinite as error:
                rollback.restore_last_finite(model, folder, train_options.on_nan, error)
        workers.barrier()  # The last checkpoint is complete before any worker ends.
        return stop.received if int(model.step.numpy()) < train_options.steps else None


def _open_dataset(options: Options, workers: Workers) -> registry.Dataset:
    dataset = registry.open_dataset(options.data)
    advice = preflight.check(dataset.train, options.data)
    if workers.is_chief:
        say(*advice, file=sys.stderr)
    say(f"training on {devices.describe(options.train.strategy, options.train.batch_size)}", file=sys.stderr)
    note = devices.precision_note(options.train.precision)
    if note:
        say(note, file=sys.stderr)
    return dataset


def _held_out(
    dataset: registry.Dataset, options: Options, is_chief: bool
) -> Optional[tuple[dict[str, np.ndarray], Features]]:
    """(test images, features) for validation, or None for a run or a worker without it.

    It precedes the seed for the model's weights, since building Keras networks draws random numbers.
    """
    if not (options.train.validate_every and is_chief):
        return None
    progress_plot.require()
    images = held_out_images(dataset, options.data)
    return images, load_features(options.train.validate_with)


def _build_or_restore(folder: RunFolder, options: Options, workers: Workers) -> tuple[Translator, bool]:
    """(The compiled model, at the step of the checkpoint if there is one; whether the run is new)."""
    checkpoint = _checkpoint_to_resume(folder, options)
    keras.utils.set_random_seed(options.train.seed)
    with workers.strategy.scope():
        model = loading.build_model(options)
        origin = loading.init_from(model, options) if options.train.init_from and not checkpoint else 0
        loading.compile_model(model, options)
        if checkpoint:
            checkpoints.restore(model.named_state(), checkpoint)
    workers.check_same(options, int(model.step.numpy()) or origin)
    return model, checkpoint is None


def _prepare_folder(
    model: Translator, dataset: registry.Dataset, folder: RunFolder, options: Options, is_new: bool
) -> SampleMonitor:
    """Writes the folder's files that precede the first step; returns the SampleMonitor."""
    images = _monitor_images(dataset, options.data)
    monitor = SampleMonitor(model, images, options.train.seed, options.train.batch_size)
    folder.write_options(options)
    if is_new:
        with folder.writing():
            folder.reset()
            if options.train.on_nan == "rollback":  # There must be a checkpoint to return to.
                loading.checkpoint_manager(folder, model, options.train.keep_checkpoints).save()
    return monitor


def make_batches(
    strategy: tf.distribute.Strategy,
    dataset: registry.Dataset,
    options: Options,
    start: int,
    stop: int,
    rollbacks: Sequence[int] = (),
) -> tf.distribute.DistributedDataset:
    """The `training_batches` of the steps start, ..., stop - 1, distributed over the strategy's replicas."""
    return strategy.distribute_datasets_from_function(
        lambda context: pipeline.training_batches(
            dataset.train,
            resize=options.data.resize,
            image_size=options.data.image_size,
            batch_size=options.train.batch_size,
            seed=options.train.seed,
            start=start,
            stop=stop,
            paired=options.data.paired,
            rollbacks=rollbacks,
            context=context,
        )
    )


def take_steps(
    model: Translator,
    batches: tf.distribute.DistributedDataset,
    options: Options,
    steps: range,
    step_callbacks: Sequence[StepCallback],
) -> None:
    """Takes training steps. Unlike `fit` of Keras 3, it accepts batches distributed over several machines.

    A GPU does not wait for the callbacks: they see a step's logs while the next one is computed, unless one
    of them must precede it. All logs of a step are fetched at once.

    Args:
        model: a compiled model.
        batches: from `make_batches`, with the model's strategy.
        options: the options of the run.
        steps: the numbers of steps taken before each of them.
        step_callbacks: called after each step, in this order.
    """
    strategy = model.distribute_strategy
    train_step = model.train_step
    if model.jit_compile:
        train_step = tf.function(train_step, autograph=False, jit_compile=True)
    with_noise = functools.partial(
        pipeline.with_noise,
        shapes=model.noise_shapes(*options.data.image_size),
        seed=options.train.seed,
    )

    names: list[str] = []

    @tf.function(autograph=False)
    def step(iterator):
        # Not compiled by XLA, which would draw other numbers.
        batch = strategy.run(with_noise, args=(next(iterator),))
        logs = strategy.run(train_step, args=(batch,))
        names[:] = logs
        # Every replica has the mean over all replicas.
        return tf.stack([strategy.experimental_local_results(logs[name])[0] for name in names])

    def call_back(taken: int, values: tf.Tensor) -> None:
        logs = dict(zip(names, values.numpy().tolist()))
        for callback in step_callbacks:
            callback.after_step(taken, logs)

    iterator = iter(batches)
    waiting: tuple[int, tf.Tensor] | None = None  # The last step, if the callbacks have not seen it.
    for i in steps:
        try:
            values = step(iterator)
        except Exception:
            if waiting:
                call_back(*waiting)
            raise
        if waiting:
            call_back(*waiting)
        waiting = i + 1, values
        if any(callback.precedes_next(i + 1) for callback in step_callbacks):
            call_back(*waiting)
            waiting = None
        if any(callback.ends_training for callback in step_callbacks):
            break
    if waiting:
        call_back(*waiting)


def _nothing_written() -> contextlib.AbstractContextManager[list[StepCallback]]:
    """The callbacks of a worker that does not write the run folder."""
    return contextlib.nullcontext([])


@contextlib.contextmanager
def _written(
    model: Translator,
    monitor: SampleMonitor,
    validator: Optional[Validator],
    folder: RunFolder,
    options: Options,
) -> Iterator[list[StepCallback]]:
    """The callbacks that write the run folder; the last step's checkpoint is written at the end."""
    first_step, train_options = int(model.step.numpy()), options.train
    earlier = folder.truncate_log(first_step)
    manager = loading.checkpoint_manager(folder, model, train_options.keep_checkpoints)
    with folder.writing():
        writer = tf.summary.create_file_writer(str(folder.tensorboard))
    log = callbacks.Log(
        first_step,
        train_options.log_every,
        folder,
        writer,
        monitor,
        model.collapse_checks,
        train_options.batch_size,
        earlier,
    )
    samples = callbacks.Samples(train_options.steps, train_options.sample_every, folder, writer, monitor)
    validation: list[StepCallback] = []
    if validator:
        best = loading.best_checkpoint_manager(folder, model)
        every = train_options.validate_every
        checks = checks_for(options.data)
        validation = [Validation(every, folder, writer, validator, best, checks, earlier)]
    saving = callbacks.Checkpoints(first_step, train_options.checkpoint_every, folder, manager)
    with callbacks.ProgressBar(first_step, train_options.steps, train_options.batch_size) as bar:
        try:
            # A validation precedes the checkpoint of its step, so that a resumed run need not repeat it.
            yield [bar, log, samples, *validation, saving]
        except NotFinite:
            raise
        except InputError:
            saving.save()  # Images are read before a step begins, so the last step is complete.
            raise
        saving.save()


def _checkpoint_to_resume(folder: RunFolder, options: Options) -> checkpoints.Checkpoint | None:
    """The checkpoint to resume from, or None for a new run; writes nothing."""
    resume = options.train.resume
    checkpoint = folder.newest_checkpoint()
    if resume == "never" and folder.path.exists() and any(folder.path.iterdir()):
        raise InputError(f"{folder.path} is in use already, and --resume=never: choose another --output")
    if (
        not checkpoint
        and folder.path.is_dir()
        and any(folder.path.iterdir())
        and not folder.flagfile.exists()
    ):
        raise InputError(f"{folder.path} holds other files and no run: choose another --output")
    if resume == "must" and not checkpoint:
        raise InputError(f"{folder.path} has no checkpoint to resume from, and --resume=must")
    if checkpoint:
        changed = options.changed_since(folder.options())
        if changed:
            names = ", ".join(f"--{name}" for name in changed)
            same = shlex.quote(f"--flagfile={folder.flagfile}")
            raise InputError(
                f"{folder.path} was started with another {names}: resume with {same}, or choose "
                "another --output"
            )
    return checkpoint


def _monitor_images(dataset: registry.Dataset, data_options: DataConfig) -> dict[str, np.ndarray]:
    """{"a": [N,H,W,3], "b": ...}: the first test images, or training images if there are none."""
    images = {}
    for domain in "ab":
        source = dataset.test.get(domain) or dataset.train[domain]
        count = min(len(source), _NUM_MONITOR_IMAGES)
        images[domain] = pipeline.load_images(
            source, range(count), resize=data_options.resize, image_size=data_options.image_size
        )
    return images
