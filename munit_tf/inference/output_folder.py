"""The folder of results: files written atomically, and a record of the settings."""

from __future__ import annotations

import json
import os
import pathlib
import sys
from typing import Any

import numpy as np
from PIL import Image

from munit_tf.data.pictures import to_uint8
from munit_tf.errors import InputError
from munit_tf.inference.styles import Styles
from munit_tf.models import style_codes
from munit_tf.storage import json_files
from munit_tf.storage.atomic import TEMPORARY, atomic_write
from munit_tf.terminal import say

_RECORD = "translate.json"


class OutputFolder:
    """`STEM_0.png`, `STEM_1.png`, ... and `STEM_styles.npy` of each input, and `grid.png`.

    Args:
        path: of the folder.
        styles: the same for every input.
    """

    def __init__(self, path: str | pathlib.Path, styles: Styles):
        self._path = pathlib.Path(path)
        self._styles = styles
        self._done: set[str] = set()

    def begin(self, settings: list[str]) -> None:
        """Creates the folder, or continues in one with the same settings.

        Args:
            settings: everything that the results depend on.

        Raises:
            InputError: the folder contains other files or results with other settings, or is not writable.
        """
        record = self._path / _RECORD
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            found = {name for name in os.listdir(self._path) if not name.endswith(TEMPORARY)}
            if _RECORD in found:
                self._compare(json_files.read(record, _are_settings, "choose another --output"), settings)
            elif found:
                raise InputError(
                    f"{self._path} contains other files and no translations: choose another --output"
                )
        except OSError as error:
            raise InputError(f"--output={self._path} cannot be written: {error.strerror}") from error
        if _RECORD not in found:
            with atomic_write(record) as file:
                file.write((json.dumps(settings, indent=1) + "\n").encode())
        self._done = found

    def is_done(self, stem: str) -> bool:
        """Whether all files of an input existed when the command started, and are intact.

        Prints a warning on standard error about a damaged one.
        """
        names = self._names(stem)
        if not self._done.issuperset(names):
            return False
        damaged = [name for name in names if not self._is_intact(name)]
        if damaged:
            path = self._path / damaged[0]
            say(f"warning: {path} is damaged: {stem} is translated again", file=sys.stderr)
        return not damaged

    def picture(self, stem: str, k: int) -> Image.Image:
        """Reads the translation of an input to style `k`.

        Raises:
            InputError: the file is damaged or cannot be read.
        """
        path = self._path / f"{stem}_{k}.png"
        try:
            picture = Image.open(path, formats=["PNG"])
            picture.load()
        except Exception as error:  # Pillow raises many types for a damaged file.
            raise InputError(f"{path} is damaged: remove it and run the same command again") from error
        return picture

    def write_picture(self, stem: str, k: int, image: np.ndarray) -> None:
        """Writes the translation of an input to style `k`: float [H,W,3] in [-1, 1]."""
        self._save(Image.fromarray(to_uint8(image)), f"{stem}_{k}.png")

    def write_styles(self, stem: str) -> None:
        """Writes an input's style codes, the last of its files."""
        if self._styles.codes is not None:
            with atomic_write(self._path / f"{stem}_styles.npy") as file:
                np.save(file, self._styles.codes)

    def write_grid(self, picture: Image.Image) -> None:
        """Writes `grid.png`."""
        self._save(picture, "grid.png")

    def _names(self, stem: str) -> list[str]:
        names = [f"{stem}_{k}.png" for k in range(len(self._styles))]
        return names if self._styles.codes is None else [*names, f"{stem}_styles.npy"]

    def _is_intact(self, name: str) -> bool:
        path, codes = self._path / name, self._styles.codes
        try:
            if codes is not None and path.suffix == ".npy":
                return style_codes.read(path, codes.shape[1]).shape == codes.shape
            with Image.open(path, formats=["PNG"]) as picture:
                picture.verify()  # Verifies checksums without decoding: there may be thousands of images.
            return picture.mode == "RGB"
        except Exception:  # Pillow and numpy raise many types for a damaged file.
            return False

    def _compare(self, before: list[str], settings: list[str]) -> None:
        old = [each for each in before if each not in settings]
        new = [each for each in settings if each not in before]
        if old or new:
            raise InputError(
                f"{self._path} was started with {' '.join(old) or 'fewer flags'}, not with "
                f"{' '.join(new) or 'so few'}: give the same flags to continue, or choose another --output"
            )

    def _save(self, picture: Image.Image, name: str) -> None:
        with atomic_write(self._path / name) as file:
            picture.save(file, format="PNG")


def _are_settings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
