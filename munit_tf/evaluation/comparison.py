"""A comparison of methods as a table and as an image."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from munit_tf.data import pictures, pipeline, registry
from munit_tf.runs import loading, run_folder

_NUM_STYLES = 8
_SEED = 0
_COLUMNS = (
    ("content IoU ↑", ("shapes", "content_iou"), "{:.2f}", None),
    # The default is for methods with one output per input: no entropy, no difference between outputs.
    ("hue entropy ↑", ("shapes", "hue_entropy"), "{:.2f}", 0.0),
    ("guided hue error ↓", ("shapes", "guided_hue_error"), "{:.3f}", None),
    ("realism ↑", ("accuracy", "translations"), "{:.2f}", None),
    ("FID of small features ↓", ("fid", "value"), "{:.1f}", None),
    ("L1 between outputs", ("l1", "between_outputs"), "{:.3f}", 0.0),
    ("reconstruction L1 ↓", ("reconstruction", "l1"), "{:.3f}", None),
)


def table(results: Mapping[str, Mapping[str, Any]], labels: Mapping[str, str]) -> str:
    """A Markdown table: one row per method, with mean and standard deviation over its seeds.

    Args:
        results: {method: {seed: {"metrics": as in `evaluation.json`, "seconds", "cpu_seconds"}}}.
        labels: {method: its name in the table}, in the order of the rows.
    """
    head = ["method", *(title for title, *_ in _COLUMNS), "minutes", "of CPU", "seeds"]
    lines = [_row(head), _row(["---"] * len(head))]
    for method, label in labels.items():
        seeds = list(results[method].values())
        cells = [
            _spread([seed["metrics"].get(metric, {}).get(key, default) for seed in seeds], form)
            for _, (metric, key), form, default in _COLUMNS
        ]
        times = (f"{np.mean([seed[key] for seed in seeds]) / 60:.1f}" for key in ("seconds", "cpu_seconds"))
        lines.append(_row([label, *cells, *times, str(len(seeds))]))
    return "\n".join(lines) + "\n"


def picture(folders: Mapping[str, str | pathlib.Path], labels: Mapping[str, str]) -> Image.Image:
    """Translations of one input: one row per method, one column per style from the prior.

    A method without style has one translation.

    Args:
        folders: {method: run folder}.
        labels: {method: its name in the image}, in the order of the rows.

    Returns:
        RGB image.
    """
    rows = [_translations(folders[method]) for method in labels]
    columns = ["input", *(f"style {i + 1}" for i in range(_NUM_STYLES))]
    return pictures.grid(rows, columns, list(labels.values()))


def _translations(folder: str | pathlib.Path) -> list[np.ndarray | None]:
    data_options = run_folder.RunFolder(folder).options().data
    model = loading.load(folder)
    image = pipeline.load_images(
        registry.open_dataset(data_options).test["a"],
        [0],
        resize=data_options.resize,
        image_size=data_options.image_size,
    )
    if not model.style_dim:
        return [image[0], model.translate(image, "a2b")[0].numpy(), *[None] * (_NUM_STYLES - 1)]
    images, styles = tf.repeat(image, _NUM_STYLES, 0), model.prior_style(_NUM_STYLES, _SEED)
    return [image[0], *model.translate(images, "a2b", style=styles).numpy()]


def _spread(values: Sequence[Any], form: str) -> str:
    if None in values:
        return "–"
    values = [float(value) for value in values]  # Infinity and NaN are strings in the JSON file.
    text = form.format(np.mean(values))
    return text if len(values) < 2 else f"{text} ± {form.format(np.std(values, ddof=1))}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
