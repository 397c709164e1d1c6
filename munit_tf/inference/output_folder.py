"""The folder of results: whole files only, and a record of the settings that they were made with."""

from __future__ import annotations

import json
import os
import pathlib
import sys

import numpy as np
from PIL import Image

from munit_tf.data.pictures import to_uint8
from munit_tf.errors import InputError
from munit_tf.models import style_codes
from munit_tf.storage import json_files
from munit_tf.storage.atomic import TEMPORARY, atomic_write

_RECORD = "translate.json"


class OutputFolder:
    """`STEM_0.png`, `STEM_1.png`, ... and `STEM_styles.npy` of each input, and `grid.png`.

    Args:
        path: the folder's.
        styles: Styles, the same for every input.
    """

    def __init__(self, path, styles):
        self._path = pathlib.Path(path)
        self._styles = styles
        self._done = set()

    def begin(self, settings):
        """Makes the folder, or goes on in one that was begun with the same settings.

        Args:
            settings: list of str, all that the results depend on.

        Raises:
            InputError: it holds other files, or results of other settings, or cannot be written.
        """
        record = self._path / _RECORD
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            found = {name for name in os.listdir(self._path) if not name.endswith(TEMPORARY)}
            if _RECORD in found:
                self._compare(json_files.read(record, _are_settings, "choose another --output"), settings)
            elif found:
                raise InputError(
                    f"{self._path} holds other files and no translations: choose another --output"
                )
        except OSError as error:
            raise InputError(f"--output={self._path} cannot be written: {error.strerror}") from error
        if _RECORD not in found:
            with atomic_write(record) as file:
                file.write((json.dumps(settings, indent=1) + "\n").encode())
        self._done = found

    def is_done(self, stem: str) -> bool:
        """Whether all files of an input were there when the command began, and are whole.

        One that is damaged is a line on standard error.
        """
        names = self._names(stem)
        if not self._done.issuperset(names):
            return False
        damaged = [name for name in names if not self._is_whole(name)]
        if damaged:
            path = self._path / damaged[0]
            print(f"warning: {path} is damaged: {stem} is translated again", file=sys.stderr)
        return not damaged

    def picture(self, stem: str, k: int) -> Image.Image:
        """The PIL image that was written for an input's style `k`.

        Raises:
            InputError: the file is damaged or cannot be read.
        """
        path = self._path / f"{stem}_{k}.png"
        try:
            picture = Image.open(path, formats=["PNG"])
            picture.load()
        except Exception as error:  # Pillow raises many types for a damaged file.
            raise InputError(f"{path} is damaged: remove it, and the same command makes it again") from error
        return picture

    def write_picture(self, stem, k, image):
        """Writes an input's translation to style `k`: float [H,W,3] in [-1, 1]."""
        self._save(Image.fromarray(to_uint8(image)), f"{stem}_{k}.png")

    def write_styles(self, stem):
        """Writes an input's style codes: its last file."""
        if self._styles.codes is not None:
            with atomic_write(self._path / f"{stem}_styles.npy") as file:
                np.save(file, self._styles.codes)

    def write_grid(self, picture):
        """Writes `grid.png`, a PIL image."""
        self._save(picture, "grid.png")

    def _names(self, stem):
        names = [f"{stem}_{k}.png" for k in range(len(self._styles))]
        return names if self._styles.codes is None else [*names, f"{stem}_styles.npy"]

    def _is_whole(self, name):
        path = self._path / name
        try:
            if path.suffix == ".npy":
                shape = self._styles.codes.shape
                return style_codes.read(path, shape[1]).shape == shape
            with Image.open(path, formats=["PNG"]) as picture:
                picture.verify()  # Checksums, without decoding: there may be thousands of pictures.
            return picture.mode == "RGB"
        except Exception:  # Pillow and numpy raise many types for a damaged file.
            return False

    def _compare(self, before, settings):
        old = [each for each in before if each not in settings]
        new = [each for each in settings if each not in before]
        if old or new:
            raise InputError(
                f"{self._path} was begun with {' '.join(old) or 'fewer flags'}, not with "
                f"{' '.join(new) or 'so few'}: give the same flags to go on, or choose another --output"
            )

    def _save(self, picture, name):
        with atomic_write(self._path / name) as file:
            picture.save(file, format="PNG")


def _are_settings(value):
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
