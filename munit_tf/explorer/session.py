"""One visitor's work. Nothing here knows of a page."""

import sys

import numpy as np

from munit_tf.errors import InputError
from munit_tf.explorer.model_service import source_domain, target_domain
from munit_tf.inference.interpolation import slerp
from munit_tf.models import style_codes
from munit_tf.terminal import say

PICTURES_SHOWN = 12
MOST_RANDOM = 100
_KEPT_AT_FIRST = 3


class Visit:
    """What one open page has: a Desk for each direction.

    Attributes:
        desk: the Desk of the direction that was chosen last.
    """

    def __init__(self, studio):
        self._desks = {name: Desk(studio, name) for name in studio.directions}
        self.desk = self._desks[studio.directions[0]]

    def turn(self, direction):
        """Goes on at the Desk of a direction, where it was left."""
        self.desk = self._desks[direction]


class Shelf:
    """Pictures of one domain to choose from: the visitor's own, newest first, then some of the data set's."""

    def __init__(self, studio, domain):
        self._studio = studio
        self._domain = domain
        self._first = 0
        self._own = []
        self._shown = None

    def pictures(self):
        """The Pictures on it."""
        if self._shown is None:
            count = self._studio.count(self._domain)
            indices = [(self._first + i) % count for i in range(min(PICTURES_SHOWN, count))]
            self._shown = [picture for picture in map(self._picture, indices) if picture]
        return self._own + self._shown

    def _picture(self, index):
        """An image of the data set; of a broken one the terminal hears, and visitors see the rest."""
        try:
            return self._studio.picture(self._domain, index)
        except InputError as error:
            say(f"munit_tf.explore: {error}", file=sys.stderr)
            return None

    def more(self):
        """Takes the data set's next ones."""
        self._first += PICTURES_SHOWN
        self._shown = None

    def add(self, path):
        """Reads an uploaded file; returns its Picture.

        Raises:
            InputError: it is not a picture that the model can take; the shelf stays as it was.
        """
        picture = self._studio.read(path)
        self._own.insert(0, picture)
        return picture


class Desk:
    """A picture, a style, and what else a visitor has laid out to translate in one direction.

    Attributes:
        studio: the Studio.
        direction: "a2b" or "b2a".
        sources: Shelf of the domain that is translated.
        references: Shelf of the target domain.
        picture: the Picture chosen, or None.
        encoded: what of it does not depend on the style.
        reference: the Picture that the style was taken from, or None.
        style: the style code chosen [style_dim]; None for a method without style.
        random: codes from the prior [K,style_dim].
        kept: codes that the visitor keeps, a list of [style_dim].
    """

    def __init__(self, studio, direction):
        self.studio = studio
        self.direction = direction
        self.sources = Shelf(studio, source_domain(direction))
        self.references = Shelf(studio, target_domain(direction))
        self.picture = self.encoded = self.reference = self.style = None
        self._seed = 0
        if studio.style_dim:
            self.random = studio.random_codes(style_codes.DEFAULT_COUNT, self._seed)
            self.style = self.random[0]
            self.kept = list(self.random[:_KEPT_AT_FIRST])

    def open(self):
        """Chooses the first picture where none is chosen yet."""
        pictures = self.sources.pictures()
        if self.picture is None and pictures:
            self.choose(pictures[0])

    def choose(self, picture):
        """Takes a Picture to translate."""
        self.encoded = self.studio.encode(picture, self.direction)
        self.picture = picture

    def take_style(self, code):
        """Takes a style code [style_dim]."""
        self.style = np.array(code, np.float32)
        self.reference = None

    def take_style_of(self, picture):
        """Takes the style of a Picture of the target domain."""
        self.take_style(self.studio.style_of(picture, self.direction))
        self.reference = picture

    def move(self, dimension, value):
        """Changes one number of the style code; the others keep every digit."""
        code = self.style.copy()
        code[dimension] = value
        self.take_style(code)

    def draw_more(self):
        """Draws as many styles again as at first: those of the next seed."""
        self._seed += 1
        drawn = self.studio.random_codes(style_codes.DEFAULT_COUNT, self._seed)
        self.random = np.concatenate([self.random, drawn])[:MOST_RANDOM]

    def keep(self):
        """Keeps the style chosen, once."""
        if not any(np.array_equal(self.style, code) for code in self.kept):
            self.kept.append(self.style)

    def translation(self):
        """The picture in the style chosen, [H,W,3] in [-1, 1]."""
        return next(self.translations(None if self.style is None else self.style[np.newaxis]))

    def translations(self, codes):
        """Yields the picture under each of these codes [N,style_dim], each [H,W,3] in [-1, 1]."""
        return self.studio.translations(self.encoded, self.direction, codes)

    def way(self, first, last, steps):
        """(codes, pictures) on the way from one kept style to another, by their numbers."""
        codes = slerp(self.kept[first], self.kept[last], steps)
        return codes, list(self.translations(codes))

    def table(self, count):
        """[(Picture, [its translation under each kept style])] of the picture chosen and those after it."""
        pictures = self.sources.pictures()
        start = next((i for i, each in enumerate(pictures) if each is self.picture), 0)
        chosen = (pictures[start:] + pictures[:start])[:count]
        codes = np.stack(self.kept) if self.studio.style_dim else None
        encode, direction = self.studio.encode, self.direction
        return [
            (each, list(self.studio.translations(encode(each, direction), direction, codes)))
            for each in chosen
        ]
