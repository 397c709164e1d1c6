"""Evaluation of whole run folders, and their `evaluation.json`."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
import sys
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import munit_tf
from munit_tf.data import registry
from munit_tf.errors import InputError
from munit_tf.evaluation.direction import DirectionEvaluator
from munit_tf.evaluation.feature_networks import FeatureNetworks
from munit_tf.evaluation.options import METRICS
from munit_tf.evaluation.translator_under_test import TranslatorUnderTest
from munit_tf.metrics.lpips import PROTOCOLS
from munit_tf.runs import loading
from munit_tf.storage import json_files
from munit_tf.storage.atomic import atomic_write
from munit_tf.storage.paths import absolute, to_path

FILE = "evaluation.json"
_DIGITS = 6


def evaluate(config):
    """Evaluates a run, and those to compare it with as far as that is not done yet.

    Writes `evaluation.json` into each run folder that was evaluated, whole or not at all.

    Args:
        config: EvaluateConfig.

    Returns:
        {name of the run: what its `evaluation.json` holds}.

    Raises:
        InputError: a run cannot be evaluated; then nothing of it is written.
    """
    networks = FeatureNetworks(config)
    paths = [config.run, *(config.compare or ())]
    for path in paths:
        loading.newest(path)  # Says what is wrong with it.
        if (to_path(path) / FILE).is_dir():
            raise InputError(f"{to_path(path) / FILE} is a folder: move it away, the results go to this file")
    results = {}
    for path in paths:
        name = to_path(path).name if to_path(path).name not in results else path
        one = dataclasses.replace(config, run=path, compare=None)
        options, checkpoint = loading.newest(path)  # Of now: it may be in training still.
        kept = path != config.run and _kept(one, checkpoint, networks)
        results[name] = kept or _evaluate_one(one, options, checkpoint, networks)
    return results


def _evaluate_one(config, options, checkpoint, networks):
    head = _head(config, checkpoint)
    # A measure counts every image once, so none may stand in for another.
    data_options = dataclasses.replace(_data_options(config, options.data), unreadable="error")
    dataset = registry.open_dataset(data_options)
    if not dataset.test:
        raise InputError(
            f"{config.run}: its data has no test images to evaluate on: name a data set that has, with "
            "--dataset=FOLDER_WITH_testA_testB"
        )
    model = loading.load_checkpoint(options, checkpoint)
    if config.direction != "both" and config.direction not in model.directions:
        raise InputError(f"--direction={config.direction}: this run translates {', '.join(model.directions)}")
    names = model.directions if config.direction == "both" else (config.direction,)
    subjects = [TranslatorUnderTest(model, dataset, data_options, name) for name in names]
    wanted, not_computed = _wanted(config.metrics, subjects)
    directions, failed = {}, {}
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
    _write(to_path(config.run) / FILE, result)
    return result


def _in_words(reasons, num_directions):
    """{direction: why} in one line; without the directions where it is the same for all."""
    if len(reasons) == num_directions and len(set(reasons.values())) == 1:
        return next(iter(reasons.values()))
    return "; ".join(f"{direction}: {reason}" for direction, reason in reasons.items())


def _wanted(asked, subjects):
    """(metrics to compute, {metric: why} of those asked for that no direction has).

    By default all that the method and the data have.
    """
    lacks = {
        metric: [subject.unavailable_reason(metric) for subject in subjects]
        for metric in (dict.fromkeys(asked) if asked else METRICS)
    }
    wanted = [metric for metric, reasons in lacks.items() if not all(reasons)]
    return wanted, {metric: lacks[metric][0] for metric in lacks if asked and metric not in wanted}


def _data_options(config, options):
    if not config.dataset:
        return options
    dataset = absolute(config.dataset)
    own = dict(train_a=None, train_b=None, test_a=None, test_b=None, paired=False)
    return dataclasses.replace(options, dataset=dataset if os.path.isdir(dataset) else config.dataset, **own)


def _head(config, checkpoint):
    """All that tells one evaluation from another, before anything is computed."""
    settings = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if field.name not in ("run", "compare", "weights_dir")
    }
    return _for_json(
        {
            "settings": settings,
            "protocol": PROTOCOLS[config.lpips_protocol].source,
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


def are_metrics(value: Any) -> bool:
    """Whether a JSON value is what `evaluation.json` holds as the metrics of a direction."""
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


def _kept(config, checkpoint, networks):
    """The run's `evaluation.json`, if it is of this checkpoint, these settings and weights; else None.

    A damaged one is a line on standard error.
    """
    path = to_path(config.run) / FILE
    if not path.exists():
        return None
    try:
        result = json_files.read(path, _is_result, "the run is evaluated again")
    except InputError as error:
        print(f"warning: {error}", file=sys.stderr)
        return None
    head = _head(config, checkpoint)
    same = all(result.get(key) == value for key, value in head.items())
    provenance = _for_json(networks.provenance)
    same_weights = all(provenance.get(use) == value for use, value in result["weights"].items())
    return result if same and same_weights and not result["not_computed"] else None


def _for_json(value):
    """Plain values, numbers to six significant digits; JSON has no infinity, so it becomes a word."""
    if isinstance(value, dict):
        return {key: _for_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_for_json(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else str(value)
    return value


def _write(path, result):
    with atomic_write(path) as file:
        file.write((json.dumps(result, indent=2, allow_nan=False) + "\n").encode())
