"""Resizing of images to the input size of a network, as different publications do it."""

from __future__ import annotations

import concurrent.futures
import os

import numpy as np
import tensorflow as tf
from PIL import Image


def antialiased(images: tf.Tensor, size: int) -> tf.Tensor:
    """Resizes images [N,H,W,3] to [N,size,size,3]: bilinear, antialiased."""
    return tf.image.resize(images, [size, size], antialias=True)


def pytorch_fid(images: tf.Tensor, size: int) -> tf.Tensor:
    """Resizes images [N,H,W,3] to [N,size,size,3] as pytorch-fid does: bilinear, not antialiased."""
    return tf.image.resize(images, [size, size], antialias=False)


def clean_fid(images: np.ndarray, size: int) -> np.ndarray:
    """Resizes images as clean-fid does: bicubic, antialiased, by Pillow in float32.

    Parmar et al., "On Aliased Resizing and Surprising Subtleties in GAN Evaluation", CVPR 2022.

    Args:
        images: [N,H,W,3] in [-1, 1].
        size: height and width of the result, in pixels.

    Returns:
        [N,size,size,3], float32. Levels 0 to 255 become (level - 128) / 128, as in clean-fid's network, so
        white is 0.992.
    """
    levels = (np.asarray(images, np.float32) + 1) * 127.5

    def resized_image(image):
        planes = (Image.fromarray(np.ascontiguousarray(image[..., channel])) for channel in range(3))
        return np.stack([plane.resize((size, size), Image.Resampling.BICUBIC) for plane in planes], axis=-1)

    # Pillow releases Python's lock.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        resized = np.stack(list(pool.map(resized_image, levels)))
    return (resized.clip(0, 255) - 128) / 128
