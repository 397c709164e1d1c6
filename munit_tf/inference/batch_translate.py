"""Translation of image files with a trained run, into a folder of results."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from munit_tf.config.options import DataConfig
from munit_tf.data import registry
from munit_tf.errors import InputError
from munit_tf.inference import result_grid, styles
from munit_tf.inference.input_images import Inputs
from munit_tf.inference.output_folder import OutputFolder
from munit_tf.inference.padded_inference import PaddedInference
from munit_tf.models.translator import Translator
from munit_tf.runs import loading, run_folder
from munit_tf.terminal import say

# Drawings have a brighter mean, in 0 to 255, and a smaller mean range of R, G and B.
_DARKEST_DRAWING = 150
_MOST_COLOR = 12


@dataclasses.dataclass(frozen=True)
class Done:
    """The number of images that a job processed.

    Attributes:
        inputs: all inputs.
        translated: those translated by this job.
        skipped: those translated before.
        rows: those in the grid.
    """

    inputs: int
    translated: int
    skipped: int
    rows: int


def translate(options: Any) -> Done:
    """Translates all inputs that have no results yet.

    Args:
        options: the options of `munit_tf.translate`.

    Returns:
        What was done.

    Raises:
        InputError: for everything that the user can fix. Files written before it are complete and kept.
    """
    styles.check(options)
    if options.edges and options.direction != "a2b":
        raise InputError("--edges is for drawings to photos, --direction=a2b: leave one of them out")
    data = run_folder.RunFolder.to_read(options.run).options().data
    resize = data.resize
    inputs = Inputs(options.input, None if options.keep_size else resize, options.edges)
    _check_edges(options, data, inputs)
    stems = inputs.stems()
    model = loading.load(options.run, weights=options.weights, averaged=options.averaged)
    if options.direction not in model.directions:
        raise InputError(
            f"--direction={options.direction}: this method translates {' and '.join(model.directions)} only"
        )
    networks = PaddedInference(model, options.direction)
    chosen = styles.choose(options, model, networks.encode_style, resize)
    output = OutputFolder(options.output, chosen)
    output.begin(_settings(options, model, resize, chosen))

    waiting = [i for i, stem in enumerate(stems) if not output.is_done(stem)]
    job = _Job(inputs, stems, networks, chosen, output, options.batch_size)
    rows = min(len(inputs), result_grid.MOST_ROWS)
    with _progress_bar(len(inputs), len(inputs) - len(waiting)) as bar:
        job.run([i for i in waiting if i < rows], bar)
        output.write_grid(result_grid.make(inputs, stems, output, chosen))
        job.run([i for i in waiting if i >= rows], bar)
    return Done(len(inputs), len(waiting), len(inputs) - len(waiting), rows)


def _check_edges(options: Any, data: DataConfig, inputs: Inputs) -> None:
    """Warns of photos for a model that was trained on edges, and of edges for one that was not."""
    warning = None
    if options.edges and not registry.has_edges(data):
        warning = f"{options.run} may not have been trained on edges, and --edges translates edges"
    if not options.edges and options.direction == "a2b" and registry.has_edges(data):
        channels = np.asarray(inputs.picture(0)).reshape(-1, 3).astype(float)
        if channels.mean() < _DARKEST_DRAWING or np.ptp(channels, axis=1).mean() > _MOST_COLOR:
            name = os.path.basename(inputs.paths[0])
            warning = f"{name} looks like a photo, not like a drawing: --edges translates its edges"
    if warning:
        say(f"warning: {warning}", file=sys.stderr)


class _Job:
    def __init__(
        self,
        inputs: Inputs,
        stems: list[str],
        networks: PaddedInference,
        chosen: styles.Styles,
        output: OutputFolder,
        batch_size: int,
    ):
        self._inputs = inputs
        self._stems = stems
        self._networks = networks
        self._styles = chosen
        self._output = output
        self._batch_size = batch_size
        self._group_size = max(1, batch_size // len(chosen))

    def run(self, waiting: Iterable[int], bar: tqdm) -> None:
        """Translates these inputs, one batch at a time.

        The last bit of a result can depend on the rest of its batch. So the groups do not depend on what
        is done already, and a restarted job writes the same files as an uninterrupted one.
        """
        waiting = set(waiting)
        for first in range(0, len(self._inputs), self._group_size):
            group = range(first, min(first + self._group_size, len(self._inputs)))
            wanted = waiting.intersection(group)
            if wanted:
                self._translate(group, wanted)
                bar.update(len(wanted))

    def _translate(self, group: range, wanted: set[int]) -> None:
        by_shape: dict[tuple[int, ...], dict[int, np.ndarray]] = {}
        for i in group:
            image = self._inputs[i]
            same_shape = by_shape.setdefault(image.shape, {})
            same_shape[i] = image
            count = min(len(same_shape) * len(self._styles), self._batch_size)
            height, width = image.shape[:2]
            self._networks.check_memory(count, height, width, self._inputs.paths[i])
        for images in by_shape.values():
            for i, k, result in self._results(images):
                if i in wanted:
                    self._output.write_picture(self._stems[i], k, result)
        for i in wanted:
            self._output.write_styles(self._stems[i])

    def _results(self, images: dict[int, np.ndarray]) -> Iterator[tuple[int, int, np.ndarray]]:
        """Yields (index of image, index of style, translation) for {index: image}, all of one shape."""
        pairs = [(i, k) for i in images for k in range(len(self._styles))]
        rows = {i: row for row, i in enumerate(images)}
        first, codes = min(images), self._styles.codes
        try:
            encoded = self._networks.encode(np.stack(list(images.values())))
            for start in range(0, len(pairs), self._batch_size):
                batch = pairs[start : start + self._batch_size]
                styles_of_batch = None if codes is None else codes[[k for _, k in batch]]
                results = self._networks.decode(encoded, [rows[i] for i, _ in batch], styles_of_batch)
                if not np.isfinite(results).all():
                    raise InputError(
                        f"{self._inputs.paths[first]}: the model's result is not finite: its training failed"
                    )
                yield from ((i, k, result) for (i, k), result in zip(batch, results))
        except tf.errors.ResourceExhaustedError as error:
            height, width = images[first].shape[:2]
            count = min(len(pairs), self._batch_size)
            raise InputError(
                f"{self._inputs.paths[first]}: there is not enough memory for {count} images of "
                f"{height}x{width} pixels at once: use a smaller --batch_size or image"
            ) from error


def _settings(options: Any, model: Translator, resize: int, chosen: styles.Styles) -> list[str]:
    """Everything that the results depend on, in readable form."""
    weights = styles.digest(weight.numpy() for _, weight in sorted(model.named_weights().items()))
    return [
        f"--run={options.run} at step {int(model.step)} (weights {weights})",
        f"--input={options.input}",
        f"--direction={options.direction}",
        *chosen.origin,
        "--keep_size" if options.keep_size else f"--nokeep_size (shorter side {resize} pixels)",
        *(["--edges"] if options.edges else []),
    ]


def _progress_bar(total: int, done: int) -> tqdm:
    # Rare updates if the output goes to a file, where every update is a line.
    interval = 0.5 if sys.stderr.isatty() else 30
    return tqdm(total=total, initial=done, unit="image", mininterval=interval, dynamic_ncols=True)
