"""The styles of a translation job: random, of reference images, or from a file."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from typing import Any, Callable, Optional

import numpy as np

from munit_tf.errors import InputError
from munit_tf.inference.input_images import Inputs
from munit_tf.inference.interpolation import slerp
from munit_tf.models import style_codes
from munit_tf.models.translator import Translator

_FLAGS = ("num_styles", "style_image", "style_from", "interpolate")


@dataclasses.dataclass(frozen=True)
class Styles:
    """The styles of a job.

    Attributes:
        codes: float32 [K, style_dim], K at least 1; None for a method without style.
        labels: K labels for the grid.
        origin: the flags that the codes depend on, with digests of the files' contents.
        references: the images that the codes were encoded from, or None.
    """

    codes: Optional[np.ndarray]
    labels: list[str]
    origin: list[str]
    references: Optional[Inputs] = None

    def __len__(self) -> int:
        """K, the number of translations of each image."""
        return len(self.labels)


def check(options: Any) -> None:
    """Checks the style flags among the options of `munit_tf.translate`.

    Raises:
        InputError: flags exclude each other.
    """
    given = [f"--{name}" for name in _FLAGS if getattr(options, name) is not None]
    if len(given) > 1 and given not in (
        ["--style_image", "--interpolate"],
        ["--style_from", "--interpolate"],
    ):
        raise InputError(f"{' and '.join(given)} exclude each other: give one of them")


def choose(
    options: Any, model: Translator, encode_style: Callable[[np.ndarray], np.ndarray], resize: int
) -> Styles:
    """The styles that the flags select.

    Args:
        options: the options of `munit_tf.translate`.
        model: the model.
        encode_style: images [1,H,W,3] of the target domain -> codes [1, style_dim].
        resize: the shorter side of reference images, in pixels.

    Returns:
        The styles.

    Raises:
        InputError: the method has no style or cannot encode one, a file is invalid, or `--interpolate` does
            not get two codes.
    """
    if not model.style_dim:
        for name in _FLAGS:
            if getattr(options, name) is not None:
                raise InputError(
                    f"--{name}: this method has no style; without it each image is translated once"
                )
        return Styles(codes=None, labels=["translation"], origin=[])
    if options.style_image is not None:
        if not model.has_style_encoder:
            raise InputError(
                "--style_image: this method cannot encode a style; use random ones, or --style_from"
            )
        found = _of_images(Inputs(options.style_image, resize), encode_style)
    elif options.style_from is not None:
        found = _of_file(options.style_from, model.style_dim)
    else:
        found = _random(
            2 if options.interpolate else options.num_styles or style_codes.DEFAULT_COUNT, model, options.seed
        )
    return _interpolated(found, options.interpolate) if options.interpolate else found


def digest(arrays: Iterable[np.ndarray]) -> str:
    """A short hash of the arrays' values."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()[:12]


def _random(count: int, model: Translator, seed: int) -> Styles:
    codes = model.prior_style(count, seed).numpy().astype(np.float32)
    return Styles(codes, _numbered("style", count), [f"--num_styles={count}", f"--seed={seed}"])


def _of_images(references: Inputs, encode_style: Callable[[np.ndarray], np.ndarray]) -> Styles:
    codes = np.concatenate([encode_style(references[i][np.newaxis]) for i in range(len(references))])
    contents = digest(np.fromfile(path, np.uint8) for path in references.paths)
    origin = [f"--style_image of {len(references)} images, contents {contents}"]
    return Styles(codes, _numbered("reference", len(references)), origin, references)


def _of_file(path: str, style_dim: int) -> Styles:
    codes = style_codes.read(path, style_dim)
    return Styles(codes, _numbered("style", len(codes)), [f"--style_from with codes {digest([codes])}"])


def _interpolated(ends: Styles, count: int) -> Styles:
    if ends.codes is None or len(ends) != 2:
        raise InputError(f"--interpolate goes from one style to another: give two, not {len(ends)}")
    labels = [f"{t:.2f}" for t in np.linspace(0, 1, count)]
    return Styles(
        slerp(ends.codes[0], ends.codes[1], count), labels, [*ends.origin, f"--interpolate={count}"]
    )


def _numbered(name: str, count: int) -> list[str]:
    return [f"{name} {k}" for k in range(count)]
