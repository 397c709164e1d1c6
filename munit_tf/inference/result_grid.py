"""One picture of the first results: inputs down, styles across."""

from PIL import Image

from munit_tf.data import pictures, pipeline

MOST_ROWS = 10
_MOST_COLUMNS = 16
_LARGEST_CELL = 256


def make(inputs, stems, output, styles):
    """The grid of the first `MOST_ROWS` inputs, from the files that were written for them.

    Args:
        inputs: Inputs.
        stems: what their results are called.
        output: the OutputFolder that holds these results.
        styles: Styles; references stand above their columns, as in the paper's figure 8.

    Returns:
        A PIL image. Pictures larger than a cell are scaled down.
    """
    columns = range(min(len(styles), _MOST_COLUMNS))
    rows = [
        [_small(inputs.picture(i)), *(_small(output.picture(stem, k)) for k in columns)]
        for i, stem in enumerate(stems[:MOST_ROWS])
    ]
    if styles.references:
        rows.insert(0, [None, *(_small(styles.references.picture(k)) for k in columns)])
    return arrange(rows, ["input", *(styles.labels[k] for k in columns)])


def arrange(rows, labels):
    """A labelled table of pictures of any sizes, each in the middle of its cell.

    Args:
        rows: list of rows; a row is a list of PIL images, or None for an empty place. Those larger than
            a cell are scaled down.
        labels: one str for each column.

    Returns:
        A PIL image.
    """
    rows = [[cell and _small(cell) for cell in row] for row in rows]
    cells = [cell for row in rows for cell in row if cell]
    size = max(cell.width for cell in cells), max(cell.height for cell in cells)
    rows = [[cell and pipeline.to_array(_centred(cell, size)) for cell in row] for row in rows]
    return pictures.grid(rows, labels)


def _small(picture):
    factor = min(1, _LARGEST_CELL / max(picture.size))
    if factor == 1:
        return picture.copy()
    size = [max(1, round(side * factor)) for side in picture.size]
    return picture.resize(size, Image.Resampling.BOX)


def _centred(picture, size):
    cell = Image.new("RGB", size, "white")
    cell.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    return cell
