"""Evaluation of run folders, written to `evaluation.json`."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
import os
import pathlib
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import keras
import numpy as np
import tensorflow as tf

import munit_tf
from munit_tf.config.options import DataConfig
from munit_tf.config.schema import to_text
from munit_tf.data import registry
from munit_tf.data.sources import Source
from munit_tf.errors import InputError
from munit_tf.evaluation import report, report_page
from munit_tf.evaluation.direction_evaluator import DirectionEvaluator
from munit_tf.evaluation.feature_networks import FeatureNetworks
from munit_tf.evaluation.options import ALL_INPUTS, METRICS, PROTOCOL_SIZE, EvaluateConfig
from munit_tf.evaluation.report import DirectionReport
from munit_tf.evaluation.report_page import Picture
from munit_tf.evaluation.translator_under_test import TranslatorUnderTest
from munit_tf.metrics.lpips import PROTOCOLS
from munit_tf.runs import loading, log
from munit_tf.runs.run_folder import PRETRAINED_FOLDER, RunFolder
from munit_tf.storage import json_files
from munit_tf.storage.atomic import atomic_write
from munit_tf.storage.paths import RemotePath, absolute, to_path
from munit_tf.terminal import say

FILE = "evaluation.json"
REPORT = "report"  # A folder.
_DIGITS = 6
Subject = tuple[TranslatorUnderTest, Source]
# Options that do not change results.
_WITHOUT_EFFECT = ("run", "compare", "weights_dir", "cache_dir", "cache", "report")


def evaluate(config: EvaluateConfig) -> dict[str, dict[str, Any]]:
    """Evaluates a run, and those of the runs to compare it with that have no current results.

    Writes `evaluation.json` atomically into the folder of each run of which it computes a metric, and with
    `report` a folder `report` into that of the first.

    Args:
        config: evaluation options.

    Returns:
        {name of the run: contents of its `evaluation.json`}.

    Raises:
        InputError: a run cannot be evaluated; its file is not written.
    """
    if config.report and importlib.util.find_spec("matplotlib") is None:
        raise InputError("--report needs matplotlib: pip install matplotlib")
    networks = FeatureNetworks(config)
    paths = [str(config.run), *(config.compare or ())]
    for path in paths:
        folder = RunFolder.to_read(path).path
        if isinstance(folder, pathlib.Path) and folder.resolve().parent == PRETRAINED_FOLDER.resolve():
            raise InputError(
                f"{path} is part of the package, and results are written into the run folder: copy it first: "
                f"cp -r {shlex.quote(str(folder))} runs/{folder.name}"
            )
        loading.find_checkpoint(path, config.weights)  # Raises InputError before any run is evaluated.
        if (to_path(path) / FILE).is_dir():
            raise InputError(
                f"{to_path(path) / FILE} is a folder: remove it, since results are written there"
            )
    results: dict[str, dict[str, Any]] = {}
    subjects: list[Subject] = []
    for path in paths:
        name = to_path(path).name if to_path(path).name not in results else path
        one = dataclasses.replace(config, run=path, compare=None)
        # Again: the run may still be training.
        _, checkpoint = loading.find_checkpoint(path, config.weights)
        existing = None if path == config.run else _existing(one, checkpoint, networks)
        if existing:
            results[name] = existing
        else:
            results[name], its_subjects = _evaluate_one(one, networks)
            subjects = subjects or its_subjects
    if config.report:
        # After all results are written: it takes time, and loads networks that they may not need.
        _write_report(config, results, subjects, networks)
    return results


def _evaluate_one(config: EvaluateConfig, networks: FeatureNetworks) -> tuple[dict[str, Any], list[Subject]]:
    """(The contents of `evaluation.json`, each direction with the training images of its target)."""
    options, checkpoint, model = loading.load_run(
        str(config.run), weights=config.weights, averaged=config.averaged
    )
    head = _head(config, checkpoint)
    if config.protocol and options.data.image_size != PROTOCOL_SIZE:
        say(
            f"--protocol={config.protocol} has images of {to_text(PROTOCOL_SIZE)} pixels, and {config.run} "
            f"has {to_text(options.data.image_size)}: compare it with no published figure",
            file=sys.stderr,
        )
    # Every image counts once, so no image may replace an unreadable one.
    data_options = dataclasses.replace(_data_options(config, options.data), unreadable="error")
    dataset = registry.open_dataset(data_options)
    if not dataset.test:
        raise InputError(
            f"{config.run}: its data set has no test images: give one that does, with "
            "--dataset=FOLDER_WITH_testA_testB"
        )
    if config.direction != "both" and config.direction not in model.directions:
        raise InputError(f"--direction={config.direction}: this run translates {', '.join(model.directions)}")
    names = model.directions if config.direction == "both" else (config.direction,)
    subjects = [TranslatorUnderTest(model, dataset, data_options, name) for name in names]
    wanted, not_computed = _wanted(config.metrics, subjects)
    directions: dict[str, dict[str, Any]] = {}
    failed: dict[str, dict[str, str]] = {}
    for subject in subjects:
        reference = getattr(dataset, config.fid_reference)[subject.target]
        direction = DirectionEvaluator(subject, reference, networks, config)
        metrics = direction.measure([metric for metric in wanted if not subject.unavailable_reason(metric)])
        directions[subject.direction] = {"inputs": direction.num_inputs, "metrics": metrics}
        for metric, reason in direction.not_computed.items():
            failed.setdefault(metric, {})[subject.direction] = reason
    not_computed.update({metric: _in_words(reasons, len(subjects)) for metric, reasons in failed.items()})
    result = {
        **head,
        "weights": dict(networks.provenance),
        "images": {
            "dataset": data_options.dataset,
            "resize": data_options.resize,
            "image_size": list(data_options.image_size),
        },
        "directions": directions,
        "not_computed": not_computed,
    }
    result = _for_json(result)
    if has_metrics(result):
        _write(to_path(str(config.run)) / FILE, result)
    return result, [(subject, dataset.train[subject.target]) for subject in subjects]


def _write_report(
    config: EvaluateConfig,
    results: Mapping[str, Mapping[str, Any]],
    subjects: Sequence[Subject],
    networks: FeatureNetworks,
) -> None:
    folder = RunFolder.to_read(str(config.run))
    name = next(iter(results))
    sections = [report.measures_section(results)]
    for subject, training_images in subjects:
        pictures = DirectionReport(subject, training_images, networks, config.batch_size, config.seed)
        sections += pictures.sections(results[name]["directions"][subject.direction]["inputs"])
    sections += [
        report.curves_section(log.read(folder.log)),
        report.settings_section(results[name]),
    ]
    output = folder.path / REPORT
    title = f"Evaluation of {name}"
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}") from error
    files = {"report.md": report_page.to_markdown(title, sections).encode()}
    for item in (item for section in sections for item in section.items):
        if isinstance(item, Picture):
            files[f"{item.name}.png"] = item.png()
    files["report.html"] = report_page.to_html(title, sections).encode()
    for file_name, content in files.items():
        with atomic_write(output / file_name) as file:
            file.write(content)


def _in_words(reasons: Mapping[str, str], num_directions: int) -> str:
    """{direction: reason} in one line, without the directions if the reason is the same for all."""
    if len(reasons) == num_directions and len(set(reasons.values())) == 1:
        return next(iter(reasons.values()))
    return "; ".join(f"{direction}: {reason}" for direction, reason in reasons.items())


def _wanted(
    asked: Optional[Sequence[str]], subjects: Sequence[TranslatorUnderTest]
) -> tuple[list[str], dict[str, str]]:
    """(metrics to compute, {metric: reason} for those requested that no direction supports).

    The default is all metrics that the method and the data support.
    """
    reasons = {
        metric: [subject.unavailable_reason(metric) for subject in subjects]
        for metric in (dict.fromkeys(asked) if asked else METRICS)
    }
    wanted = [metric for metric, each in reasons.items() if not all(each)]
    unsupported = [metric for metric in reasons if asked and metric not in wanted]
    return wanted, {metric: reasons[metric][0] or "" for metric in unsupported}


def _data_options(config: EvaluateConfig, options: DataConfig) -> DataConfig:
    if not config.dataset:
        return options
    dataset = absolute(config.dataset)
    files: dict[str, Any] = dict(train_a=None, train_b=None, test_a=None, test_b=None, paired=False)
    files["edges"] = registry.makes_edges(options) and registry.is_for_edges(dataset)
    return dataclasses.replace(
        options, dataset=dataset if os.path.isdir(dataset) else config.dataset, **files
    )


def _head(config: EvaluateConfig, checkpoint: Any) -> dict[str, Any]:
    """The settings, checkpoint and versions that the results depend on."""
    settings = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if field.name not in _WITHOUT_EFFECT
    }
    if config.num_inputs == ALL_INPUTS:
        settings["num_inputs"] = "all"
    return _for_json(
        {
            "settings": settings,
            "lpips_protocol_source": PROTOCOLS[config.lpips_protocol].source,
            "checkpoint": {"name": checkpoint.path.name, "sha256": checkpoint.sums},
            "versions": {
                "munit_tf": munit_tf.__version__,
                "python": platform.python_version(),
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
                "numpy": np.__version__,
            },
        }
    )


def has_metrics(result: Mapping[str, Any]) -> bool:
    """Whether a metric was computed; `result` has the form of `evaluation.json`."""
    return any(direction["metrics"] for direction in result["directions"].values())


def are_metrics(value: Any) -> bool:
    """Whether a JSON value has the form of the metrics of a direction in `evaluation.json`."""
    return isinstance(value, dict) and all(
        isinstance(metric, dict) and all(map(_is_figure, metric.values())) for metric in value.values()
    )


def _is_figure(value):
    return json_files.is_number(value) or value in ("inf", "-inf", "nan")


def _is_result(value):
    if not isinstance(value, dict):
        return False
    parts = [value.get(key) for key in ("weights", "not_computed", "directions")]
    return all(isinstance(part, dict) for part in parts) and all(
        isinstance(direction, dict) and are_metrics(direction.get("metrics"))
        for direction in value["directions"].values()
    )


def _existing(config: EvaluateConfig, checkpoint: Any, networks: FeatureNetworks) -> Optional[dict[str, Any]]:
    """The run's `evaluation.json` if its checkpoint, settings and weights are the same, else None.

    Prints a warning on standard error if the file is damaged.
    """
    path = to_path(str(config.run)) / FILE
    if not path.exists():
        return None
    try:
        result = json_files.read(path, _is_result, "the run is evaluated again")
    except InputError as error:
        say(f"warning: {error}", file=sys.stderr)
        return None
    head = _head(config, checkpoint)
    same = all(result.get(key) == value for key, value in head.items())
    provenance = _for_json(networks.provenance)
    same_weights = all(provenance.get(use) == value for use, value in result["weights"].items())
    return result if same and same_weights and not result["not_computed"] else None


def _for_json(value: Any) -> Any:
    """Values for JSON: numbers with six significant digits, infinity and NaN as strings."""
    if isinstance(value, dict):
        return {key: _for_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_for_json(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else str(value)
    return value


def _write(path: pathlib.Path | RemotePath, result: dict[str, Any]) -> None:
    with atomic_write(path) as file:
        file.write((json.dumps(result, indent=2, allow_nan=False) + "\n").encode())
