"""The embedded `shapes` data: outlines (a) and filled shapes (b), drawn on the fly from a seed.

A circle, square or triangle with random position, size and angle on white. In domain a it is a dark
outline, in domain b it is filled with a saturated color of uniformly random hue. The two domains show
different shapes from the same distribution; with `paired`, image i of b is the filled version of image i
of a. Since content (position, kind of shape) and style (hue) are known, one can measure whether a
translator keeps the content and varies the style.
"""

from __future__ import annotations

import colorsys
import dataclasses
import math

import numpy as np
from PIL import Image, ImageDraw

NUM_IMAGES = {"train": 2000, "test": 100}
_SUPERSAMPLING = 4
_SEEDS = {("train", "a"): 0, ("train", "b"): 1, ("test", "a"): 2, ("test", "b"): 3}


@dataclasses.dataclass(frozen=True)
class Shape:
    """A shape; lengths are fractions of the image's side, `hue` is in [0, 1), `angle` in radians."""

    kind: str
    x: float
    y: float
    radius: float
    angle: float
    hue: float

    def corners(self) -> list[tuple[float, float]]:
        """The polygon's corners as (x, y) fractions; a circle is a polygon with many corners."""
        count = {"circle": 90, "square": 4, "triangle": 3}[self.kind]
        turns = [self.angle + 2 * math.pi * i / count for i in range(count)]
        return [(self.x + self.radius * math.cos(t), self.y + self.radius * math.sin(t)) for t in turns]


class Shapes:
    """The source of one domain of one split.

    Args:
        domain: "a" or "b".
        split: "train" or "test".
        size: side of the square images, in pixels.
        paired: image i of b is the filled version of image i of a.
    """

    def __init__(self, domain: str, split: str, size: int, paired: bool = False):
        self.domain = domain
        self.split = split
        self.size = size
        self._shape_seed = _SEEDS[split, "a" if paired else domain]
        self._hue_seed = _SEEDS[split, domain]

    def __len__(self) -> int:
        """The number of images."""
        return NUM_IMAGES[self.split]

    def shape(self, index: int) -> Shape:
        """The shape in image `index`."""
        kind, x, y, radius, angle = np.random.default_rng([self._shape_seed, index, 0]).random(5)
        hue = np.random.default_rng([self._hue_seed, index, 1]).random()
        radius = 0.18 + 0.12 * radius
        margin = radius + 0.1
        return Shape(
            kind=("circle", "square", "triangle")[int(3 * kind)],
            x=margin + (1 - 2 * margin) * x,
            y=margin + (1 - 2 * margin) * y,
            radius=radius,
            angle=2 * math.pi * angle,
            hue=hue,
        )

    def __getitem__(self, index: int) -> Image.Image:
        """Image `index`: RGB, `size` x `size`."""
        shape = self.shape(index)
        side = self.size * _SUPERSAMPLING
        image = Image.new("RGB", (side, side), "white")
        draw = ImageDraw.Draw(image)
        corners = [(x * side, y * side) for x, y in shape.corners()]
        if self.domain == "a":
            # Repeating the first edge gives the first corner a round joint, too.
            draw.line(corners + corners[:2], fill=(30, 30, 30), width=round(side / 12), joint="curve")
        else:
            color = colorsys.hsv_to_rgb(shape.hue, 0.9, 0.95)
            draw.polygon(corners, fill=tuple(round(255 * c) for c in color))
        return image.resize((self.size, self.size), Image.Resampling.BOX)

    def inside(self, index: int) -> np.ndarray:
        """The pixels that shape `index` covers when filled: bool [size, size]."""
        side = self.size * _SUPERSAMPLING
        image = Image.new("L", (side, side), 0)
        corners = [(x * side, y * side) for x, y in self.shape(index).corners()]
        ImageDraw.Draw(image).polygon(corners, fill=255)
        return np.asarray(image.resize((self.size, self.size), Image.Resampling.BOX)) > 127

    def name(self, index: int) -> str:
        """The name of image `index` in messages."""
        return f"shapes {self.split} {self.domain} {index}"
