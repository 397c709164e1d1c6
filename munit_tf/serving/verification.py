"""Comparison of exported files with the model in memory."""

from __future__ import annotations

import contextlib
import io
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from munit_tf.config.schema import MethodConfig
from munit_tf.models.translator import Translator
from munit_tf.networks import graph_target
from munit_tf.networks.input_padding import pad_to_fit
from munit_tf.serving.saved_model import BYTES_SIGNATURES


class Difference(NamedTuple):
    """Absolute differences of images in [-1, 1].

    For tensors with larger values, such as codes, they are relative to the largest value.

    Attributes:
        largest: the largest difference.
        mean: the mean difference.
    """

    largest: float
    mean: float


def saved_model_differences(path: str | pathlib.Path, model: Translator) -> dict[str, Difference]:
    """{signature: Difference} between a SavedModel and its model, for two image sizes.

    For signatures with encoded images, rounding to 8 bits (0.5 / 127.5) does not count.
    """
    loaded = tf.saved_model.load(str(path))  # Its signatures need this reference.
    differences = {}
    for name, (function, shapes) in model.signatures().items():
        differences[name] = _compare(function, loaded.signatures[name], shapes, model.config)
    for direction in model.directions:
        name = BYTES_SIGNATURES[direction]
        differences[name] = _compare_files(loaded.signatures[name], model, direction)
    return differences


def tflite_difference(data: bytes, model: Translator, name: str) -> Difference:
    """The difference between a TFLite file of a signature and its model, for two image sizes."""
    runner = Interpreter(model_content=data).get_signature_runner()
    function, shapes = model.signatures()[name]
    return _compare(function, runner, shapes, model.config)


def most_pixels(config: MethodConfig) -> int:
    """The number of pixels of the largest image for checks of a model with these options."""
    return max(height * width for height, width in _sizes(config))


def _compare(expected: Callable, actual: Callable, shapes: Any, config: MethodConfig) -> Difference:
    differences = []
    for seed, size in enumerate(_sizes(config)):
        inputs = _inputs(shapes, size, seed)
        theirs = actual(**{key: tf.constant(x) for key, x in inputs.items()})
        with _computed_independently():
            ours = expected(**inputs)
        differences += [_difference(ours[key], theirs[key]) for key in ours]
    return Difference(*np.max(differences, axis=0))


def _compare_files(signature: Callable, model: Translator, direction: str) -> Difference:
    height, width = _sizes(model.config)[0]
    height, width = height - 3, width - 5
    pixels = np.rint((_smooth_noise(height, width, 0) + 1) * 127.5).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels[0]).save(file, "PNG")
    inputs = {"image_bytes": tf.constant([file.getvalue()])}
    style = model.prior_style(1) if model.style_dim else None
    if style is not None:
        inputs["style"] = style
    answer = signature(**inputs)["translated_bytes"].numpy()[0]
    theirs = np.asarray(Image.open(io.BytesIO(answer)), np.float32) / 127.5 - 1
    images = pad_to_fit(
        pixels.astype(np.float32) / 127.5 - 1, model.config.size_multiple, model.config.smallest_input
    )
    with _computed_independently():
        ours = model.translate(images, direction, style=style).numpy()[0, :height, :width]
    beyond_rounding = np.maximum(np.abs(theirs - ours) - 0.5 / 127.5, 0)
    return Difference(float(beyond_rounding.max()), float(beyond_rounding.mean()))


@contextlib.contextmanager
def _computed_independently() -> Iterator[None]:
    """Within it the model runs operation by operation, with the operations that exported files have.

    So an error in tracing is a difference. The operations that are faster on this machine round differently.
    """
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        with graph_target.portable():
            yield
    finally:
        tf.config.run_functions_eagerly(before)


def _sizes(config: Any) -> list[tuple[int, int]]:
    """Two non-square image sizes that fit the networks."""
    multiple, least = config.size_multiple, config.smallest_input

    def fit(side: int) -> int:
        return -(-max(side, least) // multiple) * multiple

    return [(fit(64), fit(96)), (fit(128), fit(80))]


def _inputs(shapes, size, seed):
    count = 2 - seed
    codes = np.random.default_rng(seed)
    return {
        name: np.repeat(_smooth_noise(*size, seed), count, axis=0)
        if len(shape) == 4
        else codes.standard_normal([count, shape[1]]).astype(np.float32)
        for name, shape in shapes.items()
    }


def _smooth_noise(height, width, seed):
    """A random image [1,height,width,3] in [-1, 1], as smooth as photos."""
    coarse = np.random.default_rng(seed).uniform(-1, 1, (1, height // 8, width // 8, 3)).astype(np.float32)
    return tf.image.resize(coarse, (height, width)).numpy()


def _difference(ours, theirs):
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if ours.shape != theirs.shape or not np.isfinite(theirs).all():
        return Difference(np.inf, np.inf)
    scale = max(1.0, np.abs(ours).max())
    distance = np.abs(ours - theirs) / scale
    return Difference(distance.max(), distance.mean())
