"""Batches for training: stateless, so that a run resumed at step k goes on bit for bit.

Everything about step k follows from (seed, k) alone. Its images have the positions
k * batch_size + j in an endless sequence; a domain of n images is gone through in epochs of n
positions, each in an order of its own. A domain's epochs do not heed the other domain's.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re

import numpy as np
import tensorflow as tf
from PIL import Image

from munit_tf.config.options import check_sizes
from munit_tf.data.decoding import UnreadableImage
from munit_tf.data.screening import MAX_PIXELS
from munit_tf.errors import InputError

# After a rollback training goes on this many steps further along in the endless sequence.
_DETOUR = 2**32


def training_batches(
    sources,
    *,
    resize,
    image_size,
    batch_size,
    seed,
    noise,
    start,
    stop,
    paired=False,
    rollbacks=(),
    context=None,
):
    """Batches of steps start, ..., stop - 1: randomly cropped and flipped images, and noise.

    The shorter side is resized to `resize` (bilinear, antialiased), then a crop of `image_size` is
    taken and flipped left to right half of the time. Every epoch shows each image exactly once.
    Files are decoded as they are needed, in as many threads as there are CPUs.

    Args:
        sources: {domain: source}; domains "a" and "b".
        resize: the shorter side after resizing, in pixels.
        image_size: (height, width) of the crop, in pixels.
        batch_size: images of each domain in one step, over all replicas.
        seed: int; everything random depends on it and the step only.
        noise: {name: shape of one sample, a tuple}, drawn from the standard normal distribution.
        start: the first step.
        stop: one past the last step.
        paired: image i of a and image i of b belong together: they come in the same order, with the
            same crop and flip.
        rollbacks: steps that training went back to; from each on, images and noise are others.
        context: tf.distribute.InputContext of the worker that loads, where batches are shared out over
            several replicas.

    Returns:
        tf.data.Dataset of stop - start dicts: each domain float32 [batch_size, height, width, 3] in
        [-1, 1], each noise float32 [batch_size, *shape]. With a `context`: a dict for each of the
        worker's replicas in turn, of that replica's rows; other workers' rows are not loaded.
        An image that cannot be decoded or is too small for the crop ends the iteration with an error of
        TensorFlow's: iterate inside `input_errors()`.

    Raises:
        InputError: if the sizes fit no image, or paired sources differ in length.
    """
    check_sizes(resize, image_size)
    if paired and len({len(source) for source in sources.values()}) > 1:
        counts = ", ".join(f"{len(source)} of {domain}" for domain, source in sources.items())
        raise InputError(f"--paired needs as many images of a as of b, but there are {counts}")
    if overlap := sources.keys() & noise.keys():
        raise ValueError(f"noise has the names of domains: {sorted(overlap)}")
    context = context or tf.distribute.InputContext()
    rows = batch_size // context.num_input_pipelines
    rows_of_replica = context.get_per_replica_batch_size(batch_size)

    def image(domain, position):
        stream = "a" if paired else domain
        index = _shuffled_index(position, len(sources[domain]), seed, stream)
        draws = tf.random.stateless_uniform([3], _seed_of(seed, "crop and flip", stream, position))
        load = functools.partial(_load_augmented, sources[domain], resize, image_size)
        pixels = tf.numpy_function(load, [index, draws], tf.float32)
        return tf.ensure_shape(pixels, (*image_size, 3))

    def sample(i):
        step, row = i // rows, i % rows
        position = step * batch_size + context.input_pipeline_id * rows + row
        passed = [tf.cast(step >= rollback, tf.int64) for rollback in rollbacks]
        position += sum(passed) * _DETOUR * batch_size
        images = {domain: image(domain, position) for domain in sources}
        return images | {
            name: tf.random.stateless_normal(shape, _seed_of(seed, "noise", name, position))
            for name, shape in noise.items()
        }

    # Pillow decodes outside Python's lock, so threads help. They are the data set's own, however
    # few TensorFlow is given for the training step.
    threads = os.cpu_count()
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return (
        tf.data.Dataset.range(start * rows, stop * rows)
        .map(sample, num_parallel_calls=threads, deterministic=True)
        .batch(rows_of_replica, drop_remainder=True)
        .prefetch(2 * rows // rows_of_replica)
        .with_options(options)
    )


@contextlib.contextmanager
def input_errors():
    """Raises an InputError that came from a thread of `training_batches` as what it was.

    TensorFlow carries an exception out of its threads as the text of an OpError, whichever way the
    data set is iterated (a loop, `fit`, a strategy):

        with pipeline.input_errors():
            model.fit(batches)
    """
    try:
        yield
    except tf.errors.OpError as error:
        names = f"{InputError.__name__}|{UnreadableImage.__name__}"
        match = re.search(rf"\b(?:{names}): (.+)", error.message)
        if match:
            raise InputError(match[1]) from error
        raise


def load_images(source, indices, *, resize, image_size):
    """Images for looking at and for measuring: resized as in training, centre crop, no flip.

    Args:
        source: a source.
        indices: iterable of int.
        resize: the shorter side after resizing, in pixels.
        image_size: (height, width) of the crop, in pixels.

    Returns:
        numpy float32 [len(indices), height, width, 3] in [-1, 1].

    Raises:
        InputError: if an image cannot be decoded or is too small for the crop.
    """
    images = [to_array(_crop(source, index, resize, image_size)) for index in indices]
    return np.stack(images) if images else np.zeros((0, *image_size, 3), np.float32)


def resized(width, height, resize):
    """(width, height) of an image whose shorter side becomes `resize`; all in pixels.

    Raises:
        InputError: if it is so long and thin that it would have more than MAX_PIXELS then.
    """
    # The longer side is rounded down, as in torchvision, which the authors used.
    shorter = min(width, height)
    size = (width * resize // shorter, height * resize // shorter)
    if size[0] * size[1] > MAX_PIXELS:
        raise InputError(
            f"{height}x{width} pixels is too long and thin for --resize={resize}: crop or remove the image"
        )
    return size


def resize_shorter(image, resize):
    """A PIL image with its shorter side `resize` pixels long, bilinear and antialiased.

    Raises:
        InputError: as `resized` does.
    """
    size = resized(*image.size, resize)
    return image if size == image.size else image.resize(size, Image.Resampling.BILINEAR)


def to_array(image):
    """A PIL RGB image as numpy float32 [height, width, 3] in [-1, 1]."""
    return np.asarray(image).astype(np.float32) / np.float32(127.5) - np.float32(1)


def _crop(source, index, resize, image_size, place=None):
    """The PIL crop at `place` = (down, across), each a fraction in [0, 1); the central one if None."""
    original = source[index]
    height, width = image_size
    try:
        image = resize_shorter(original, resize)
    except InputError as error:
        raise InputError(f"{source.name(index)}: {error}") from error
    if image.height < height or image.width < width:
        raise InputError(
            f"{source.name(index)} is {original.height}x{original.width} pixels (height x width), "
            f"{image.height}x{image.width} after --resize={resize}, too small for "
            f"--image_size={height}x{width}: raise --resize, lower --image_size or remove the image"
        )
    top, left = (image.height - height) // 2, (image.width - width) // 2
    if place:
        top = int(place[0] * (image.height - height + 1))
        left = int(place[1] * (image.width - width + 1))
    return image.crop((left, top, left + width, top + height))


def _load_augmented(source, resize, image_size, index, draws):
    """Crops and flips as `draws` says: three numbers in [0, 1) for down, across and the flip."""
    down, across, flip = (float(draw) for draw in draws)
    image = _crop(source, int(index), resize, image_size, (down, across))
    if flip < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return to_array(image)


def _shuffled_index(position, count, seed, domain):
    """Which of a domain's `count` images has this position of the endless sequence."""
    epoch_seed = _seed_of(seed, "order", domain, position // count)
    return tf.random.experimental.index_shuffle(position % count, epoch_seed, count - 1)


def _seed_of(seed, purpose, name, number):
    """Folds all that a draw depends on into the two numbers that TensorFlow takes as a seed."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{name}".encode()).digest()
    stream = np.frombuffer(digest[:16], dtype="<i8")
    return tf.random.experimental.stateless_fold_in(tf.constant(stream), number)
