"""Style codes from the prior or from a file. `Translator.encode_style` gives those of images."""

from __future__ import annotations

import os

import numpy as np
import tensorflow as tf

from munit_tf.errors import InputError
from munit_tf.storage.paths import is_special

DEFAULT_COUNT = 10  # Default number of styles per image in commands.


def sample_prior(count: int, style_dim: int, seed: int, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Codes [count, style_dim] from the prior N(0, I); equal seeds give equal codes."""
    return tf.random.stateless_normal([count, style_dim], [seed, 0], dtype=dtype)


def read(path: str | os.PathLike, style_dim: int) -> np.ndarray:
    """Reads the codes in a `.npy` file: float32 [K, style_dim], K at least 1.

    Raises:
        InputError: the file is missing or damaged, or has other content.
    """
    if is_special(path):
        raise InputError(f"--style_from={path} cannot be read: it is not a regular file")
    try:
        codes = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise InputError(f"--style_from={path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # numpy raises many types for a damaged file.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"--style_from={path} is not a .npy file, or is damaged: {reason}") from error
    expected = f"--style_from={path}: it must hold an array of numbers [number of styles, {style_dim}]"
    if not isinstance(codes, np.ndarray):
        raise InputError(f"{expected}, not several arrays (.npz)")
    if codes.ndim != 2 or codes.shape[1] != style_dim or not len(codes):
        raise InputError(f"{expected}, not one of shape {list(codes.shape)}")
    if codes.dtype.kind not in "fiu":
        raise InputError(f"{expected}, not of {codes.dtype}")
    with np.errstate(over="ignore"):  # The check below rejects values that become infinite.
        codes = np.array(codes, np.float32)
    finite = np.isfinite(codes).all(axis=1)
    if not finite.all():
        raise InputError(f"{expected}, and row {int(np.argmin(finite))} has NaN or infinity")
    return codes
