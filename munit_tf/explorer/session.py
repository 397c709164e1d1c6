"""What a visitor has chosen, independent of the page."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from munit_tf.errors import InputError
from munit_tf.explorer.model_service import ModelService
from munit_tf.explorer.photos import Picture
from munit_tf.inference.padded_inference import Encoded
from munit_tf.models import style_codes
from munit_tf.models.translator import DIRECTIONS

MOST_RANDOM = 100
_KEPT_AT_FIRST = 3


class ImageList(list[Picture]):
    """Pictures of one domain to choose from: uploads, newest first, then some of the data set."""

    def __init__(self, service: ModelService, domain: str):
        super().__init__(service.pictures(domain, 0))
        self._service = service
        self._domain = domain
        self._page = 0
        self._uploads: list[Picture] = []

    def more(self) -> None:
        """Goes on to the next images of the data set."""
        self._page += 1
        self[:] = self._uploads + self._service.pictures(self._domain, self._page)

    def add(self, path: str, edges: bool = False) -> Picture:
        """Adds an uploaded file, or the edges of a photo, and returns its picture.

        Raises:
            InputError: the file is not a suitable image; the list is unchanged.
        """
        picture = self._service.read(path, edges)
        self._uploads.insert(0, picture)
        self.insert(0, picture)
        return picture


class Session:
    """The state of one visitor in one direction.

    Attributes:
        pictures: pictures of the source domain.
        references: pictures of the target domain.
        picture: the selected picture, at first that of the data set, or None.
        encoded: the selected picture encoded, or None.
        style: the selected style code [style_dim]; None for a method without style.
        reference: the picture that the style was taken from, or None.
        random: codes from the prior [K,style_dim]; empty for a method without style.
        kept: codes [style_dim] that the visitor keeps.
        folders: with the files of the last translations that the page shows.
    """

    def __init__(self, service: ModelService, direction: str):
        self._service = service
        self._direction = direction
        self.pictures, self.references = (ImageList(service, domain) for domain in DIRECTIONS[direction])
        self.picture: Picture | None = None
        self.encoded: Encoded | None = None
        self.style: np.ndarray | None = None
        self.reference: Picture | None = None
        self.random = np.zeros([0, service.model.style_dim], np.float32)
        self._seed = 0
        if service.model.style_dim:
            self.random = service.random_codes(style_codes.DEFAULT_COUNT, self._seed)
            self.style = self.random[0]
        self.folders: list[pathlib.Path] = []
        self.kept = list(self.random[:_KEPT_AT_FIRST])
        if self.pictures:
            self.choose(self.pictures[0])

    def choose(self, picture: Picture) -> None:
        """Selects a picture to translate."""
        self.encoded = self._service.encode(picture, self._direction)
        self.picture = picture

    def choose_drawing(self, image: Image.Image) -> None:
        """Selects a drawing to translate, black on white."""
        self.choose(self._service.to_picture("drawing", image))

    def take_style(self, code: np.ndarray) -> None:
        """Selects a style code [style_dim]."""
        self.style = np.array(code, np.float32)
        self.reference = None

    def take_style_of(self, picture: Picture) -> None:
        """Selects the style of a picture of the target domain."""
        self.take_style(self._service.style_of(picture, self._direction))
        self.reference = picture

    def move(self, dimension: int, value: float | None) -> None:
        """Changes one number of the style code, unless None; the others keep their exact values."""
        code = np.array(self.style)
        if value is not None:
            code[dimension] = value
        self.take_style(code)

    def draw(self) -> None:
        """Selects a random style."""
        self.take_style(self._service.random_codes(1, int(np.random.default_rng().integers(2**31)))[0])

    def draw_more(self) -> None:
        """Adds random styles, drawn with the next seed."""
        self._seed += 1
        drawn = self._service.random_codes(style_codes.DEFAULT_COUNT, self._seed)
        self.random = np.concatenate([self.random, drawn])[:MOST_RANDOM]

    def keep(self) -> None:
        """Keeps the selected style, unless it is kept already."""
        if self.style is not None and not any(np.array_equal(self.style, code) for code in self.kept):
            self.kept.append(self.style)

    def translation(self) -> np.ndarray:
        """The picture in the selected style, [H,W,3] in [-1, 1]."""
        return next(self.translations(None if self.style is None else self.style[np.newaxis]))

    def translations(self, codes: np.ndarray | None) -> Iterator[np.ndarray]:
        """Yields the picture in each of the styles [N,style_dim], [H,W,3] in [-1, 1].

        Raises:
            InputError: no picture is selected, there is not enough memory, or the result is not finite.
        """
        if self.encoded is None:
            raise InputError(self._service.first_thing_to_do(self._direction))
        return self._service.translations(self.encoded, self._direction, codes)

    def table(self, count: int) -> list[tuple[Picture, list[np.ndarray]]]:
        """[(picture, [its translation in each kept style])] for the selected picture and the next ones."""
        if self.picture is None:
            raise InputError(self._service.first_thing_to_do(self._direction))
        # A drawing is not in the list.
        start = next((i for i, each in enumerate(self.pictures) if each is self.picture), 0)
        others = self.pictures[start:] + self.pictures[:start]
        pictures = [self.picture, *(each for each in others if each is not self.picture)]
        codes = None if self.style is None else np.stack(self.kept)
        encode, direction = self._service.encode, self._direction
        return [
            (each, list(self._service.translations(encode(each, direction), direction, codes)))
            for each in pictures[:count]
        ]
