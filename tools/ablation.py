"""Trains one model with each addition to MUNIT's paper, all for the same time, and compares their curves."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

# Shows only fatal messages of TensorFlow; must be set before it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from munit_tf.cli import command_line
from munit_tf.cli.command_line import parse_some, wants_help
from munit_tf.cli.help import command_help
from munit_tf.config.schema import Config, option
from munit_tf.errors import InputError
from munit_tf.evaluation.comparison import picture
from munit_tf.storage import json_files
from munit_tf.storage.atomic import atomic_write
from munit_tf.terminal import say
from munit_tf.training.validation import is_validation, overall_kid

USAGE = """\
Trains a model with each addition to MUNIT's paper, alone and together, and compares KID, diversity and
content over time; writes ablation.json, ablation.md, ablation.png and pictures.png.

  python tools/ablation.py --output=runs/ablation --dataset=FOLDER --resize=72 --image_size=64
  python tools/ablation.py --output=runs/ablation --dataset=... --arms=paper,recipe --seeds=0,1,2

All other flags are those of munit_tf.train and hold for every arm. First the time of a step of each arm is
measured, so that each takes as many steps as fit in --seconds, whatever else the machine does later. Runs are
kept: the same command continues where it stopped, and more arms and seeds can be added."""

# {arm: (its name in the table, its flags)}.
ARMS = {
    "paper": ("the paper's settings", []),
    "ema": ("averaged weights", ["--ema_half_life=2000"]),
    "dis_rate": ("4 times the learning rate for discriminators", ["--dis_learning_rate=4e-4"]),
    "rates": ("4 times the learning rate", ["--learning_rate=4e-4"]),
    "batch": ("batch of 4", ["--batch_size=4"]),
    "r1": ("R1", ["--r1_weight=1"]),
    "augment": ("DiffAugment", ["--augment=color,translation,cutout"]),
    "spectral": ("hinge loss and spectral norm", ["--gan_loss=hinge", "--dis_norm=spectral"]),
    "orthogonal": ("orthogonal initial weights", ["--init=orthogonal"]),
    "detach": ("detached content target", ["--detach_content_target"]),
    "recipe": ("--recipe=fast", ["--recipe=fast"]),
    "recipe_1": ("--recipe=fast, batch of 1", ["--recipe=fast", "--batch_size=1"]),
    "recipe_2": ("--recipe=fast, batch of 2", ["--recipe=fast", "--batch_size=2"]),
}
_PANELS = {"kid": "KID (lower is better)", "diversity": "diversity", "content": "content kept"}
_TIMING_STEPS = 30  # The first half of them is not counted.
_TIMING_ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class AblationConfig(Config):
    """Ablation."""

    output: str = option(None, "folder for the runs and the results", path=True, required=True)
    seconds: int = option(1800, "training time of each run", minimum=1, maximum=10_000_000)
    validations: int = option(12, "validations of each run", minimum=1, maximum=1000)
    arms: tuple[str, ...] = option(tuple(ARMS), "comma-separated arms", choices=tuple(ARMS))
    seeds: tuple[str, ...] = option(("0",), "comma-separated training seeds")


def main(argv: Sequence[str]) -> int:
    """Runs the tool; returns its exit status."""
    if wants_help(argv):
        print(command_help(USAGE, AblationConfig))
        return 0
    with command_line.errors_reported("ablation", AblationConfig) as outcome:
        config, flags = parse_some(argv, AblationConfig)
        Ablation(config, flags).run()
    return outcome.status


class Ablation:
    """The folder of an ablation.

    Args:
        config: its options.
        flags: flags of munit_tf.train for all arms.

    Raises:
        InputError: the folder holds an ablation with other flags or another time.
    """

    def __init__(self, config: AblationConfig, flags: Sequence[str]) -> None:
        self._config = config
        self._flags = list(flags)
        self._folder = pathlib.Path(config.output)
        self._file = self._folder / "ablation.json"
        self._settings = dict(flags=self._flags, seconds=config.seconds, validations=config.validations)
        self._seconds_per_step: dict[str, float] = {}
        if self._file.exists():
            content = json_files.read(self._file, _is_ablation, "remove it: finished runs are kept")
            if content["settings"] != self._settings:
                theirs = json.dumps(content["settings"])
                raise InputError(
                    f"{self._folder} holds an ablation with the settings {theirs}: choose another --output"
                )
            self._seconds_per_step = content["seconds_per_step"]

    def run(self) -> None:
        """Trains the remaining runs and writes the results after each.

        Raises:
            InputError: a training fails; earlier results are kept.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._time_steps([arm for arm in self._config.arms if arm not in self._seconds_per_step])
        for seed in self._config.seeds:
            for arm in self._config.arms:
                steps = max(
                    self._config.validations, round(self._config.seconds / self._seconds_per_step[arm])
                )
                every = steps // self._config.validations
                own = [
                    f"--steps={steps}",
                    f"--validate_every={every}",
                    f"--sample_every={steps}",
                    f"--seed={seed}",
                ]
                self._train(arm, f"{arm}-{seed}", [*own, f"--checkpoint_every={every}"])
                self._write()

    def _time_steps(self, arms: Sequence[str]) -> None:
        """Measures the time of a step of each arm with the training command, in interleaved rounds."""
        seconds: dict[str, list[float]] = {arm: [] for arm in arms}
        for i in range(_TIMING_ROUNDS):
            for arm in arms:
                name = f"timing/{arm}-{i}"
                logged = f"--log_every={_TIMING_STEPS // 2}"
                self._train(arm, name, [f"--steps={_TIMING_STEPS}", logged, "--validate_every=0"])
                seconds[arm].append(_seconds_per_step(self._folder / name))
        self._seconds_per_step.update({arm: statistics.median(each) for arm, each in seconds.items()})
        self._save()

    def _train(self, arm: str, name: str, flags: Iterable[str]) -> None:
        run, log = self._folder / name, self._folder / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "munit_tf.train",
            *self._flags,
            *ARMS[arm][1],
            *flags,
            f"--output={run}",
        ]
        with open(log, "ab") as output:
            status = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT).returncode
        if status:
            raise InputError(f"the training of {name} ended with status {status}: see {log}")

    def _save(self) -> None:
        content = dict(settings=self._settings, seconds_per_step=self._seconds_per_step)
        with atomic_write(self._file) as file:
            file.write((json.dumps(content, indent=2) + "\n").encode())

    def _write(self) -> None:
        """Writes the table, the curves and the pictures of all finished runs."""
        runs: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for arm in (each for each in ARMS if each in self._seconds_per_step):
            for folder in sorted(self._folder.glob(f"{arm}-*/")):
                rows = [row for row in _rows(folder) if is_validation(row)]
                curve = [_point(row, self._seconds_per_step[arm]) for row in rows]
                if len(curve) >= self._config.validations:
                    runs.setdefault(arm, {})[folder.name.rpartition("-")[2]] = curve
        if not runs:
            return
        with atomic_write(self._folder / "ablation.md") as file:
            file.write(table(runs, self._seconds_per_step).encode())
        with atomic_write(self._folder / "ablation.png") as file:
            plot(runs).savefig(file, format="png")
        labels = {arm: ARMS[arm][0] for arm in runs}
        folders = {arm: self._folder / f"{arm}-{min(runs[arm], key=int)}" for arm in runs}
        with atomic_write(self._folder / "pictures.png") as file:
            picture(folders, labels).save(file, "PNG")
        say(f"written to: {os.path.relpath(self._folder)}")


def table(runs: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]], times: Mapping[str, float]) -> str:
    """A Markdown table: a row for each arm, means over its seeds.

    Args:
        runs: {arm: {seed: [{"seconds", "kid", "diversity", "content"}, ...]}}; NaN is a measure that the
            method does not have.
        times: {arm: seconds of a step}.
    """
    lines = [
        "| | ms a step | KID at the end | lowest KID | diversity | content | "
        "time to the paper's KID | seeds |",
        f"|{' --- |' * 8}",
    ]
    goal = _mean(curve[-1]["kid"] for curve in runs["paper"].values()) if "paper" in runs else None
    for arm, seeds in runs.items():
        last = [curve[-1] for curve in seeds.values()]
        cells = [
            ARMS[arm][0],
            f"{1000 * times[arm]:.0f}",
            _spread([point["kid"] for point in last]),
            _spread([min(point["kid"] for point in curve) for curve in seeds.values()]),
            *(_spread([point[name] for point in last]) for name in ("diversity", "content")),
            _share(list(seeds.values()), goal),
            str(len(seeds)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def plot(runs: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]) -> Any:
    """A matplotlib figure of the curves over minutes; see `table`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3 * len(_PANELS)), dpi=100, layout="constrained")
    for axes, (name, label) in zip(figure.subplots(len(_PANELS), 1, sharex=True), _PANELS.items()):
        for i, (arm, seeds) in enumerate(runs.items()):
            for j, curve in enumerate(seeds.values()):
                minutes = [point["seconds"] / 60 for point in curve]
                style = dict(color=f"C{i % 10}", linestyle="--" if i >= 10 else "-")
                axes.plot(
                    minutes, [point[name] for point in curve], label=None if j else ARMS[arm][0], **style
                )
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    axes.set_xlabel("minutes of training")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    FigureCanvasAgg(figure)
    return figure


def _share(curves: Sequence[Sequence[Mapping[str, float]]], goal: Optional[float]) -> str:
    """How long it takes until KID is at most `goal`, as a share of the whole time; mean over the curves."""
    if goal is None:
        return "–"
    times = []
    for curve in curves:
        reached = [point["seconds"] for point in curve if point["kid"] <= goal]
        if not reached:
            return "not reached"
        times.append(reached[0] / curve[-1]["seconds"])
    return f"{_mean(times):.2f}"


def _point(row: Mapping[str, Any], seconds_per_step: float) -> dict[str, float]:
    """The time of a validation, its KID, and the means over directions of its other measures.

    A measure that the method does not have is NaN: without a style there is no diversity.
    """
    means = {}
    for name in ("diversity", "content"):
        values = [value for key, value in row.items() if key.startswith(f"validation/{name}/")]
        means[name] = _mean(values) if values else math.nan
    return {"seconds": row["step"] * seconds_per_step, "kid": overall_kid(row), **means}


def _rows(run: pathlib.Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def _seconds_per_step(run: pathlib.Path) -> float:
    flags = (run / "run.flags").read_text().splitlines()
    batch_size = next(int(flag.partition("=")[2]) for flag in flags if flag.startswith("--batch_size="))
    speeds = [row["images_per_second"] for row in _rows(run) if row.get("images_per_second")]
    if not speeds:
        raise InputError(f"{run} was interrupted: remove it, and run the command again")
    return batch_size / speeds[-1]


def _mean(values: Iterable[float]) -> float:
    return statistics.fmean(values)


def _spread(values: Sequence[float]) -> str:
    if any(map(math.isnan, values)):
        return "–"
    text = f"{_mean(values):.3f}"
    return text if len(values) < 2 else f"{text} ± {statistics.stdev(values):.3f}"


def _is_ablation(value: Any) -> bool:
    times = value.get("seconds_per_step") if isinstance(value, dict) else None
    return (
        isinstance(times, dict)
        and isinstance(value.get("settings"), dict)
        and all(json_files.is_number(each) and each > 0 for each in times.values())
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
