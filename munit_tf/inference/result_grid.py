"""An image of the first results: one row per input, one column per style."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from munit_tf.data import pictures, pipeline
from munit_tf.inference.input_images import Inputs
from munit_tf.inference.output_folder import OutputFolder
from munit_tf.inference.styles import Styles

MOST_ROWS = 10
_MOST_COLUMNS = 16
_LARGEST_CELL = 256


def make(inputs: Inputs, stems: list[str], output: OutputFolder, styles: Styles) -> Image.Image:
    """The grid of the first `MOST_ROWS` inputs, from the files of their results.

    Args:
        inputs: the inputs.
        stems: the names of their results.
        output: the folder with these results.
        styles: the styles; references are shown above their columns, as in figure 8 of the paper.

    Returns:
        RGB image. Images larger than a cell are scaled down.
    """
    references = styles.references
    columns = range(min(len(styles), _MOST_COLUMNS))
    rows: list[list[Image.Image | None]] = [
        [_small(inputs.picture(i)), *(_small(output.picture(stem, k)) for k in columns)]
        for i, stem in enumerate(stems[:MOST_ROWS])
    ]
    if references:
        rows.insert(0, [None, *(_small(references.picture(k)) for k in columns)])
    return arrange(rows, ["input", *(styles.labels[k] for k in columns)])


def arrange(rows: Sequence[Sequence[Image.Image | None]], labels: Sequence[str]) -> Image.Image:
    """A labeled table of images of any size, centered in their cells.

    Args:
        rows: rows of images, or None for an empty cell. Images larger than a cell are scaled down.
        labels: one per column.

    Returns:
        RGB image.
    """
    small = [[cell and _small(cell) for cell in row] for row in rows]
    cells = [cell for row in small for cell in row if cell]
    size = max(cell.width for cell in cells), max(cell.height for cell in cells)
    return pictures.grid(
        [
            [None if cell is None else pipeline.to_array(_centered(cell, size)) for cell in row]
            for row in small
        ],
        labels,
    )


def _small(picture: Image.Image) -> Image.Image:
    factor = min(1, _LARGEST_CELL / max(picture.size))
    if factor == 1:
        return picture.copy()
    size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
    return picture.resize(size, Image.Resampling.BOX)


def _centered(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    cell = Image.new("RGB", size, "white")
    cell.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    return cell
