"""Images to look at: 8-bit values and labeled grids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_SMALLEST_CELL = 96
_GAP = 4
_TEXT_HEIGHT = 22


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Float images in [-1, 1] -> uint8 round((x + 1) * 127.5), the same for all images that are written."""
    return np.clip(np.rint((np.asarray(images, np.float32) + 1) * 127.5), 0, 255).astype(np.uint8)


def grid(
    rows: Sequence[Sequence[np.ndarray | None]],
    labels: Sequence[str],
    row_labels: Sequence[str] | None = None,
) -> Image.Image:
    """A table of images with a label above each column.

    Args:
        rows: rows of float images [H,W,3] in [-1, 1], all of one size, or None for an empty cell. Small
            images are enlarged by an integer factor.
        labels: one per column.
        row_labels: one per row, to the left of it, or None.

    Returns:
        RGB image.
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
