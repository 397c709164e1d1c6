"""What is looked at while a model trains: a few fixed images under fixed styles."""

import numpy as np
import tensorflow as tf

from munit_tf.data import pictures
from munit_tf.models.translator import DIRECTIONS

_NUM_ROWS = 6
_NUM_STYLES = 8
_NUM_REFERENCES = 6
_NUM_DIVERSITY_IMAGES = 4


class SampleMonitor:
    """Sample grids and the live measures of diversity of a model.

    Args:
        model: a Translator.
        images: {"a": [N,H,W,3], "b": ...} in [-1, 1]; the first few make the grids.
        seed: of the styles.
        batch_size: how many images to run at once: no more than training does, for the memory.
    """

    def __init__(self, model, images, seed, batch_size):
        self._model = model
        self._images = images
        self._seed = seed
        self._batch_size = batch_size
        self._translate = tf.function(model.translate, reduce_retracing=True)
        if model.style_dim:
            self._styles = model.prior_style(_NUM_STYLES, seed).numpy()
        self._has_encoder = model.has_style_encoder
        if self._has_encoder:
            self._encode_style = tf.function(model.encode_style, reduce_retracing=True)
        self._measures = tf.function(model.measures, reduce_retracing=True)

    def measure(self):
        """How diverse the outputs are, and how far encoded styles are from the prior.

        Returns:
            {"diversity/b": mean L1 between outputs of the same inputs of a under two styles, in units
            of [-1, 1]; "style_mean/a", "style_std/a": over the images of a, the mean over dimensions of
            the absolute mean and of the standard deviation of encoded styles, for N(0, I) near 0 and 1;
            and so on}, the three for a method with a style only; and the means of the method's own
            `measures`, by domain.
        """
        measures = {}
        for domain in [DIRECTIONS[name].target for name in self._model.directions]:
            own = self._batched(lambda x, domain=domain: self._measures(x, domain), self._images[domain])
            measures.update({f"{name}/{domain}": float(np.mean(values)) for name, values in own.items()})
        if not self._model.style_dim:
            return measures
        for direction in self._model.directions:
            source, target = DIRECTIONS[direction]
            inputs = self._images[source][:_NUM_DIVERSITY_IMAGES]
            first, second = (self._with_style(inputs, direction, style) for style in self._styles[:2])
            measures[f"diversity/{target}"] = float(np.mean(np.abs(first - second)))
            if not self._has_encoder:
                continue
            codes = self._encode(self._images[target], target)
            measures[f"style_mean/{target}"] = float(np.mean(np.abs(codes.mean(axis=0))))
            measures[f"style_std/{target}"] = float(np.mean(codes.std(axis=0)))
        return measures

    def grids(self):
        """{"a2b": inputs, reconstructions and random styles, "guided_a2b": ..., and so on}, PIL images."""
        grids = {}
        for direction in self._model.directions:
            grids[direction] = self._random_grid(direction)
            if self._has_encoder:
                grids[f"guided_{direction}"] = self._guided_grid(direction)
        return grids

    def _random_grid(self, direction):
        source, _ = DIRECTIONS[direction]
        inputs = self._images[source][:_NUM_ROWS]
        columns = {"input": inputs}
        if self._model.has_content_code:
            columns["reconstruction"] = self._batched(lambda x: self._reconstruct(x, source), inputs)
        if self._model.style_dim:
            for i, style in enumerate(self._styles):
                columns[f"style {i + 1}"] = self._with_style(inputs, direction, style)
        else:
            columns["translation"] = self._batched(lambda x: self._translate(x, direction), inputs)
        return pictures.grid([list(row) for row in zip(*columns.values())], list(columns))

    def _guided_grid(self, direction):
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

    def _with_style(self, inputs, direction, style):
        """`inputs` translated, all with the one style code [style_dim]."""

        def translate(images):
            return self._translate(images, direction, style=np.repeat(style[np.newaxis], len(images), axis=0))

        return self._batched(translate, inputs)

    def _encode(self, images, domain):
        return self._batched(lambda x: self._encode_style(x, domain), images)

    def _reconstruct(self, images, domain):
        return self._model.decode(*self._model.encode(images, domain), domain)

    def _batched(self, function, images):
        """function(images) with numpy arrays for its tensors, `batch_size` images at a time."""
        starts = range(0, len(images), self._batch_size)
        results = [function(images[i : i + self._batch_size]) for i in starts]
        return tf.nest.map_structure(lambda *parts: np.concatenate([x.numpy() for x in parts]), *results)
