"""One job of translation: from a run folder and image files to a folder of results."""

import dataclasses
import sys

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from munit_tf.errors import InputError
from munit_tf.inference import result_grid, styles
from munit_tf.inference.input_images import Inputs
from munit_tf.inference.output_folder import OutputFolder
from munit_tf.inference.padded_inference import PaddedInference
from munit_tf.runs import loading, run_folder


@dataclasses.dataclass(frozen=True)
class Done:
    """What a job did: numbers of images.

    Attributes:
        inputs: how many there are.
        translated: how many of them now.
        skipped: how many were there before.
        rows: how many the grid shows.
    """

    inputs: int
    translated: int
    skipped: int
    rows: int


def translate(options):
    """Translates all inputs whose results are not there yet.

    Args:
        options: the command's options.

    Returns:
        Done.

    Raises:
        InputError: for whatever the user can mend. What was written until then is whole and stays.
    """
    styles.check(options)
    folder = run_folder.RunFolder(options.run)
    resize = folder.options().data.resize
    inputs = Inputs(options.input, None if options.keep_size else resize)
    stems = inputs.stems()
    model = loading.load(folder.path)
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


class _Job:
    def __init__(self, inputs, stems, networks, chosen, output, batch_size):
        self._inputs = inputs
        self._stems = stems
        self._networks = networks
        self._styles = chosen
        self._output = output
        self._batch_size = batch_size
        self._group_size = max(1, batch_size // len(chosen))

    def run(self, waiting, bar):
        """Translates these inputs, as many at once as fill a batch.

        Groups are the same whatever is done already: the last bit of a result can depend on what
        else is in its batch, and a restart is to write what an uninterrupted job writes.
        """
        waiting = set(waiting)
        for first in range(0, len(self._inputs), self._group_size):
            group = range(first, min(first + self._group_size, len(self._inputs)))
            wanted = waiting.intersection(group)
            if wanted:
                self._translate(group, wanted)
                bar.update(len(wanted))

    def _translate(self, group, wanted):
        by_shape = {}
        for i in group:
            image = self._inputs[i]
            alike = by_shape.setdefault(image.shape, {})
            alike[i] = image
            at_once = min(len(alike) * len(self._styles), self._batch_size)
            self._networks.check_memory(at_once, *image.shape[:2], self._inputs.paths[i])
        for images in by_shape.values():
            for i, k, result in self._results(images):
                if i in wanted:
                    self._output.write_picture(self._stems[i], k, result)
        for i in wanted:
            self._output.write_styles(self._stems[i])

    def _results(self, images):
        """Yields (index of image, index of style, translation) of {index: image}, all of one shape."""
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
                f"{self._inputs.paths[first]}: there is not enough memory for {count} pictures of "
                f"{height}x{width} pixels at once: take a smaller --batch_size or image"
            ) from error


def _settings(options, model, resize, chosen):
    """All that the results depend on, as texts for people."""
    weights = styles.digest(weight.numpy() for _, weight in sorted(model.named_weights().items()))
    return [
        f"--run={options.run} at step {int(model.step)} (weights {weights})",
        f"--input={options.input}",
        f"--direction={options.direction}",
        *chosen.origin,
        "--keep_size" if options.keep_size else f"--nokeep_size (shorter side {resize} pixels)",
    ]


def _progress_bar(total, done):
    # Redrawn rarely where no one collapse_checks: in a file every redraw is a line.
    interval = 0.5 if sys.stderr.isatty() else 30
    return tqdm(total=total, initial=done, unit="image", mininterval=interval, dynamic_ncols=True)
