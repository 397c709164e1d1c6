"""Decodes and encodes images in a TensorFlow graph, safely for any bytes that a client sends."""

from __future__ import annotations

import tensorflow as tf

# Includes the start of the header chunk: after another chunk, the size would be elsewhere.
_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_JPEG = b"\xff\xd8\xff"
_JPEG_SCAN = b"\xff\xda"
_PNG_HEADER = 24  # Bytes up to and including the height.
# Each scan processes all pixels. Photos have 10; data after the image can look like more.
_MAX_SCANS = 1000


def decode(data: tf.Tensor, max_pixels: int) -> tf.Tensor:
    """Decodes an image.

    Ignores the EXIF orientation, replaces transparency by white and converts 16 bits to 8.

    Args:
        data: scalar string tensor, the contents of a JPEG or PNG file.
        max_pixels: the most pixels, checked in the header before decoding.

    Returns:
        float32 [H,W,3] in [-1, 1].

    Raises:
        tf.errors.InvalidArgumentError: at run time: neither JPEG nor PNG, damaged, too large, or a JPEG with
            more scans than photos have.
    """
    is_png = _starts_with(data, _PNG, _PNG_HEADER)
    is_jpeg = _starts_with(data, _JPEG, len(_JPEG))
    known = tf.debugging.Assert(is_png | is_jpeg, ["image_bytes: neither a JPEG nor a PNG file"])
    with tf.control_dependencies([known]):
        data = tf.identity(data)
    size = tf.cond(is_png, lambda: _png_size(data), lambda: tf.io.extract_jpeg_shape(data)[:2])
    small = tf.debugging.Assert(
        _fits(size, max_pixels),
        [f"image_bytes: height and width must multiply to 1 to {max_pixels}, not", size],
    )
    with tf.control_dependencies([small]):
        data = tf.identity(data)
    pixels = tf.cond(is_png, lambda: _decode_png(data), lambda: _decode_jpeg(data))
    return pixels / 127.5 - 1.0


def encode(image: tf.Tensor) -> tf.Tensor:
    """Encodes an image [H,W,3] in [-1, 1] as PNG with values round((x + 1) * 127.5): scalar string tensor."""
    levels = tf.clip_by_value(tf.round((image + 1.0) * 127.5), 0.0, 255.0)
    return tf.io.encode_png(tf.cast(levels, tf.uint8))


def _starts_with(data, signature, least_length):
    # `substr` fails if a string is too short.
    padded = tf.strings.join([data, b"\0" * len(signature)])
    long_enough = tf.strings.length(data) >= least_length
    return long_enough & (tf.strings.substr(padded, 0, len(signature)) == signature)


def _png_size(data):
    """[height, width] of a PNG file."""
    numbers = tf.io.decode_raw(tf.strings.substr(data, 16, 8), tf.int32, little_endian=False)
    return numbers[::-1]


def _fits(size, max_pixels):
    sides = tf.cast(size, tf.int64)  # The product can overflow int32.
    return tf.reduce_all(sides > 0) & (tf.reduce_prod(sides) <= max_pixels)


def _decode_png(data):
    pixels = tf.cast(tf.io.decode_png(data, channels=4), tf.float32)
    opacity = pixels[..., 3:] / 255.0
    return tf.round(pixels[..., :3] * opacity + 255.0 * (1.0 - opacity))


def _decode_jpeg(data):
    scans = tf.size(tf.strings.split(data, _JPEG_SCAN, maxsplit=_MAX_SCANS + 1)) - 1
    few = tf.debugging.Assert(
        scans <= _MAX_SCANS, [f"image_bytes: a JPEG file may have {_MAX_SCANS} scans, not more"]
    )
    with tf.control_dependencies([few]):
        data = tf.identity(data)
    # The accurate transform matches Pillow, which decodes the images for training.
    return tf.cast(tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE"), tf.float32)
