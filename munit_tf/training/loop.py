"""One training run, from options to a run folder."""

import contextlib
import shlex
import sys

import keras
import tensorflow as tf

from munit_tf import checkpoints, runs
from munit_tf.checkpoints import NotFinite
from munit_tf.config import InputError
from munit_tf.data import pipeline, registry
from munit_tf.data.inspection import start
from munit_tf.training import callbacks, rollback
from munit_tf.training.devices import describe, make_strategy
from munit_tf.training.probes import Probes
from munit_tf.training.workers import Workers

_NUM_PROBE_IMAGES = 16


def train(options):
    """Trains until `options.train.steps`, from the run folder's newest checkpoint if it has one.

    Args:
        options: config.Options.

    Returns:
        The signal that ended training early (signal.Signals), or None.

    Raises:
        InputError: for whatever the user can mend; before the first step nothing is written then, and
            after it a checkpoint is.
    """
    options.model.check_run(options.data, options.train)
    pipeline.check_sizes(options.data.resize, options.data.image_size)
    options.model.check_size(*options.data.image_size)
    if options.train.strategy == "multiworker" and options.train.on_nan == "rollback":
        raise InputError("--strategy=multiworker cannot go back together: take --on_nan=stop")
    workers = Workers(make_strategy(options.train.strategy, options.train.batch_size))
    with workers.ending_together():
        dataset = registry.open_dataset(options.data)
        advice = start.check(dataset.train, options.data)
        if workers.is_chief:
            for line in advice:
                print(line, file=sys.stderr)
        print(f"training on {describe()}", file=sys.stderr)
        folder = runs.RunFolder(options.train.output)
        with folder.lock() if workers.is_chief else contextlib.nullcontext():
            return _train(dataset, folder, options, workers)


def _train(dataset, folder, options, workers):
    train_options = options.train
    checkpoint = _checkpoint_to_resume(folder, options)

    keras.utils.set_random_seed(train_options.seed)
    with workers.strategy.scope():
        model = runs.build_model(options)
        runs.compile_model(model, options)
        if checkpoint:
            checkpoints.restore(model.named_state(), checkpoint)
    first_step = int(model.step.numpy())
    workers.check_same(options, first_step)
    if first_step >= train_options.steps:
        print(
            f"{folder.path} is at step {first_step} already; a larger --steps trains on",
            file=sys.stderr,
        )
        return None

    probes = None
    if workers.is_chief:
        images = _probe_images(dataset, options.data)
        probes = Probes(model, images, train_options.seed, train_options.batch_size)
        folder.write_options(options)
        if not checkpoint:
            with folder.writing():
                folder.start_anew()
                if train_options.on_nan == "rollback":  # There must be one to go back to.
                    runs.checkpoint_manager(folder, model, train_options.keep_checkpoints).save()
    with callbacks.StopOnSignal(first_step, workers) as stop:
        while int(model.step.numpy()) < train_options.steps and not stop.received:
            workers.wait()  # The folder is as the chief wants it.
            try:
                _fit(model, dataset, probes, folder, options, workers, stop)
            except NotFinite as error:
                rollback.go_back(model, folder, train_options.on_nan, error)
    workers.wait()  # The last checkpoint stands when any of them ends.
    return stop.received if int(model.step.numpy()) < train_options.steps else None


def _fit(model, dataset, probes, folder, options, workers, stop):
    first_step, train_options = int(model.step.numpy()), options.train
    rollbacks = [note["to"] for note in folder.read_rollbacks()]

    def batches_of(context):
        return pipeline.training_batches(
            dataset.train,
            resize=options.data.resize,
            image_size=options.data.image_size,
            batch_size=train_options.batch_size,
            seed=train_options.seed,
            noise=model.noise(*options.data.image_size),
            start=first_step,
            stop=train_options.steps,
            paired=options.data.paired,
            rollbacks=rollbacks,
            context=context,
        )

    batches = workers.strategy.distribute_datasets_from_function(batches_of)
    written = contextlib.nullcontext([])
    if workers.is_chief:
        written = _written(model, probes, folder, options)
    with written as writers, pipeline.input_errors():
        hooks = [callbacks.Finite(first_step), *writers, stop]
        _take_steps(model, batches, train_options.steps - first_step, hooks)


def _take_steps(model, batches, count, step_callbacks):
    """What `fit` does, which on Keras 3 takes no batches that several machines share out.

    Args:
        model: a compiled AdversarialModel.
        batches: from `distribute_datasets_from_function` of the model's strategy.
        count: how many steps.
        step_callbacks: Keras callbacks.
    """
    strategy = model.distribute_strategy
    train_step = tf.function(model.train_step, jit_compile=True) if model.jit_compile else model.train_step

    @tf.function(autograph=False)
    def step(iterator):
        logs = strategy.run(train_step, args=(next(iterator),))
        # Every replica's are the mean over all.
        return {name: strategy.experimental_local_results(value)[0] for name, value in logs.items()}

    model.stop_training = False
    hooks = keras.callbacks.CallbackList(step_callbacks, model=model)
    iterator = iter(batches)
    for i in range(count):
        hooks.on_train_batch_begin(i)
        hooks.on_train_batch_end(i, step(iterator))
        if model.stop_training:
            break


@contextlib.contextmanager
def _written(model, probes, folder, options):
    """The callbacks that write the run folder, and at the end the last step's checkpoint."""
    first_step, train_options = int(model.step.numpy()), options.train
    earlier = folder.truncate_log(first_step)
    manager = runs.checkpoint_manager(folder, model, train_options.keep_checkpoints)
    with folder.writing():
        writer = tf.summary.create_file_writer(str(folder.tensorboard))
    log = callbacks.Log(
        first_step,
        train_options.log_every,
        folder,
        writer,
        probes,
        model.watches,
        train_options.batch_size,
        earlier,
    )
    samples = callbacks.Samples(
        first_step, train_options.steps, train_options.sample_every, folder, writer, probes
    )
    saving = callbacks.Checkpoints(first_step, train_options.checkpoint_every, folder, manager)
    with callbacks.ProgressBar(first_step, train_options.steps, train_options.batch_size) as bar:
        try:
            yield [bar, log, samples, saving]
        except NotFinite:
            raise
        except InputError:
            saving.save()  # The images of a step come before it begins: the last one was finished.
            raise
        saving.save()


def _checkpoint_to_resume(folder, options):
    """The checkpoint to go on from, or None to start; writes nothing."""
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
        raise InputError(f"{folder.path} has no checkpoint to go on from, and --resume=must")
    if checkpoint:
        changed = options.changed_since(folder.options())
        if changed:
            names = ", ".join(f"--{name}" for name in changed)
            same = shlex.quote(f"--flagfile={folder.flagfile}")
            raise InputError(
                f"{folder.path} was begun with another {names}: go on with {same}, or choose another --output"
            )
    return checkpoint


def _probe_images(dataset, data_options):
    """{"a": [N,H,W,3], "b": ...}: the first test images, or training images where there are none."""
    images = {}
    for domain in "ab":
        source = dataset.test.get(domain) or dataset.train[domain]
        count = min(len(source), _NUM_PROBE_IMAGES)
        images[domain] = pipeline.load_images(
            source, range(count), resize=data_options.resize, image_size=data_options.image_size
        )
    return images
