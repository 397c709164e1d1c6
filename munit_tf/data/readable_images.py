"""Training in spite of unreadable images, without a loss of repeatability."""

from __future__ import annotations

import sys
import threading

from munit_tf.data.decoding import UnreadableImage
from munit_tf.data.sources import ImageFiles
from munit_tf.errors import InputError
from munit_tf.terminal import escaped

_LOCK = threading.Lock()


def skip_unreadable(sources, paired):
    """Sources of which every image can be decoded, if any can.

    Args:
        sources: {domain: source}; of those that are no ImageFiles every image can.
        paired: image i of one domain belongs to image i of the other.

    Returns:
        The same with ReadableImages in the place of ImageFiles.
    """
    named = set()
    skipping = {
        domain: ReadableImages(source, named) if isinstance(source, ImageFiles) else source
        for domain, source in sources.items()
    }
    if paired and all(isinstance(source, ReadableImages) for source in skipping.values()):
        for domain, source in skipping.items():
            source.partners = [other for name, other in skipping.items() if name != domain]
    return skipping


class ReadableImages:
    """A source in which the next image that can be decoded stands in for one that cannot.

    Which one that is follows from the files alone: a run that is resumed or repeated sees the same.
    Each unreadable file is named once on standard error. A file that the disk does not give is an
    error still, for it may be there the next time.

    Args:
        files: ImageFiles.
        named: set of the messages that were given already; sources may share one, and files.

    Attributes:
        files: the ImageFiles.
        partners: sources that image i of this one has its pair in: both give way together.
    """

    def __init__(self, files, named):
        self.files = files
        self._named = named
        self._readable = {}
        self.partners = []

    def __len__(self):
        """The number of images, unreadable ones included."""
        return len(self.files)

    def __getitem__(self, index):
        """Image `index` or the one that stands in for it, a PIL RGB image.

        Raises:
            InputError: no image can be decoded, or a file cannot be read from the disk.
        """
        return self._find(index)[1]

    def name(self, index):
        """What to call the image that `index` gives in a message: its path."""
        return self.files.name(self._find(index)[0])

    def can_decode(self, index):
        """Whether image `index` itself can be decoded; found out once."""
        if index not in self._readable:
            self._decode(index)
        return self._readable[index]

    def _find(self, index):
        """(which image stands in for image `index`, that image)."""
        for shift in range(len(self)):
            place = (index + shift) % len(self)
            if not all(partner.can_decode(place) for partner in self.partners):
                continue
            image = self._decode(place)
            if image is not None:
                return place, image
        raise InputError(
            f"none of {len(self)} images can be decoded, {self.files.name(0)} and so on: name other images"
        )

    def _decode(self, index):
        """Image `index`, or None."""
        if not self._readable.get(index, True):
            return None
        try:
            image = self.files[index]
        except UnreadableImage as error:
            self._readable[index] = False
            message = str(error)
            with _LOCK:
                first = message not in self._named
                self._named.add(message)
            if first:
                from tqdm import tqdm

                tqdm.write(escaped(f"skipped: {message}"), file=sys.stderr)
            return None
        self._readable[index] = True
        return image
