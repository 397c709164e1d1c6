"""Measures training steps, translations and the input pipeline: `python tools/benchmark.py --help`."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import statistics
import sys
import threading
import time
from typing import Any, Callable, Optional
from unittest import mock

# Shows only fatal messages of TensorFlow; must be set before it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from PIL import Image

from munit_tf.cli.command_line import run_training_command
from munit_tf.config.options import Options
from munit_tf.config.schema import Config, option, to_text
from munit_tf.data.sources import Source
from munit_tf.errors import InputError
from munit_tf.storage.atomic import atomic_write

USAGE = """\
Measures the time and the FLOP rate of a training step and of a translation, and memory.

  python tools/benchmark.py --sizes=128 --cycle_weight=10
  python tools/benchmark.py --sizes=128,256 --precisions=float32,bfloat16 --method=miso
  python tools/benchmark.py --dataset=FOLDER --resize=286 --image_size=256

All other flags are those of munit_tf.train. With --dataset, the input pipeline is measured, too, with
--resize and --image_size. Every line of the table is measured in a separate process. GFLOP/s counts the
convolutions of a step in the authors' code, in which both updates compute the fakes, divided by the time of
our step. The peak is that of large float32 convolutions on one device, measured in the same process; with
--tf32, in TF32 on GPUs that can. "As called" is the time of model.translate in Python; without --jit_compile
it should be that of the graph alone. With several GPUs (--strategy), a step and its images per second are
those of all of them together, and it is compared with the sum of their peaks."""
_WARM_UP = 2
_TRANSLATIONS = 3  # Per step.
# A GPU needs milliseconds of work in one call; otherwise the time of the call itself is measured.
_CPU_WORK = dict(batch_size=1, depth=1)
_GPU_WORK = dict(batch_size=16, depth=32)
_PIPELINE_IMAGES = 128
_PIPELINE_PATHS = (100, 10_000, 1_000_000)


@dataclasses.dataclass(frozen=True)
class BenchmarkConfig(Config):
    """Benchmark."""

    sizes: Optional[tuple[str, ...]] = option(
        None, "comma-separated sides of square images, in pixels (default: --image_size)"
    )
    batch_sizes: Optional[tuple[str, ...]] = option(
        None, "comma-separated numbers of images of each domain in one step (default: --batch_size)"
    )
    precisions: Optional[tuple[str, ...]] = option(
        None,
        "comma-separated precisions (default: --precision)",
        choices=("float32", "bfloat16", "float16"),
    )
    repeats: int = option(7, "steps to time; the median is reported", minimum=1, maximum=1_000_000)
    json: Optional[str] = option(None, "file to write the table to, as JSON", path=True)
    profile: Optional[str] = option(
        None, "folder for a TensorBoard profile of a step, for the first line of the table", path=True
    )

    def __post_init__(self) -> None:  # noqa: D105
        super().__post_init__()
        for name in ("sizes", "batch_sizes"):
            for number in getattr(self, name) or ():
                if not number.isdecimal() or len(number) > 9 or not int(number):
                    raise InputError(f"--{name}={','.join(getattr(self, name))}: {number!r} is not a number")


def main(argv: list[str]) -> int:
    """Runs the tool; returns its exit status."""
    from munit_tf.data import registry
    from munit_tf.runs.run_folder import CONFIGS

    return run_training_command(
        "benchmark", USAGE, BenchmarkConfig, benchmark, argv, CONFIGS, registry.descriptions()
    )


def benchmark(config: BenchmarkConfig, options: Options) -> None:
    """Measures and prints the results.

    Args:
        config: benchmark options.
        options: training options; sizes, batch sizes and precisions in `config` replace theirs.

    Raises:
        InputError: a size does not fit the networks, a process was killed, or the strategy is for several
            machines.
    """
    if options.train.strategy == "multiworker":
        raise InputError("--strategy=multiworker: one machine is measured: use auto, mirrored or none")
    sizes = [(int(size), int(size)) for size in config.sizes or ()] or [options.data.image_size]
    for size in sizes:
        options.model.check_size(*size)
    rows: list[dict[str, Any]] = []
    result: dict[str, Any] = dict(method=options.train.method, rows=rows)
    for size in sizes:
        for batch_size in map(int, config.batch_sizes or (options.train.batch_size,)):
            for precision in config.precisions or (options.train.precision,):
                each = dataclasses.replace(
                    options,
                    data=dataclasses.replace(options.data, image_size=size),
                    train=dataclasses.replace(options.train, batch_size=batch_size, precision=precision),
                )
                row = dict(size=to_text(size), batch_size=batch_size, precision=precision)
                profile = config.profile if not rows else None
                rows.append({**row, **_in_new_process(_measure, each, config.repeats, profile)})
                print(*_table(rows[-1:])[bool(rows[:-1]) :], sep="\n", flush=True)
                _write(config.json, result)
    if options.data.dataset or options.data.train_b:
        result["pipeline"] = _in_new_process(_measure_pipeline, options)
        for count, rate in result["pipeline"].items():
            print(f"input pipeline, {count} paths: {rate:.0f} images per second")
        _write(config.json, result)


def _write(path: Optional[str], result: dict[str, Any]) -> None:
    if path:
        with atomic_write(path) as file:
            file.write((json.dumps(result, indent=2) + "\n").encode())


def _in_new_process(function: Callable, *arguments: Any) -> Any:
    """Returns the result of `function` in a new process, which has its own peak memory."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except concurrent.futures.process.BrokenProcessPool:
            raise InputError("the process was killed, probably out of memory: use smaller sizes") from None


def _measure(options, repeats, profile):
    import keras
    import tensorflow as tf

    from munit_tf.distribution import devices
    from munit_tf.runs import loading
    from munit_tf.training import memory

    train = options.train
    devices.set_up(train.tf32, train.deterministic)
    keras.utils.set_random_seed(train.seed)  # --deterministic needs one.
    strategy = devices.make_strategy(train.strategy, train.batch_size)
    replicas = strategy.num_replicas_in_sync
    memory.check(options, replicas, workers=1)
    has_gpu = bool(tf.config.get_visible_devices("GPU"))
    work = _GPU_WORK if has_gpu else _CPU_WORK
    peak = _peak_of_convolution(tf, **work)
    if has_gpu:
        tf.config.experimental.reset_memory_stats("GPU:0")  # The step's peak memory is reported.
    with strategy.scope():
        model = loading.build_model(options)
        loading.compile_model(model, options)
    batch = _batch(tf, model, options)
    share = _distributed(tf, strategy, batch)
    step = _step(tf, strategy, model, jit_compile=False)
    with _Operations(model, elsewhere=0) as operations:
        step_gflop = operations.count_of(step.get_concrete_function(share)) / 1e9
    if train.jit_compile:
        step = _step(tf, strategy, model, jit_compile=True)
    step_seconds = _median_seconds(lambda: step(share)["loss_g"].numpy(), repeats)
    if profile:
        tf.profiler.experimental.start(profile)
        step(share)["loss_g"].numpy()
        tf.profiler.experimental.stop()
    memory = devices.peak_memory_mib()

    direction = model.directions[0]
    source, target = model.source_and_target(direction)
    arguments = [batch[source], direction, *([batch[f"style_{target}"]] if model.style_dim else [])]
    translate = tf.function(model.translate, autograph=False, jit_compile=train.jit_compile or None)
    with _Operations(model, elsewhere=1) as operations:
        translate_gflop = operations.count_of(translate.get_concrete_function(*arguments)) / 1e9
    seconds = _median_seconds(lambda: translate(*arguments).numpy(), repeats * _TRANSLATIONS)
    called_seconds = _median_seconds(lambda: model.translate(*arguments).numpy(), repeats * _TRANSLATIONS)
    # Other processes may have slowed down one measurement.
    peak = max(peak, _peak_of_convolution(tf, **work))
    return {
        "device": devices.describe(train.strategy, train.batch_size),
        "replicas": replicas,
        "step_seconds": step_seconds,
        "images_per_second": train.batch_size / step_seconds,
        "step_gflop": step_gflop,
        "step_of_peak": step_gflop / step_seconds / (replicas * peak),
        "translate_seconds": seconds,
        "translate_called_seconds": called_seconds,
        "translate_gflop": translate_gflop,
        "translate_of_peak": translate_gflop / seconds / peak,
        "peak_gflops": peak,
        "peak_memory_mib": memory,
    }


def _batch(tf, model, options):
    height, width = options.data.image_size
    shapes = dict.fromkeys("ab", (height, width, 3))
    shapes.update(model.noise_shapes(height, width))
    return {
        name: tf.random.stateless_normal([options.train.batch_size, *shape], [0, i]) * 0.3
        for i, (name, shape) in enumerate(shapes.items())
    }


def _distributed(tf, strategy, batch):
    """A batch with each replica's part on its device, as an argument of `strategy.run`."""
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return batch

    def part(context):
        i = context.replica_id_in_sync_group
        with tf.device(strategy.extended.worker_devices[i]):
            return {name: tf.identity(tf.split(x, replicas)[i]) for name, x in batch.items()}

    return strategy.experimental_distribute_values_from_function(part)


def _step(tf, strategy, model, jit_compile):
    """A function that takes a training step with a distributed batch, and returns the losses."""
    train_step = model.train_step
    if jit_compile:
        train_step = tf.function(train_step, autograph=False, jit_compile=True)

    @tf.function(autograph=False)
    def step(share):
        logs = strategy.run(train_step, args=(share,))
        return {name: strategy.experimental_local_results(value)[0] for name, value in logs.items()}

    return step


class _Operations:
    """Counts the multiplications and additions of a model's convolutions as in the authors' code.

    A context manager; functions of the model must be traced inside it.

    In the authors' code both updates run `prepare` and `make_fakes`, one of them with a gradient. A gradient
    takes two convolutions, so these count 1 + 3 times. The networks of the losses run once, with a gradient,
    and count 3 times. Recomputation for a gradient does not count.

    Args:
        model: a Translator.
        elsewhere: how many times other calls count.
    """

    def __init__(self, model: Any, elsewhere: int):
        self._model = model
        self._elsewhere = elsewhere
        self._of_thread = threading.local()  # A strategy traces each replica in a thread of its own.
        self._calls: list[tuple[int, Any]] = []

    def __enter__(self) -> _Operations:
        """Starts to record convolutions."""
        from munit_tf.networks.convolutions import Conv

        original = Conv.__call__

        def call(layer, *args, **kwargs):
            y = original(layer, *args, **kwargs)
            count = 2 * layer.kernel.shape.num_elements() * y.shape[:3].num_elements()
            self._calls.append((self._factor() * count, y))
            return y

        self._patches = [mock.patch.object(Conv, "__call__", call)]
        factors = dict(prepare=4, make_fakes=4, discriminator_losses=3, generator_losses=3)
        for name, factor in factors.items():
            self._patches.append(mock.patch.object(self._model, name, self._counted(name, factor)))
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stops the recording."""
        for patch in self._patches:
            patch.stop()

    def count_of(self, function: Any) -> int:
        """The operations that the results of a concrete function need; it must have been traced just now."""
        graph = function.graph
        wanted, needed = [*(y.op for y in graph.outputs), *graph.control_outputs], set()
        while wanted:
            operation = wanted.pop()
            if operation not in needed:
                needed.add(operation)
                wanted += [*(x.op for x in operation.inputs), *operation.control_inputs]
        return sum(count for count, y in self._calls if y.op in needed)

    def _counted(self, name, factor):
        method = getattr(self._model, name)

        def call(*args):
            before = self._factor()
            self._of_thread.factor = factor
            try:
                return method(*args)
            finally:
                self._of_thread.factor = before

        return call

    def _factor(self):
        return getattr(self._of_thread, "factor", self._elsewhere)


def _peak_of_convolution(tf, batch_size, depth):
    """The rate of the fastest of several sequences of large float32 convolutions, in GFLOP/s."""
    rates = []
    for size, channels in ((64, 256), (128, 128), (32, 512)):
        function, arguments, gflop = _convolutions(tf, batch_size, size, channels, depth)
        rates.append(gflop / _median_seconds(lambda: function(*arguments).numpy(), 9))  # noqa: B023
    return max(rates)


def _convolutions(tf, batch_size, size, channels, depth):
    """(a function of 3x3 convolutions, each of the result of the one before; its arguments; their GFLOP)."""
    x = tf.random.stateless_normal([batch_size, size, size, channels], [0, 0])
    # Scaled so that the results stay as large as x.
    kernel = tf.random.stateless_normal([3, 3, channels, channels], [0, 1]) / (9 * channels) ** 0.5

    @tf.function(autograph=False)
    def convolve(x, kernel):
        for _ in range(depth):
            x = tf.nn.conv2d(x, kernel, 1, "SAME")
        return tf.reduce_max(x)

    count = 2 * kernel.shape.num_elements() * batch_size * size**2 * depth
    return convolve, (x, kernel), count / 1e9


def _median_seconds(function: Callable[[], Any], repeats: int) -> float:
    times = []
    for _ in range(_WARM_UP + repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times[_WARM_UP:])


def _measure_pipeline(options: Options) -> dict[int, float]:
    """{number of paths: images per second} for the same files, repeated up to that number of paths."""
    from munit_tf.data import pipeline, registry

    sources = registry.open_dataset(options.data).train
    rates = {}
    for count in _PIPELINE_PATHS:
        batches = pipeline.training_batches(
            {domain: _Repeated(source, count) for domain, source in sources.items()},
            resize=options.data.resize,
            image_size=options.data.image_size,
            batch_size=1,
            seed=0,
            start=0,
            stop=_PIPELINE_IMAGES,
        )
        with pipeline.input_errors():
            batches = iter(batches)
            next(batches)
            start = time.perf_counter()
            done = sum(1 for _ in batches)
        rates[count] = 2 * done / (time.perf_counter() - start)
    return rates


class _Repeated:
    """A source repeated up to a given length."""

    def __init__(self, source: Source, length: int):
        self._source, self._length = source, length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Image.Image:
        return self._source[index % len(self._source)]

    def name(self, index: int) -> str:
        """The name of the image in messages."""
        return self._source.name(index % len(self._source))


_COLUMNS = (
    ("   size", "{size}"),
    ("batch", "{batch_size}"),
    ("precision", "{precision}"),
    ("replicas", "{replicas}"),
    ("step, s", "{step_seconds:.3f}"),
    ("images/s", "{images_per_second:.2f}"),
    ("GFLOP/s", "{step_rate:.0f}"),
    ("of peak", "{step_of_peak:.2f}"),
    ("translation, s", "{translate_seconds:.4f}"),
    ("GFLOP/s", "{translate_rate:.0f}"),
    ("of peak", "{translate_of_peak:.2f}"),
    ("as called, s", "{translate_called_seconds:.4f}"),
    ("peak, GFLOP/s", "{peak_gflops:.0f}"),
    ("memory, MiB", "{peak_memory_mib}"),
)


def _table(rows):
    """Lines of text; the first has the column names."""
    lines = ["  ".join(title for title, _ in _COLUMNS)]
    for row in rows:
        rates = {f"{job}_rate": row[f"{job}_gflop"] / row[f"{job}_seconds"] for job in ("step", "translate")}
        cells = (f"{form.format(**row, **rates):>{len(title)}}" for title, form in _COLUMNS)
        lines.append("  ".join(cells))
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
