"""Atomic export of a model, with verification of the files."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import sys
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from munit_tf.errors import InputError
from munit_tf.models.translator import Translator
from munit_tf.serving import saved_model, tflite, verification
from munit_tf.storage.locks import exclusive_lock

# Bounds on the largest difference of images in [-1, 1], or on the mean if the weights are quantized.
_BOUNDS = {
    "saved_model": verification.Difference(1e-5, np.inf),
    "none": verification.Difference(1e-3, np.inf),
    "float16": verification.Difference(np.inf, 0.01),
    "dynamic": verification.Difference(np.inf, 0.1),
}
_LAST_VERSION = 2**63 - 1
# (path, signature, size in bytes, difference from the model in memory)
_Row = tuple[pathlib.Path, str, int, verification.Difference]


def export(
    model: Translator,
    folder: str | pathlib.Path,
    *,
    formats: Sequence[str],
    quantize: str,
    max_pixels: int,
    image_size: tuple[int, int],
) -> list[_Row]:
    """Writes a model for servers and devices, and compares the files with the model.

    Files are written to `folder/.unfinished` and moved into place after the comparison.

    Args:
        model: a float32 model.
        folder: for the SavedModel, with the next version number as its name, and the TFLite files.
        formats: "saved_model", "tflite" or both.
        quantize: quantization of the TFLite files, see `tflite.convert`.
        max_pixels: the most pixels of an image that the SavedModel accepts.
        image_size: (height, width) of the images in the warm-up requests, in pixels.

    Returns:
        [(path, signature, size in bytes, Difference)].

    Raises:
        InputError: the folder cannot be written, `max_pixels` is too small, or a difference exceeds its
            bound.
    """
    least = max(image_size[0] * image_size[1], verification.most_pixels(model.config))
    if "saved_model" in formats and max_pixels < least:
        raise InputError(
            f"--max_pixels={max_pixels}: must be at least {least}, the size of images for warm-up and checks"
        )
    if set(str(folder)) & set("[]*?\\"):
        raise InputError(
            f"--output={folder}: TensorFlow reads [ ] * ? \\ in a path as patterns; choose another path"
        )
    folder = pathlib.Path(folder)
    rows: list[_Row] = []
    with _unfinished(folder) as unfinished:
        for name in (f"translate_{direction}.tflite" for direction in model.directions):
            if "tflite" in formats and (folder / name).is_dir():
                raise InputError(f"{folder / name} is a folder, but must be a file: remove it")
        if "saved_model" in formats:
            rows += _write_saved_model(model, unfinished / _next_version(folder), max_pixels, image_size)
        if "tflite" in formats:
            rows += _write_tflite(model, unfinished, quantize)
        for path in sorted({row[0] for row in rows}):
            os.replace(path, folder / path.name)
    return [(folder / path.name, name, size, difference) for path, name, size, difference in rows]


@contextlib.contextmanager
def _unfinished(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """An empty, temporary folder in `folder`, for one export at a time."""
    unfinished = folder / ".unfinished"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(folder, f"--output={folder}: another export is writing to it"):
            if unfinished.is_file():
                raise InputError(f"{unfinished} is a file, but must be a folder: remove it")
            try:
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                yield unfinished
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise InputError(f"--output={folder} cannot be written: {error.strerror or error}") from error


def _next_version(folder: pathlib.Path) -> str:
    # A version in TF Serving consists of ASCII digits and fits in 64 bits.
    versions = [int(path.name) for path in folder.iterdir() if re.fullmatch("[0-9]+", path.name)]
    newest = max((version for version in versions if version <= _LAST_VERSION), default=0)
    if newest == _LAST_VERSION:
        raise InputError(f"--output={folder}: version {newest} is the largest possible: rename it")
    return str(newest + 1)


def _write_saved_model(
    model: Translator, path: pathlib.Path, max_pixels: int, image_size: tuple[int, int]
) -> list[_Row]:
    servable = saved_model.Servable(model, max_pixels)
    try:
        saved_model.write(servable, path, image_size)
    except tf.errors.OpError as error:  # For example, if the disk is full.
        raise OSError(" ".join(error.message.split())) from error
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    differences = verification.saved_model_differences(path, model)
    return [_checked(path, name, size, each, "saved_model") for name, each in differences.items()]


def _write_tflite(model: Translator, folder: pathlib.Path, quantize: str) -> list[_Row]:
    rows = []
    for direction in model.directions:
        name = f"translate_{direction}"
        with _quiet():
            data = tflite.convert(model, name, quantize)
            difference = verification.tflite_difference(data, model, name)
        path = folder / f"{name}.tflite"
        path.write_bytes(data)
        rows.append(_checked(path, name, len(data), difference, quantize))
    return rows


def _checked(
    path: pathlib.Path, name: str, size: int, difference: verification.Difference, kind: str
) -> _Row:
    bound = _BOUNDS[kind]
    if not (difference.largest <= bound.largest and difference.mean <= bound.mean):
        raise InputError(
            f"{path.name}, {name}: it differs from the model in memory by {difference.largest:.2g} at most "
            f"and {difference.mean:.2g} in the mean; {bound.largest:g} and {bound.mean:g} are allowed. "
            "Nothing was written"
        )
    return path, name, size, difference


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides the messages that TFLite writes directly to file descriptor 2."""
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
