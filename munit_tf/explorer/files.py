"""Files that the page shows or offers for download, in Gradio's folder."""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Sequence

import numpy as np
from PIL import Image

from munit_tf.data import pictures

_SMALL, _LARGE = 128, 320


def new_folder() -> pathlib.Path:
    """An empty folder whose name nobody can guess."""
    return pathlib.Path(tempfile.mkdtemp(dir=os.environ["GRADIO_TEMP_DIR"]))


def to_image(array: np.ndarray) -> Image.Image:
    """Float [H,W,3] in [-1, 1] -> RGB image, see `pictures.to_uint8`."""
    return Image.fromarray(pictures.to_uint8(array))


def thumbnail(image: Image.Image) -> Image.Image:
    """Enlarges small images by an integer factor, and scales large ones down."""
    zoom = -(-_SMALL // min(image.size))
    if zoom > 1:
        return image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST)
    small = image.copy()
    small.thumbnail((_LARGE, _LARGE))
    return small


def png(path: pathlib.Path, image: Image.Image) -> str:
    """Writes an image in full resolution and returns the path."""
    image.save(path, "PNG", compress_level=1)
    return str(path)


def gif(path: pathlib.Path, frames: Sequence[Image.Image]) -> str:
    """Writes an animation of thumbnails, forward and backward, and returns the path."""
    first, *others = map(thumbnail, [*frames, *frames[-2:0:-1]])
    first.save(path, "GIF", save_all=True, append_images=others, duration=90, loop=0)
    return str(path)


def npy(path: pathlib.Path, codes: Sequence[np.ndarray]) -> str:
    """Writes style codes [style_dim] as float32 [N,style_dim] and returns the path."""
    np.save(path, np.stack(codes).astype(np.float32))
    return str(path)
