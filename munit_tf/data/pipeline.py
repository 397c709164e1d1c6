"""Batches for training: stateless, so that a run resumed at step k continues bit for bit.

Step k depends on (seed, k) only. Its images have the positions k * batch_size + j in an endless
sequence. In a domain of n images, every n positions are an epoch, with its own order. The epochs of
the two domains are independent.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from munit_tf.config.options import check_sizes
from munit_tf.data.decoding import UnreadableImage
from munit_tf.data.resizing import resize_shorter
from munit_tf.data.sources import Source
from munit_tf.errors import InputError

# After a rollback, training skips this many steps of the endless sequence.
_DETOUR = 2**32
# Named so that CPUs and GPUs use the same one.
_GENERATOR = "philox"


def training_batches(
    sources: Mapping[str, Source],
    *,
    resize: int,
    image_size: tuple[int, int],
    batch_size: int,
    seed: int,
    start: int,
    stop: int,
    paired: bool = False,
    rollbacks: Sequence[int] = (),
    context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Batches for the steps start, ..., stop - 1: randomly cropped and flipped images.

    The shorter side is resized to `resize` (bilinear, antialiased). A random crop of `image_size` is
    flipped left to right with probability 1/2. Every epoch shows each image exactly once. Files are
    decoded on demand, with one thread per CPU. `with_noise` adds the noise of a step to its batch.

    Args:
        sources: {domain: source} for the domains "a" and "b".
        resize: the shorter side after resizing, in pixels.
        image_size: (height, width) of the crop, in pixels.
        batch_size: images of each domain in one step, over all replicas.
        seed: all random values depend on the seed and the step only.
        start: the first step.
        stop: one past the last step.
        paired: image i of a and image i of b belong together and get the same order, crop and flip.
        rollbacks: steps that training returned to; after each of them, images and noise change.
        context: of this worker, if batches are split over several replicas.

    Returns:
        Dataset of stop - start dicts: for each domain float32 [batch_size, height, width, 3] in
        [-1, 1], and "position", int64 [batch_size], the positions in the endless sequence. With a
        `context`: one dict per replica of the worker, with the rows of that replica; rows of other
        workers are not loaded.
        An image that cannot be decoded or is too small for the crop ends the iteration with a
        TensorFlow error: iterate inside `input_errors()`.

    Raises:
        InputError: the sizes are invalid, or paired sources differ in length.
    """
    check_sizes(resize, image_size)
    if paired and len({len(source) for source in sources.values()}) > 1:
        counts = ", ".join(f"{len(source)} of {domain}" for domain, source in sources.items())
        raise InputError(f"--paired needs equally many images of a and b, but there are {counts}")
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

    @tf.autograph.experimental.do_not_convert  # Conversion takes half a second.
    def sample(i):
        step, row = i // rows, i % rows
        position = step * batch_size + context.input_pipeline_id * rows + row
        passed = [tf.cast(step >= rollback, tf.int64) for rollback in rollbacks]
        position += sum(passed) * _DETOUR * batch_size
        return {domain: image(domain, position) for domain in sources} | {"position": position}

    # Pillow releases the GIL while it decodes, so threads help. The pool is private: its size does not
    # depend on the threads that TensorFlow has for the training step.
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


def with_noise(batch: Mapping[str, tf.Tensor], shapes: Mapping[str, Sequence[int]], seed: int) -> dict:
    """Draws the noise of a step on the step's own device, which is faster than on the host.

    Args:
        batch: a batch, or a replica's part of it, from `training_batches`.
        shapes: {name: shape of one sample}.
        seed: the seed of `training_batches`.

    Returns:
        The images of the batch, and for each name standard normal noise, float32 [N, *shape]. The noise of an
        image depends on the seed, the name and the position of the image only.

    Raises:
        ValueError: a name is that of a domain.
    """

    def noise_at(position):
        return {
            name: tf.random.stateless_normal(shape, _seed_of(seed, "noise", name, position), alg=_GENERATOR)
            for name, shape in shapes.items()
        }

    images = {name: value for name, value in batch.items() if name != "position"}
    if overlap := images.keys() & shapes.keys():
        raise ValueError(f"noise has names of domains: {sorted(overlap)}")
    if not shapes:
        return images
    specs = {name: tf.TensorSpec(shape, tf.float32) for name, shape in shapes.items()}
    return images | tf.map_fn(noise_at, batch["position"], fn_output_signature=specs)


@contextlib.contextmanager
def input_errors() -> Iterator[None]:
    """Restores an InputError from a thread of `training_batches`.

    TensorFlow passes an exception from its threads on as the text of an OpError, in a loop, in a
    tf.function and under a strategy:

        with pipeline.input_errors():
            for batch in batches:
                ...
    """
    try:
        yield
    except tf.errors.OpError as error:
        names = f"{InputError.__name__}|{UnreadableImage.__name__}"
        match = re.search(rf"\b(?:{names}): (.+)", error.message)
        if match:
            raise InputError(match[1]) from error
        raise


def load_images(
    source: Source, indices: Iterable[int], *, resize: int, image_size: tuple[int, int]
) -> np.ndarray:
    """Images for display and evaluation: resized as in training, center crop, no flip.

    Args:
        source: where the images come from.
        indices: of the images in the source.
        resize: the shorter side after resizing, in pixels.
        image_size: (height, width) of the crop, in pixels.

    Returns:
        float32 [N, height, width, 3] in [-1, 1], for N indices.

    Raises:
        InputError: an image cannot be decoded or is too small for the crop.
    """
    images = [to_array(_crop(source, index, resize, image_size)) for index in indices]
    return np.stack(images) if images else np.zeros((0, *image_size, 3), np.float32)


def to_array(image: Image.Image) -> np.ndarray:
    """RGB image -> float32 [H,W,3] in [-1, 1]."""
    return np.asarray(image).astype(np.float32) / np.float32(127.5) - np.float32(1)


def _crop(
    source: Source,
    index: int,
    resize: int,
    image_size: tuple[int, int],
    place: tuple[float, float] | None = None,
) -> Image.Image:
    """Crops at `place` = (vertical, horizontal), fractions in [0, 1); at the center if None."""
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


def _load_augmented(
    source: Source, resize: int, image_size: tuple[int, int], index: np.ndarray, draws: np.ndarray
) -> np.ndarray:
    """Crops and flips; `draws` are random numbers in [0, 1): vertical, horizontal, flip."""
    vertical, horizontal, flip = (float(draw) for draw in draws)
    image = _crop(source, int(index), resize, image_size, (vertical, horizontal))
    if flip < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return to_array(image)


def _shuffled_index(position: tf.Tensor, count: int, seed: int, domain: str) -> tf.Tensor:
    """The index of the image, out of `count`, at a position of a domain's endless sequence."""
    epoch_seed = _seed_of(seed, "order", domain, position // count)
    return tf.random.experimental.index_shuffle(position % count, epoch_seed, count - 1)


def _seed_of(seed: int, purpose: str, name: str, number: tf.Tensor) -> tf.Tensor:
    """Combines everything that a draw depends on into a TensorFlow seed of two numbers."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{name}".encode()).digest()
    stream: Any = np.frombuffer(digest[:16], dtype="<i8")
    return tf.random.experimental.stateless_fold_in(tf.constant(stream), number, alg=_GENERATOR)
