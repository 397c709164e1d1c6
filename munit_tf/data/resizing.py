"""The size of images in training: the shorter side is given."""

from __future__ import annotations

from PIL import Image

from munit_tf.data.screening import MAX_PIXELS
from munit_tf.errors import InputError


def resized(width: int, height: int, resize: int) -> tuple[int, int]:
    """(width, height) of an image after its shorter side is resized to `resize`; all in pixels.

    Raises:
        InputError: the image is so long and thin that it would have more than MAX_PIXELS.
    """
    # The longer side is rounded down, as in torchvision, which the authors' code uses.
    shorter = min(width, height)
    size = (width * resize // shorter, height * resize // shorter)
    if size[0] * size[1] > MAX_PIXELS:
        raise InputError(
            f"{height}x{width} pixels is too long and thin for --resize={resize}: crop or remove the image"
        )
    return size


def resize_shorter(image: Image.Image, resize: int) -> Image.Image:
    """Resizes the shorter side of an image to `resize` pixels (bilinear, antialiased).

    Raises:
        InputError: see `resized`.
    """
    size = resized(*image.size, resize)
    return image if size == image.size else image.resize(size, Image.Resampling.BILINEAR)
