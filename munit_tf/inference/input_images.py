"""Image files of any size as inputs of a trained model."""

from __future__ import annotations

import numpy as np
from PIL import Image

from munit_tf.data import pipeline
from munit_tf.data.edges import draw_edges
from munit_tf.data.sources import list_images
from munit_tf.errors import InputError


class Inputs:
    """Image files, opened on demand.

    Args:
        spec: a file, folder, glob or text file of paths, see `sources.list_images`.
        resize: the shorter side after resizing, in pixels; None: images keep their size.
        edges: draw the edges of each image, which is a photo, after it is resized.

    Attributes:
        paths: the files.

    Raises:
        InputError: there is no image.
    """

    def __init__(self, spec: str, resize: int | None, edges: bool = False):
        self._files = list_images(spec)
        self._resize = resize
        self._edges = edges
        self.paths = self._files.paths

    def __len__(self) -> int:
        """The number of images."""
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        """Image `index` as float32 [H,W,3] in [-1, 1]; raises InputError, see `picture`."""
        return pipeline.to_array(self.picture(index))

    def picture(self, index: int) -> Image.Image:
        """Image `index`, or its edges, resized, as RGB.

        Raises:
            InputError: it cannot be decoded, or is too long and thin to be resized.
        """
        image = self._files[index]
        if self._resize is not None:
            try:
                image = pipeline.resize_shorter(image, self._resize)
            except InputError as error:
                raise InputError(f"{self._files.name(index)}: {error}") from error
        return draw_edges(image) if self._edges else image

    def stems(self) -> list[str]:
        """The names of each image's results, see `sources.ImageFiles.stems`."""
        return self._files.stems()
