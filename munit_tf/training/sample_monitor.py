"""Sample grids and measures during training: a few fixed images with fixed styles."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import tensorflow as tf
from PIL import Image

from munit_tf.data import pictures
from munit_tf.models.translator import DIRECTIONS, Translator

_NUM_ROWS = 6
_NUM_STYLES = 8
_NUM_REFERENCES = 6
_NUM_DIVERSITY_IMAGES = 4


class SampleMonitor:
    """Sample grids and diversity measures of a model in training, with averaged weights if it has them.

    Args:
        model: the model.
        images: {"a": [N,H,W,3], "b": ...} in [-1, 1]; the grids show the first few.
        seed: of the random styles.
        batch_size: images to process at once; that of training over all replicas.
    """

    def __init__(self, model: Translator, images: dict[str, np.ndarray], seed: int, batch_size: int) -> None:
        self._model = model
        self._images = images
        self._seed = seed
        self._batch_size = batch_size
        if model.style_dim:
            self._styles = model.prior_style(_NUM_STYLES, seed).numpy()
        self._measures = tf.function(model.measures, autograph=False, reduce_retracing=True)

    def measure(self) -> dict[str, float]:
        """Measures the diversity of the outputs, and the distance of encoded styles from the prior.

        Returns:
            {name/domain: value}. The mean over the images of each of the method's `measures`, and for a
            method with a style:
            "diversity/b": mean absolute difference of the outputs for the same inputs of a with two styles,
            for images in [-1, 1];
            "style_mean/a", "style_std/a": the absolute mean and the standard deviation of the encoded styles
            of the images of a, each averaged over dimensions; near 0 and 1 for N(0, I). Only for a method
            with a style encoder.
        """
        with self._model.averaged():
            return self._measure()

    def _measure(self) -> dict[str, float]:
        measures: dict[str, float] = {}
        for domain in [DIRECTIONS[name].target for name in self._model.directions]:
            for name, values in self._measure_domain(domain).items():
                measures[f"{name}/{domain}"] = float(np.mean(values))
        if not self._model.style_dim:
            return measures
        for direction in self._model.directions:
            source, target = DIRECTIONS[direction]
            inputs = self._images[source][:_NUM_DIVERSITY_IMAGES]
            first, second = (self._with_style(inputs, direction, style) for style in self._styles[:2])
            measures[f"diversity/{target}"] = float(np.mean(np.abs(first - second)))
            if not self._model.has_style_encoder:
                continue
            codes = self._encode(self._images[target], target)
            measures[f"style_mean/{target}"] = float(np.mean(np.abs(codes.mean(axis=0))))
            measures[f"style_std/{target}"] = float(np.mean(codes.std(axis=0)))
        return measures

    def _measure_domain(self, domain: str) -> dict[str, np.ndarray]:
        """{name: [N]} of the method's `measures` of the images of a domain."""
        return self._batched(lambda x: self._measures(x, domain), self._images[domain])

    def grids(self) -> dict[str, Image.Image]:
        """{"a2b": inputs, reconstructions and random styles; "guided_a2b": styles of references; ...}."""
        grids = {}
        with self._model.averaged():
            for direction in self._model.directions:
                grids[direction] = self._random_grid(direction)
                if self._model.has_style_encoder:
                    grids[f"guided_{direction}"] = self._guided_grid(direction)
        return grids

    def _random_grid(self, direction: str) -> Image.Image:
        source, _ = DIRECTIONS[direction]
        inputs = self._images[source][:_NUM_ROWS]
        columns = {"input": inputs}
        if self._model.has_content_code:
            columns["reconstruction"] = self._batched(lambda x: self._reconstruct(x, source), inputs)
        if self._model.style_dim:
            for i, style in enumerate(self._styles):
                columns[f"style {i + 1}"] = self._with_style(inputs, direction, style)
        else:
            columns["translation"] = self._batched(lambda x: self._model.translate(x, direction), inputs)
        return pictures.grid([list(row) for row in zip(*columns.values())], list(columns))

    def _guided_grid(self, direction: str) -> Image.Image:
        source, target = DIRECTIONS[direction]
        inputs = self._images[source][:_NUM_ROWS]
        references = self._images[target][:_NUM_REFERENCES]
        codes = self._encode(references, target)
        columns = [self._with_style(inputs, direction, code) for code in codes]
        rows = [
            [None, *references],
            *([image, *outputs] for image, *outputs in zip(inputs, *columns)),
        ]
        return pictures.grid(rows, ["input", *(f"reference {i + 1}" for i in range(len(references)))])

    def _with_style(self, inputs: np.ndarray, direction: str, style: np.ndarray) -> np.ndarray:
        """Translates all `inputs` with one style code [style_dim]."""

        def translate(images):
            styles = np.repeat(style[np.newaxis], len(images), axis=0)
            return self._model.translate(images, direction, style=styles)

        return self._batched(translate, inputs)

    def _encode(self, images: np.ndarray, domain: str) -> np.ndarray:
        return self._batched(lambda x: self._model.encode_style(x, domain), images)

    def _reconstruct(self, images: tf.Tensor, domain: str) -> tf.Tensor:
        return self._model.decode(*self._model.encode(images, domain), domain)

    def _batched(self, function: Callable[[np.ndarray], Any], images: np.ndarray) -> Any:
        """function(images), computed for `batch_size` images at a time; tensors become numpy arrays."""
        starts = range(0, len(images), self._batch_size)
        results = [function(images[i : i + self._batch_size]) for i in starts]
        return tf.nest.map_structure(lambda *parts: np.concatenate([x.numpy() for x in parts]), *results)
