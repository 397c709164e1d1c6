"""What a validation measures: translations of held-out images against real ones."""

from __future__ import annotations

import os
from typing import Callable, NamedTuple

import numpy as np

from munit_tf.config.options import INCEPTION_FEATURES, RANDOM_FEATURES, DataConfig
from munit_tf.data import pictures, pipeline, registry
from munit_tf.errors import InputError
from munit_tf.metrics import artifacts, classifier, inception
from munit_tf.metrics.content import kept_content, style_gap
from munit_tf.metrics.fid import mmd2
from munit_tf.metrics.random_features import RandomFeatures, standardized_kid
from munit_tf.models.translator import DIRECTIONS, CollapseCheck, Translator
from munit_tf.networks import pretrained
from munit_tf.runs.checkpoints import NotFinite

_MOST_IMAGES = 100
_NUM_DIVERSITY_IMAGES = 32
_INVERTED = -0.2
_MOST_BLOBS = 0.25
_WEIGHTS_DIR = os.path.join("~", ".keras", "models")
PREFIX = "validation/"

INVERTED = CollapseCheck(
    f"{PREFIX}luminance",
    lambda value, lowest, highest: value < _INVERTED,
    "most translations have inverted brightness: {name} is {value:.2f}. Unless that is right for these "
    "domains, use an earlier checkpoint or another --seed.",
)
BLOBS = CollapseCheck(
    f"{PREFIX}blobs",
    lambda value, lowest, highest: value > _MOST_BLOBS,
    "translations have small regions of a brightness or color that real images lack: {name} is "
    "{value:.2f}. Look for blobs in the sample grids; use an earlier checkpoint.",
)


def checks_for(data: DataConfig) -> tuple[CollapseCheck, ...]:
    """The checks for these data; the brightness of drawings says nothing about that of photos."""
    return (BLOBS,) if registry.has_edges(data) else (INVERTED, BLOBS)


class Features(NamedTuple):
    """The features that KID compares.

    Attributes:
        extract: images [N,H,W,3] in [-1, 1] -> features [N,D].
        kid: (features [N,D], features [M,D] of real images) -> KID.
    """

    extract: Callable[[np.ndarray], np.ndarray]
    kid: Callable[[np.ndarray, np.ndarray], float]


def load_features(name: str) -> Features:
    """The Features of `--validate_with`.

    Args:
        name: "random", "inception", or the folder of a classifier.

    Raises:
        InputError: Inception-v3's weights cannot be downloaded, or the folder holds no classifier.
    """
    if name == RANDOM_FEATURES:
        return Features(RandomFeatures(), standardized_kid)
    if name == INCEPTION_FEATURES:
        folder = os.path.expanduser(_WEIGHTS_DIR)
        remedy = f"put {pretrained.INCEPTION_V3_FILE} into {folder}, or use another --validate_with"
        network: inception.KerasInception | classifier.Classifier
        network = inception.load_keras_inception(folder, remedy)
    else:
        network = classifier.load(name)
    return Features(lambda images: network(images)[0], lambda x, y: float(mmd2(*_in_double(x, y))))


def held_out_images(dataset: registry.Dataset, data_options: DataConfig) -> dict[str, np.ndarray]:
    """Test images for validation: {"a": uint8 [N,H,W,3], "b": ...}, at most 100 of each domain.

    Args:
        dataset: the data set.
        data_options: data options, for the size of the images.

    Raises:
        InputError: a domain has fewer than two test images, or an image cannot be read.
    """
    images = {}
    for domain in "ab":
        source = dataset.test.get(domain)
        count = len(source) if source else 0
        if not source or count < 2:
            advice = "give --test_a and --test_b, or add the folders testA and testB to --dataset"
            if data_options.edges:
                advice = "give --test_b, or add the folders trainB and testB to --dataset"
            raise InputError(
                f"--validate_every needs two or more test images of each domain, and {domain} has {count}: "
                f"{advice}"
            )
        chosen = np.random.default_rng(ord(domain)).permutation(count)[:_MOST_IMAGES]
        images[domain] = np.concatenate(
            [
                pictures.to_uint8(
                    pipeline.load_images(
                        source, [index], resize=data_options.resize, image_size=data_options.image_size
                    )
                )
                for index in sorted(int(index) for index in chosen)
            ]
        )
    return images


class Validator:
    """Measures a model on held-out images, with averaged weights if it has them; changes no variable.

    Args:
        model: the model.
        images: {"a": uint8 [N,H,W,3], "b": ...}, N at least 2.
        features: the features for KID.
        seed: of the random styles.
        batch_size: images to process at once; that of training over all replicas.
    """

    def __init__(
        self,
        model: Translator,
        images: dict[str, np.ndarray],
        features: Features,
        seed: int,
        batch_size: int,
    ) -> None:
        self._model = model
        self._images = images
        self._features = features
        self._seed = seed
        self._batch_size = batch_size
        self._real: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def measure(self) -> dict[str, float]:
        """Translates the images with fixed random styles and measures the results.

        Returns:
            {"validation/NAME/TARGET": number} for each direction and
            kid: the unbiased KID of the translations against the real images of the target domain;
            content: the mean of `metrics.content.kept_content` of inputs and translations;
            luminance: the median correlation of the luminance of inputs and translations;
            blobs: `metrics.artifacts.blob_share` of the translations;
            diversity: mean L1 between two translations of an input, for a method with a style;
            style_mean_norm and others: `metrics.content.style_gap` of encoded styles of real images of the
            target domain, for a method with a style encoder.

        Raises:
            NotFinite: translations or styles have values that are not finite.
        """
        row: dict[str, float] = {}
        with self._model.averaged():
            for direction in self._model.directions:
                measures = self._measure(direction)
                row.update(
                    {f"{PREFIX}{name}/{DIRECTIONS[direction].target}": measures[name] for name in measures}
                )
        return row

    def _measure(self, direction: str) -> dict[str, float]:
        source, target = DIRECTIONS[direction]
        count = len(self._images[source])
        first, second = self._styles(count)
        features, contents, luminances, contrasts, differences = [], [], [], [], []
        for start in range(0, count, self._batch_size):
            rows = slice(start, start + self._batch_size)
            inputs = self._load(source, rows)
            outputs = self._translate(inputs, direction, first, rows)
            features.append(self._features.extract(outputs))
            contents.append(kept_content(inputs, outputs))
            luminances.append(artifacts.luminance_correlation(inputs, outputs))
            contrasts.append(artifacts.blob_contrasts(outputs))
            if second is not None and start < _NUM_DIVERSITY_IMAGES:
                others = self._translate(inputs, direction, second, rows)
                differences.append(np.mean(np.abs(outputs - others), axis=(1, 2, 3)))
        real_features, real_contrasts = self._measure_real(target)
        measures = {
            "kid": self._features.kid(np.concatenate(features), real_features),
            "content": float(np.mean(np.concatenate(contents))),
            "luminance": float(np.median(np.concatenate(luminances))),
            "blobs": artifacts.blob_share(np.concatenate(contrasts), real_contrasts),
        }
        if differences:
            measures["diversity"] = float(np.mean(np.concatenate(differences)))
        if self._model.has_style_encoder:
            measures.update(self._style_gap(target))
        return measures

    def _styles(self, count: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Two arrays of styles [count,style_dim], or None for a method without style."""
        if not self._model.style_dim:
            return None, None
        styles = self._model.prior_style(2 * count, self._seed).numpy()
        return styles[:count], styles[count:]

    def _translate(
        self, inputs: np.ndarray, direction: str, styles: np.ndarray | None, rows: slice
    ) -> np.ndarray:
        style = None if styles is None else styles[rows]
        outputs = self._model.translate(inputs, direction, style=style).numpy().astype(np.float32)
        return _finite(outputs, f"translations {direction}")

    def _measure_real(self, domain: str) -> tuple[np.ndarray, np.ndarray]:
        """(features [N,D], contrasts of blobs [N,3]) of the real images of a domain."""
        if domain not in self._real:
            features, contrasts = [], []
            for start in range(0, len(self._images[domain]), self._batch_size):
                images = self._load(domain, slice(start, start + self._batch_size))
                features.append(self._features.extract(images))
                contrasts.append(artifacts.blob_contrasts(images))
            self._real[domain] = np.concatenate(features), np.concatenate(contrasts)
        return self._real[domain]

    def _style_gap(self, domain: str) -> dict[str, float]:
        codes = [
            self._model.encode_style(self._load(domain, slice(i, i + self._batch_size)), domain).numpy()
            for i in range(0, len(self._images[domain]), self._batch_size)
        ]
        gap = style_gap(_finite(np.concatenate(codes), f"encoded styles of {domain}"))
        return {f"style_{name}": value for name, value in gap.items()}

    def _load(self, domain: str, rows: slice) -> np.ndarray:
        """Images [N,H,W,3] in [-1, 1]."""
        return self._images[domain][rows].astype(np.float32) / np.float32(127.5) - np.float32(1)


def _finite(values: np.ndarray, what: str) -> np.ndarray:
    if not np.isfinite(values).all():
        raise NotFinite(f"validation: {what} have values that are not finite")
    return values


def _in_double(*arrays: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(array, np.float64) for array in arrays]
