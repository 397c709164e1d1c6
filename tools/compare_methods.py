"""Trains all methods on `shapes` with one budget and compares them in a table."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Any, Optional

# Shows only fatal messages of TensorFlow; must be set before it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from munit_tf import train_classifier
from munit_tf.cli.command_line import run_command
from munit_tf.config.options import DataConfig, Options, TrainConfig
from munit_tf.config.schema import MOST_STEPS, Config, option
from munit_tf.distribution import devices
from munit_tf.errors import InputError
from munit_tf.evaluation import evaluate_runs
from munit_tf.evaluation.comparison import picture, table
from munit_tf.evaluation.options import EvaluateConfig
from munit_tf.metrics import classifier
from munit_tf.runs.run_folder import CONFIGS, RunFolder
from munit_tf.storage import json_files
from munit_tf.storage.atomic import atomic_write
from munit_tf.terminal import say

USAGE = """\
Trains methods on the embedded shapes, each with every seed and with one budget, and evaluates them; writes
comparison.json, comparison.md and comparison.png.

  python tools/compare_methods.py --output=runs/comparison
  python tools/compare_methods.py --output=runs/comparison --methods=munit,cyclegan --seeds=0 --steps=400

Results are kept: the same command continues where it stopped, and more seeds and methods can be added."""


@dataclasses.dataclass(frozen=True)
class Entrant:
    """A method, or a variant of one.

    Attributes:
        label: its name in the table.
        method: `--method`.
        options: of the method, if they differ from its defaults and from the common ones.
    """

    label: str
    method: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


ENTRANTS = {
    "munit": Entrant("MUNIT", "munit"),
    "munit_no_recon_x": Entrant("MUNIT without recon_x", "munit", dict(recon_x_weight=0.0)),
    "munit_no_recon_c": Entrant("MUNIT without recon_c", "munit", dict(recon_c_weight=0.0)),
    "munit_no_recon_s": Entrant("MUNIT without recon_s", "munit", dict(recon_s_weight=0.0)),
    "miso": Entrant("MISO", "miso"),
    "miso_sr": Entrant("MISO, recon_x for MILO (SR)", "miso", dict(info_weight=0.0, recon_x_weight=10.0)),
    "drit": Entrant("DRIT", "drit", dict(num_content_dis_layers=2)),
    "unit": Entrant("UNIT", "unit"),
    "cyclegan": Entrant("CycleGAN", "cyclegan"),
    "cyclegan_noise": Entrant("CycleGAN with noise", "cyclegan", dict(noise_dim=2)),
    "bicyclegan": Entrant("BicycleGAN (from pairs)", "bicyclegan"),
}

# Each method gets those of them that it has; its other options are those of its paper.
COMMON: dict[str, Any] = dict(
    gen_dim=16,
    dis_dim=32,
    mlp_dim=64,
    num_res_blocks=2,
    num_scales=1,
    style_dim=2,
    cycle_weight=10.0,
    learning_rate=3e-4,
    learning_rate_constant_steps=0,
    learning_rate_decay_steps=0,
)
# As many residual blocks as the encoder and the decoder of other methods in total.
_RESNET_BLOCKS = 2 * COMMON["num_res_blocks"]


@dataclasses.dataclass(frozen=True)
class CompareConfig(Config):
    """Comparison."""

    output: Optional[str] = option(None, "folder for the runs and the results", path=True, required=True)
    methods: tuple[str, ...] = option(
        tuple(ENTRANTS), "comma-separated methods to train", choices=tuple(ENTRANTS)
    )
    seeds: tuple[str, ...] = option(("0", "1", "2"), "comma-separated training seeds")
    steps: int = option(800, "training steps per run", minimum=1, maximum=MOST_STEPS)
    batch_size: int = option(4, "images of each domain in one step", minimum=1, maximum=65_536, memory=True)
    size: int = option(
        32, "side of the images, in pixels: a power of two", minimum=32, maximum=8192, memory=True
    )
    jobs: int = option(
        1, "runs to train in parallel, which share the CPU cores", minimum=1, maximum=1024, memory=True
    )

    def __post_init__(self) -> None:  # noqa: D105
        super().__post_init__()
        for seed in self.seeds:
            if not seed.isdecimal() or len(seed) > 10 or int(seed) >= 2**32 or seed != str(int(seed)):
                raise InputError(f"--seeds={','.join(self.seeds)}: {seed!r} is not a number below 2^32")
        for name in ("seeds", "methods"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise InputError(f"--{name}={','.join(getattr(self, name))}: one of them is repeated")
        if self.size & (self.size - 1):
            raise InputError(f"--size={self.size}: must be a power of two")

    def budget(self) -> dict[str, int]:
        """The options that must be the same for all results in a table."""
        return dict(steps=self.steps, batch_size=self.batch_size, size=self.size)


def options_of(entrant: Entrant, config: CompareConfig, seed: int) -> Options:
    """The options of one training run, except `output`."""
    config_class = CONFIGS[entrant.method]
    options = dict(COMMON, learning_rate_half_life_steps=max(1, config.steps * 2 // 5))
    if entrant.method == "cyclegan":
        options.update(num_res_blocks=_RESNET_BLOCKS)
    if entrant.method == "bicyclegan":
        options.update(num_downsample=config.size.bit_length() - 1)  # Its U-Net goes down to one pixel.
    options.update(entrant.options)
    known = {field.name for field in dataclasses.fields(config_class)}
    return Options(
        data=DataConfig(
            dataset="shapes",
            paired=entrant.method == "bicyclegan",
            resize=config.size,
            image_size=(config.size, config.size),
        ),
        train=TrainConfig(
            method=entrant.method,
            steps=config.steps,
            batch_size=config.batch_size,
            seed=seed,
            sample_every=config.steps,
            checkpoint_every=min(config.steps, 5000),
        ),
        model=config_class(**{name: value for name, value in options.items() if name in known}),
    )


class Comparison:
    """The folder of a comparison: its results so far, and the remaining runs.

    Args:
        config: options of the comparison.

    Attributes:
        folder: the folder.
        results: {method: {seed, as a str: {"seconds", "cpu_seconds", "metrics"}}}.

    Raises:
        InputError: the folder contains a comparison with another budget, its file is damaged, or TensorFlow
            cannot use the folder for runs.
    """

    def __init__(self, config: CompareConfig):
        self._config = config
        run_folder = RunFolder(str(config.output))  # Checks that TensorFlow accepts the path.
        self.folder = pathlib.Path(str(run_folder.path))
        self._file = self.folder / "comparison.json"
        self._classifier = self.folder / "classifier"
        self.results: dict[str, dict[str, Any]] = {}
        if self._file.exists():
            content = json_files.read(
                self._file, _is_comparison, "remove it: finished runs are then only evaluated again"
            )
            if content["budget"] != config.budget():
                flags = " ".join(f"--{name}={value}" for name, value in content["budget"].items())
                raise InputError(
                    f"{self.folder} contains a comparison with another budget: continue with {flags}, or "
                    "choose another --output"
                )
            self.results = content["results"]

    def run(self) -> None:
        """Trains and evaluates the remaining runs.

        Raises:
            InputError: a training or an evaluation failed; earlier results are kept.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--output={self.folder} cannot be written: {error.strerror}") from error
        if self._classifier.exists():
            classifier.load(self._classifier)  # Raises InputError before training if it is damaged.
        else:
            self._train_classifier()
        wanted = [(name, seed) for seed in self._config.seeds for name in self._config.methods]
        wanted = [(name, seed) for name, seed in wanted if seed not in self.results.get(name, {})]
        with concurrent.futures.ThreadPoolExecutor(self._config.jobs) as pool:
            futures = {pool.submit(self._train, *each): each for each in wanted}
            try:
                for done, future in enumerate(concurrent.futures.as_completed(futures), 1):
                    name, seed = futures[future]
                    spent = future.result()
                    metrics = self._evaluate(self.run_folder(name, seed))
                    self.results.setdefault(name, {})[seed] = dict(spent, metrics=metrics)
                    self._save()
                    minutes = f"{spent['seconds'] / 60:.1f} minutes, {spent['cpu_seconds'] / 60:.1f} of CPU"
                    print(f"{done}/{len(wanted)} {name}, seed {seed}: {minutes}", flush=True)
            finally:
                pool.shutdown(cancel_futures=True)

    def run_folder(self, name: str, seed: str) -> pathlib.Path:
        """The run folder of a method and seed."""
        return self.folder / f"{name}-{seed}"

    def _train_classifier(self):
        # It makes no mistakes after its first epoch.
        train_classifier.train(
            train_classifier.ClassifierConfig(
                dataset="shapes",
                output=str(self._classifier),
                backbone="small",
                image_size=self._config.size,
                epochs=2,
            )
        )

    def _train(self, name: str, seed: str) -> dict[str, float]:
        """Trains in a new process that logs to a file; returns the total time, including interrupted runs."""
        run, log = self.run_folder(name, seed), self.folder / f"{name}-{seed}.log"
        flagfile, times = self.folder / f"{name}-{seed}.flags", self.folder / f"{name}-{seed}.json"
        spent: dict[str, float] = dict(seconds=0, cpu_seconds=0)
        if times.exists():
            spent = json_files.read(times, _are_times, "remove it: earlier training time is then not counted")
        with atomic_write(flagfile) as file:
            file.write(options_of(ENTRANTS[name], self._config, int(seed)).to_flagfile().encode())
        command = [sys.executable, "-m", "munit_tf.train", f"--flagfile={flagfile}", f"--output={run}"]
        threads = max(1, (os.cpu_count() or 1) // self._config.jobs)
        environment = dict(os.environ, TF_NUM_INTRAOP_THREADS=str(threads))
        start = time.monotonic()
        with open(log, "ab") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        spent["seconds"] += time.monotonic() - start
        spent["cpu_seconds"] += usage.ru_utime + usage.ru_stime
        with atomic_write(times) as file:
            file.write(json.dumps(spent).encode())
        if process.returncode:
            raise InputError(f"the training of {run.name} ended with status {process.returncode}: see {log}")
        return spent

    def _evaluate(self, run: pathlib.Path) -> dict[str, Any]:
        """Returns the metrics from outlines to filled shapes."""
        config = EvaluateConfig(
            run=str(run),
            metrics=("shapes", "accuracy", "fid", "l1", "reconstruction"),
            direction="a2b",
            classifier=str(self._classifier),
        )
        evaluation = evaluate_runs.evaluate(config)[run.name]
        metrics = evaluation["directions"]["a2b"]["metrics"]
        for needed in ("shapes", "accuracy", "fid"):  # Some methods do not support the others.
            if needed not in metrics:
                raise InputError(f"{run}: no {needed}: {evaluation['not_computed'][needed]}")
        return metrics

    def _save(self):
        with atomic_write(self._file) as file:
            content = dict(budget=self._config.budget(), common=COMMON, results=self.results)
            file.write((json.dumps(content, indent=2) + "\n").encode())


def _is_comparison(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("budget"), dict):
        return False
    results = value.get("results")
    return isinstance(results, dict) and all(
        isinstance(seeds, dict) and seeds and all(map(_is_seed, seeds.items())) for seeds in results.values()
    )


def _is_seed(item: tuple[str, Any]) -> bool:
    seed, result = item
    return seed.isdecimal() and _are_times(result) and evaluate_runs.are_metrics(result.get("metrics"))


def _are_times(value: Any) -> bool:
    return isinstance(value, dict) and all(
        json_files.is_number(value.get(name)) for name in ("seconds", "cpu_seconds")
    )


def compare(config: CompareConfig) -> None:
    """Runs the comparison and writes its table and image."""
    devices.set_up()
    comparison = Comparison(config)
    comparison.run()
    labels = {name: entrant.label for name, entrant in ENTRANTS.items() if name in comparison.results}
    folders = {name: comparison.run_folder(name, min(comparison.results[name], key=int)) for name in labels}
    text = table(comparison.results, labels)
    with atomic_write(comparison.folder / "comparison.png") as file:
        picture(folders, labels).save(file, "PNG")
    with atomic_write(comparison.folder / "comparison.md") as file:
        file.write(f"{text}\n![rows: methods; columns: styles](comparison.png)\n".encode())
    say("", *text.split("\n"), f"written to: {os.path.relpath(comparison.folder)}")


if __name__ == "__main__":
    sys.exit(run_command("compare_methods", USAGE, CompareConfig, compare, sys.argv[1:]))
