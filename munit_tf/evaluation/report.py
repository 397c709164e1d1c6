"""The report of an evaluation: tables, curves, and pictures to judge by eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

import numpy as np

from munit_tf.config.schema import to_text
from munit_tf.data import pictures
from munit_tf.data.sources import Source
from munit_tf.evaluation import report_curves
from munit_tf.evaluation.feature_networks import FeatureNetworks, Unavailable
from munit_tf.evaluation.report_page import Picture, Section, Table
from munit_tf.evaluation.table import measures
from munit_tf.evaluation.translator_under_test import TranslatorUnderTest
from munit_tf.metrics.lpips import mean_absolute_difference
from munit_tf.metrics.random_features import RandomFeatures
from munit_tf.metrics.sampling import in_batches

_INPUTS = 6
_STYLES = 6
_REFERENCES = 5
_NEIGHBORS = 4
_EXTREMES = 4
_MOST_TRAINING_IMAGES = 2000


def settings_section(result: Mapping[str, Any]) -> Section:
    """What was evaluated, and how.

    Args:
        result: contents of `evaluation.json`.
    """
    values = {**result["images"], **result["settings"], **result["versions"]}
    rows = [["checkpoint", result["checkpoint"]["name"]]]
    for name, value in values.items():
        if value is not None:
            rows.append([name, to_text(tuple(value) if isinstance(value, list) else value)])
    return Section("Settings", [Table([["", "value"], *rows])])


def measures_section(results: Mapping[str, Mapping[str, Any]]) -> Section:
    """All metrics of all runs.

    Args:
        results: {name of a run: contents of its `evaluation.json`}.
    """
    items: list[Any] = [Table(measures(results))]
    for run, result in results.items():
        items += [f"{run}: no {metric}: {why}" for metric, why in result["not_computed"].items()]
    return Section("Measures", items)


def curves_section(rows: Sequence[Mapping[str, Any]]) -> Section:
    """The run's training.

    Args:
        rows: the rows of `log.jsonl`.
    """
    curves = report_curves.draw(rows)
    if curves is None:
        return Section("Training", ["The run has no log."])
    return Section("Training", [Picture("curves", "losses and measures over the steps of training", curves)])


class DirectionReport:
    """The pictures of one direction.

    Args:
        subject: the model with its test images.
        training_images: those of the target domain.
        networks: the pretrained networks.
        batch_size: images per batch.
        seed: seed of the styles.
    """

    def __init__(
        self,
        subject: TranslatorUnderTest,
        training_images: Source,
        networks: FeatureNetworks,
        batch_size: int,
        seed: int,
    ) -> None:
        self._subject = subject
        self._training_images = training_images
        self._networks = networks
        self._batch_size = batch_size
        self._seed = seed
        self._load_inputs = subject.loader(subject.inputs)

    def sections(self, num_inputs: int) -> list[Section]:
        """All sections; the extremes are among the first `num_inputs` test images."""
        sections = [self._random_styles()]
        if self._subject.encodes_style:
            sections.append(self._guided())
        return [*sections, self._nearest(), self._extremes(num_inputs)]

    def _random_styles(self) -> Section:
        subject = self._subject
        inputs = self._some_inputs()
        count = _STYLES if subject.model.style_dim else 1
        outputs = [self._translate(inputs, k) for k in range(count)]
        rows = [[image, *(output[i] for output in outputs)] for i, image in enumerate(inputs)]
        labels = ["input", *(f"style {k}" for k in range(count))] if count > 1 else ["input", "output"]
        text = "Each column has one style from the prior." if count > 1 else "The method has no style."
        return self._section("random styles", "random", [text], pictures.grid(rows, labels))

    def _guided(self) -> Section:
        subject = self._subject
        inputs = self._some_inputs()
        references = subject.loader(subject.targets)(_spread(_REFERENCES, len(subject.targets)))
        codes = subject.encode_style(references, subject.target)
        outputs = [subject.translate(inputs, np.repeat(code[None], len(inputs), axis=0)) for code in codes]
        rows = [[None, *references]]
        rows += [[image, *(output[i] for output in outputs)] for i, image in enumerate(inputs)]
        labels = ["input", *(f"reference {k}" for k in range(len(references)))]
        text = "Each column has the style of the test image at its top."
        return self._section("styles of references", "guided", [text], pictures.grid(rows, labels))

    def _nearest(self) -> Section:
        network, description = self._features()
        load = self._subject.loader(self._training_images)
        count = min(len(self._training_images), _MOST_TRAINING_IMAGES)
        training, _ = self._networks.cache.predict(network, load, count, self._batch_size)
        outputs = self._translate(self._some_inputs(), 0)
        nearest = [
            np.argsort(np.linalg.norm(training - each, axis=1))[:_NEIGHBORS] for each in network(outputs)[0]
        ]
        rows = [[output, *load(list(each))] for output, each in zip(outputs, nearest)]
        labels = ["output", *(f"neighbor {k + 1}" for k in range(len(nearest[0])))]
        text = (
            f"The nearest of {count:,} training images, {description}. An output that equals its "
            "neighbor is memorized."
        )
        return self._section("nearest training images", "nearest", [text], pictures.grid(rows, labels))

    def _extremes(self, num_inputs: int) -> Section:
        """The smallest and the largest distances of outputs."""
        subject = self._subject
        try:
            distance: Callable = self._networks.lpips
            name, texts = "LPIPS", []
        except Unavailable as error:
            distance, name = mean_absolute_difference, "L1"
            texts = [f"In L1, since LPIPS is unavailable: {error}"]
        load_others = subject.loader(subject.targets) if subject.is_paired else self._load_inputs
        other = "true image" if subject.is_paired else "input"

        def distances(indices):
            return distance(self._translate(self._load_inputs(indices), 0), load_others(indices))

        values = in_batches(distances, num_inputs, self._batch_size)
        order = np.argsort(values, kind="stable")
        rows, labels = [], []
        for indices in (order[:_EXTREMES], order[::-1][:_EXTREMES]):
            chosen = [int(i) for i in indices]
            inputs = self._load_inputs(chosen)
            outputs = self._translate(inputs, 0)
            truth = load_others(chosen) if subject.is_paired else [None] * len(chosen)
            for i, image, output, true in zip(chosen, inputs, outputs, truth):
                rows.append([image, output, *([true] if subject.is_paired else [])])
                labels.append(f"{name} {values[i]:.3f}")
        columns = ["input", "output", *(["true image"] if subject.is_paired else [])]
        texts.insert(
            0, f"The outputs nearest to their {other}, then those farthest from it, of {num_inputs}."
        )
        return self._section("extreme cases", "extremes", texts, pictures.grid(rows, columns, labels))

    def _some_inputs(self) -> np.ndarray:
        """Test images from the whole set, since neighbors in a folder are often alike."""
        return self._load_inputs(_spread(_INPUTS, len(self._subject.inputs)))

    def _section(self, what: str, name: str, texts: Sequence[str], picture: Any) -> Section:
        direction = self._subject.direction
        description = f"{direction}: {what}"
        return Section(description, [*texts, Picture(f"{name}_{direction}", description, picture)])

    def _translate(self, images: np.ndarray, style: int) -> np.ndarray:
        """Translates images in the style of this number."""
        subject = self._subject
        codes = subject.styles(style + 1, 1, self._seed)
        if codes is None:
            return subject.translate(images)
        code = codes[style]
        return subject.translate(images, np.repeat(code, len(images), axis=0))

    def _features(self) -> tuple[Any, str]:
        try:
            return self._networks.features, "in the features of FID"
        except Unavailable as error:
            description = f"in features of a fixed random network, since others are unavailable ({error})"
            return _RandomNetwork(), description


def _spread(count: int, total: int) -> list[int]:
    """At most `count` of the numbers 0, ..., total - 1, equally far apart."""
    return sorted({round(i) for i in np.linspace(0, total - 1, min(count, total))})


class _RandomNetwork:
    """RandomFeatures as the other networks are: images -> (features, None)."""

    provenance = None
    classes = ()

    def __init__(self) -> None:
        self._features = RandomFeatures()

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, None]:
        return self._features(images), None
