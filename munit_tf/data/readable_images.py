"""Reproducible training on data sets with unreadable images."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping

from PIL import Image

from munit_tf.data.decoding import UnreadableImage
from munit_tf.data.sources import ImageFiles, Source
from munit_tf.errors import InputError
from munit_tf.terminal import escaped

_LOCK = threading.Lock()


def skip_unreadable(sources: Mapping[str, Source], paired: bool) -> dict[str, Source]:
    """Replaces unreadable images in sources by readable ones.

    Args:
        sources: {domain: source}; only ImageFiles can have unreadable images.
        paired: image i of one domain belongs to image i of the other.

    Returns:
        {domain: source} with ReadableImages instead of ImageFiles.
    """
    reported: set[str] = set()
    readable = {
        domain: ReadableImages(source, reported)
        for domain, source in sources.items()
        if isinstance(source, ImageFiles)
    }
    if paired and len(readable) == len(sources):
        for domain, images in readable.items():
            images.partners = [other for name, other in readable.items() if name != domain]
    return {domain: readable.get(domain, source) for domain, source in sources.items()}


class ReadableImages:
    """A source that replaces each image that cannot be decoded by the next one that can.

    The replacement depends on the files only, so resumed and repeated runs see the same images. Each
    unreadable file is reported once on standard error. A file that cannot be read from the disk is
    still an error, since it may be readable the next time.

    Args:
        files: the images.
        reported: messages printed so far; sources that share files share the set.

    Attributes:
        files: the images.
        partners: sources whose image i is paired with image i of this one; pairs are replaced together.
    """

    def __init__(self, files: ImageFiles, reported: set[str]):
        self.files = files
        self._reported = reported
        self._readable: dict[int, bool] = {}
        self.partners: list[ReadableImages] = []

    def __len__(self) -> int:
        """The number of images, unreadable ones included."""
        return len(self.files)

    def __getitem__(self, index: int) -> Image.Image:
        """Image `index`, or its replacement, as RGB.

        Raises:
            InputError: no image can be decoded, or a file cannot be read from the disk.
        """
        return self._find(index)[1]

    def name(self, index: int) -> str:
        """The path of image `index`, or of its replacement, for messages."""
        return self.files.name(self._find(index)[0])

    def can_decode(self, index: int) -> bool:
        """Whether image `index` itself can be decoded; the result is cached."""
        if index not in self._readable:
            self._decode(index)
        return self._readable[index]

    def _find(self, index: int) -> tuple[int, Image.Image]:
        """Returns (index of the image to use for `index`, that image)."""
        for shift in range(len(self)):
            place = (index + shift) % len(self)
            if not all(partner.can_decode(place) for partner in self.partners):
                continue
            image = self._decode(place)
            if image is not None:
                return place, image
        raise InputError(
            f"none of {len(self)} images can be decoded, e.g. {self.files.name(0)}: choose other images"
        )

    def _decode(self, index: int) -> Image.Image | None:
        """Image `index`, or None if it cannot be decoded."""
        if not self._readable.get(index, True):
            return None
        try:
            image = self.files[index]
        except UnreadableImage as error:
            self._readable[index] = False
            message = str(error)
            with _LOCK:
                first = message not in self._reported
                self._reported.add(message)
            if first:
                from tqdm import tqdm

                tqdm.write(escaped(f"skipped: {message}"), file=sys.stderr)
            return None
        self._readable[index] = True
        return image
