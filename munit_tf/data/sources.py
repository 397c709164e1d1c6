"""Sources: one domain of one split of a data set, with random access."""

from __future__ import annotations

import dataclasses
import glob
import os
from typing import Protocol

from PIL import Image

from munit_tf.data import decoding
from munit_tf.errors import InputError
from munit_tf.storage.paths import is_special

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")


class Source(Protocol):
    """Images with random access."""

    def __len__(self) -> int:
        """The number of images."""

    def __getitem__(self, index: int) -> Image.Image:
        """Image `index`: RGB, upright, full size."""

    def name(self, index: int) -> str:
        """The name of image `index` in messages."""


class ImageFiles:
    """A source of image files, decoded at each access.

    Args:
        paths: the files; none is opened yet.
        half: "left" or "right" if each file shows a pair side by side, else None.

    Attributes:
        paths: the files.
        half: "left", "right" or None.
    """

    def __init__(self, paths: list[str], half: str | None = None):
        self.paths = paths
        self.half = half

    def __len__(self) -> int:
        """The number of images."""
        return len(self.paths)

    def __getitem__(self, index: int) -> Image.Image:
        """Image `index` as RGB; raises InputError, see `decoding.read` and `decoding.decode`."""
        return self.decoded(index, self.read(index))

    def read(self, index: int) -> bytes:
        """The contents of image `index`'s file; raises InputError, see `decoding.read`."""
        return decoding.read(self.paths[index])

    def decoded(self, index: int, data: bytes) -> Image.Image:
        """Image `index` as RGB from its file's contents; raises InputError, see `decoding.decode`."""
        path = self.paths[index]
        image = decoding.decode(data, path)
        if not self.half:
            return image
        middle = _half_width(image.width, path)
        left = 0 if self.half == "left" else image.width - middle
        return image.crop((left, 0, left + middle, image.height))

    def header(self, index: int) -> decoding.Header:
        """The header of image `index`; raises InputError, see `decoding.read_header`."""
        path = self.paths[index]
        header = decoding.read_header(path)
        if not self.half:
            return header
        return dataclasses.replace(header, width=_half_width(header.width, path))

    def name(self, index: int) -> str:
        """The path of image `index`, for messages."""
        return self.paths[index] + (f" ({self.half} half)" if self.half else "")

    def stems(self) -> list[str]:
        """The names of the results for each image: its file name without the last suffix.

        Raises:
            InputError: two images have the same name.
        """
        seen: dict[str, str] = {}
        for path in self.paths:
            stem = os.path.splitext(os.path.basename(path))[0]
            if stem in seen:
                raise InputError(
                    f"{seen[stem]} and {path} would both be written as {stem}_0.png: rename one, or "
                    f"translate {os.path.dirname(path)} to another --output"
                )
            seen[stem] = path
        return list(seen)


def _half_width(width: int, path: str) -> int:
    if width < 2:
        raise decoding.UnreadableImage(
            "damaged", f"{path} is 1 pixel wide, not a side-by-side pair: fetch it again or remove it"
        )
    return width // 2


def list_images(spec: str) -> ImageFiles:
    """The images that `spec` names, sorted by path (those of a list file keep its order).

    Args:
        spec: a file, a folder (its image files, without subfolders), a glob, or a `.txt` file of paths,
            one per line, relative to the file's folder. Hidden files are ignored.

    Returns:
        At least one image.

    Raises:
        InputError: there is no image, a listed file is missing, or a folder cannot be read.
    """
    spec = os.path.expanduser(spec)
    try:
        if os.path.isdir(spec):
            paths = _in_folder(spec)
        elif spec.lower().endswith(".txt") and not glob.has_magic(spec):
            paths = _in_list(spec)
        elif os.path.isfile(spec):
            paths = [spec]
        else:
            matches = glob.glob(spec, recursive=True)
            paths = sorted(path for path in matches if is_image(path) and os.path.isfile(path))
            if not paths:
                raise InputError(
                    f"no image found at {spec}: give an existing folder of images, a glob, or a "
                    ".txt file of paths"
                )
    except OSError as error:
        raise InputError(f"cannot read {spec}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{spec} is not UTF-8 text: give one path per line") from error
    return ImageFiles(paths)


def is_image(path: str) -> bool:
    """Whether a file name is that of an image: known suffix, not hidden."""
    name = os.path.basename(path)
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _in_folder(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        paths = sorted(entry.path for entry in entries if is_image(entry.name) and entry.is_file())
    if not paths:
        raise InputError(f"{folder} contains no image ({' '.join(SUFFIXES)}; subfolders are not searched)")
    return paths


def _in_list(path: str) -> list[str]:
    if is_special(path):
        raise InputError(
            f"{path} is not a regular file: give a folder of images, a glob, or a text file of paths"
        )
    with open(path, encoding="utf-8-sig") as file:
        text = file.read()
    if "\0" in text:
        raise InputError(f"{path} is not text: give one path per line")
    lines = [line.strip() for line in text.split("\n")]
    folder = os.path.dirname(path)
    paths = [os.path.join(folder, os.path.expanduser(line)) for line in lines if line]
    if not paths:
        raise InputError(f"{path} lists no image: give one path per line")
    for listed in paths:
        if not os.path.isfile(listed):
            raise InputError(
                f"{path} lists {listed}, which is not a file (paths are relative to the list's folder)"
            )
    return paths
