"""Differentiable augmentation of the images that discriminators see, for small data sets.

Zhao et al. 2020, "Differentiable augmentation for data-efficient GAN training" (DiffAugment).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

# For each image of a batch there are draws for this many images in a discriminator's batch.
IMAGES = 3
DRAWS = 7
_LARGEST_SHIFT = 1 / 8
_CUTOUT = 1 / 2


def augment(images: tf.Tensor, kinds: Sequence[str], normals: tf.Tensor) -> tf.Tensor:
    """Changes images at random: image n of batch k by the draws `normals[n, k]`, the same in every call.

    Args:
        images: [K*N,H,W,3] in [-1, 1], K <= IMAGES batches of N images; the results may leave this range.
        kinds: some of KINDS. They are applied in the order of KINDS.
        normals: [N,IMAGES,DRAWS] from N(0, I), the random draws.

    Returns:
        [K*N,H,W,3].
    """
    normals = tf.reshape(tf.transpose(normals, [1, 0, 2]), [-1, DRAWS])[: tf.shape(images)[0]]
    # Uniform in [0, 1].
    draws = 0.5 + 0.5 * tf.math.erf(normals * 0.5**0.5)
    places = {"color": draws[:, :3], "translation": draws[:, 3:5], "cutout": draws[:, 5:]}
    for name, function in KINDS.items():
        if name in kinds:
            images = function(images, tf.cast(places[name], images.dtype))
    return images


def change_color(images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """Changes brightness (by up to 0.5), saturation (0 to 2 times) and contrast (0.5 to 1.5 times).

    Args:
        images: [N,H,W,3].
        draws: [N,3] in [0, 1]: brightness, saturation, contrast.
    """
    brightness, saturation, contrast = (draws[:, i, None, None, None] for i in range(3))
    images += brightness - 0.5
    gray = tf.reduce_mean(images, axis=3, keepdims=True)
    images = gray + (images - gray) * (2 * saturation)
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return mean + (images - mean) * (contrast + 0.5)


def translate(images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """Moves images by up to 1/8 of their size in both directions; new pixels are 0.

    Args:
        images: [N,H,W,3].
        draws: [N,2] in [0, 1]: vertical, horizontal.
    """
    # Matrix products have gradients of any order and run on every device. With 0 and 1 they are exact, except
    # that TF32 rounds pixels to 10 binary digits.
    rows, columns = (
        _shifts(size, draws[:, axis], images.dtype) for axis, size in enumerate(_height_and_width(images))
    )
    return tf.einsum("nij,njkc,nlk->nilc", rows, images, columns)


def cut_out(images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """Sets a rectangle of half the height and width to 0; parts of it may be outside of the image.

    Args:
        images: [N,H,W,3].
        draws: [N,2] in [0, 1]: vertical and horizontal place of its center.
    """
    rows, columns = (_covered(size, draws[:, axis]) for axis, size in enumerate(_height_and_width(images)))
    covered = rows[:, :, None, None] & columns[:, None, :, None]
    return images * tf.cast(~covered, images.dtype)


KINDS: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "color": change_color,
    "translation": translate,
    "cutout": cut_out,
}


def _height_and_width(images):
    shape = tf.shape(images)
    return shape[1], shape[2]


def _pixel(draws, count):
    """Draws in [0, 1] -> integers from 0 to count - 1."""
    return tf.minimum(tf.cast(draws * tf.cast(count, draws.dtype), tf.int32), count - 1)


def _shifts(size, draws, dtype):
    """[N,size,size]: matrices that shift a line of pixels."""
    most = tf.cast(tf.cast(size, tf.float32) * _LARGEST_SHIFT + 0.5, tf.int32)
    shift = _pixel(draws, 2 * most + 1) - most
    source = tf.range(size)[None, :, None] - shift[:, None, None]
    return tf.cast(source == tf.range(size), dtype)


def _covered(size, draws):
    """[N,size]: whether a pixel of a line is in the part that is cut out."""
    length = tf.cast(tf.cast(size, tf.float32) * _CUTOUT + 0.5, tf.int32)
    start = _pixel(draws, size + (1 - length % 2)) - length // 2
    place = tf.range(size)[None, :] - start[:, None]
    return (place >= 0) & (place < length)
