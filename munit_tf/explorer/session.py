"""The state of one visitor, independent of the page."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from munit_tf.errors import InputError
from munit_tf.explorer.model_service import ModelService, source_domain, target_domain
from munit_tf.explorer.photos import Picture
from munit_tf.inference.interpolation import slerp
from munit_tf.inference.padded_inference import Encoded
from munit_tf.models import style_codes
from munit_tf.terminal import say

PICTURES_SHOWN = 12
MOST_RANDOM = 100
_KEPT_AT_FIRST = 3


class Session:
    """The state of one open page: a DirectionState for each direction.

    Attributes:
        state: that of the selected direction.
    """

    def __init__(self, service: ModelService):
        self._states = {name: DirectionState(service, name) for name in service.directions}
        self.state = self._states[service.directions[0]]

    def switch_direction(self, direction: str) -> None:
        """Selects a direction and restores its state."""
        self.state = self._states[direction]


class ImageList:
    """Pictures of one domain to choose from: uploads, newest first, then some of the data set.

    Args:
        service: the model.
        domain: "a" or "b".
    """

    def __init__(self, service: ModelService, domain: str):
        self._service = service
        self._domain = domain
        self._first = 0
        self._uploads: list[Picture] = []
        self._shown: list[Picture] | None = None

    def pictures(self) -> list[Picture]:
        """All pictures in the list."""
        if self._shown is None:
            count = self._service.count(self._domain)
            indices = [(self._first + i) % count for i in range(min(PICTURES_SHOWN, count))]
            self._shown = [picture for picture in map(self._picture, indices) if picture]
        return self._uploads + self._shown

    def _picture(self, index: int) -> Picture | None:
        """An image of the data set; None, with a line on the terminal, if it cannot be read."""
        try:
            return self._service.picture(self._domain, index)
        except InputError as error:
            say(f"munit_tf.explore: {error}", file=sys.stderr)
            return None

    def more(self) -> None:
        """Goes on to the next images of the data set."""
        self._first += PICTURES_SHOWN
        self._shown = None

    def add(self, path: str) -> Picture:
        """Adds an uploaded file and returns its picture.

        Raises:
            InputError: the file is not a suitable image; the list is unchanged.
        """
        picture = self._service.read(path)
        self._uploads.insert(0, picture)
        return picture


class DirectionState:
    """The selected picture and style of one direction, and the alternatives.

    Args:
        service: the model.
        direction: "a2b" or "b2a".

    Attributes:
        service: the model.
        direction: "a2b" or "b2a".
        sources: pictures of the source domain.
        references: pictures of the target domain.
        picture: the selected picture, or None.
        encoded: the selected picture encoded, or None.
        reference: the picture that the style was taken from, or None.
        style: the selected style code [style_dim]; None for a method without style.
        random: codes from the prior [K,style_dim].
        kept: codes [style_dim] that the visitor keeps.
    """

    random: np.ndarray
    kept: list[np.ndarray]

    def __init__(self, service: ModelService, direction: str):
        self.service = service
        self.direction = direction
        self.sources = ImageList(service, source_domain(direction))
        self.references = ImageList(service, target_domain(direction))
        self.picture: Picture | None = None
        self.encoded: Encoded | None = None
        self.reference: Picture | None = None
        self.style: np.ndarray | None = None
        self._seed = 0
        if service.style_dim:
            self.random = service.random_codes(style_codes.DEFAULT_COUNT, self._seed)
            self.style = self.random[0]
            self.kept = list(self.random[:_KEPT_AT_FIRST])

    def open(self) -> None:
        """Selects the first picture if none is selected."""
        pictures = self.sources.pictures()
        if self.picture is None and pictures:
            self.choose(pictures[0])

    def choose(self, picture: Picture) -> None:
        """Selects a picture to translate."""
        self.encoded = self.service.encode(picture, self.direction)
        self.picture = picture

    def take_style(self, code: np.ndarray) -> None:
        """Selects a style code [style_dim]."""
        self.style = np.array(code, np.float32)
        self.reference = None

    def take_style_of(self, picture: Picture) -> None:
        """Selects the style of a picture of the target domain."""
        self.take_style(self.service.style_of(picture, self.direction))
        self.reference = picture

    def move(self, dimension: int, value: float) -> None:
        """Changes one number of the style code; the others keep their exact values."""
        code = np.array(self.style)
        code[dimension] = value
        self.take_style(code)

    def draw_more(self) -> None:
        """Adds random styles, drawn with the next seed."""
        self._seed += 1
        drawn = self.service.random_codes(style_codes.DEFAULT_COUNT, self._seed)
        self.random = np.concatenate([self.random, drawn])[:MOST_RANDOM]

    def keep(self) -> None:
        """Keeps the selected style, unless it is kept already."""
        if self.style is not None and not any(np.array_equal(self.style, code) for code in self.kept):
            self.kept.append(self.style)

    def translation(self) -> np.ndarray:
        """The picture in the selected style, [H,W,3] in [-1, 1]."""
        return next(self.translations(None if self.style is None else self.style[np.newaxis]))

    def translations(self, codes: np.ndarray | None) -> Iterator[np.ndarray]:
        """Yields the picture in each of the styles [N,style_dim], [H,W,3] in [-1, 1]."""
        assert self.encoded is not None
        return self.service.translations(self.encoded, self.direction, codes)

    def interpolate(self, first: int, last: int, steps: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """Interpolates between two kept styles.

        Args:
            first: index of the first style.
            last: index of the last style.
            steps: the number of styles, including both ends.

        Returns:
            (codes [steps,style_dim], the picture in each style, [H,W,3] in [-1, 1]).
        """
        codes = slerp(self.kept[first], self.kept[last], steps)
        return codes, list(self.translations(codes))

    def table(self, count: int) -> list[tuple[Picture, list[np.ndarray]]]:
        """[(picture, [its translation in each kept style])] for the selected picture and the next ones."""
        pictures = self.sources.pictures()
        start = next((i for i, each in enumerate(pictures) if each is self.picture), 0)
        chosen = (pictures[start:] + pictures[:start])[:count]
        codes = np.stack(self.kept) if self.service.style_dim else None
        encode, direction = self.service.encode, self.direction
        return [
            (each, list(self.service.translations(encode(each, direction), direction, codes)))
            for each in chosen
        ]
