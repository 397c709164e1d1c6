"""Pictures for people: 8-bit images and labelled grids."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_SMALLEST_CELL = 96
_GAP = 4
_TEXT_HEIGHT = 22


def to_uint8(images):
    """Float images in [-1, 1] -> uint8 round((x + 1) * 127.5): one rule for every image."""
    return np.clip(np.rint((np.asarray(images, np.float32) + 1) * 127.5), 0, 255).astype(np.uint8)


def grid(rows, labels, row_labels=None):
    """A table of images with a label above each column.

    Args:
        rows: list of rows; a row is a list of float images [H,W,3] in [-1, 1] of one size, or None for
            an empty place. Small images are enlarged by a whole number, so that they can be seen.
        labels: one str for each column.
        row_labels: one for each row, to its left, or None.

    Returns:
        A PIL image.
    """
    height, width = next(cell.shape[:2] for row in rows for cell in row if cell is not None)
    zoom = max(1, -(-_SMALLEST_CELL // min(height, width)))
    step_x, step_y = width * zoom + _GAP, height * zoom + _GAP
    font = ImageFont.load_default(size=14)
    left = max((int(font.getlength(label)) + 3 * _GAP for label in row_labels or ()), default=0)
    picture = Image.new(
        "RGB", (left + len(labels) * step_x + _GAP, _TEXT_HEIGHT + len(rows) * step_y + _GAP), "white"
    )
    draw = ImageDraw.Draw(picture)
    for x, label in enumerate(labels):
        draw.text((left + x * step_x + step_x // 2, _TEXT_HEIGHT // 2), label, "black", font, anchor="mm")
    for y, label in enumerate(row_labels or ()):
        draw.text((_GAP, _TEXT_HEIGHT + y * step_y + step_y // 2), label, "black", font, anchor="lm")
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            if cell is not None:
                image = Image.fromarray(to_uint8(cell)).resize(
                    (width * zoom, height * zoom), Image.Resampling.NEAREST
                )
                place = left + _GAP + x * step_x, _TEXT_HEIGHT + _GAP + y * step_y
                picture.paste(image, place)
                corner = place[0] - 1, place[1] - 1
                draw.rectangle(
                    [corner, (corner[0] + image.width + 1, corner[1] + image.height + 1)],
                    outline="#bbbbbb",
                )
    return picture
