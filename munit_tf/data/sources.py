"""Sources: one domain of one split of a data set, with random access.

A source is anything with `len(source)`, `source[i]` (a PIL RGB image, upright, full size) and
`source.name(i)` (what to call image i in a message). Downloads of every kind end as `ImageFiles`.
"""

from __future__ import annotations

import dataclasses
import glob
import os

from munit_tf.data import decoding
from munit_tf.errors import InputError
from munit_tf.storage.paths import is_special

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")


class ImageFiles:
    """Encoded image files on disk, decoded at each access."""

    def __init__(self, paths, half=None):
        """Keeps the paths; opens nothing.

        Args:
            paths: list of str, image files.
            half: None, or "left" or "right" where each file shows a pair side by side.
        """
        self.paths = paths
        self.half = half

    def __len__(self):
        """The number of images."""
        return len(self.paths)

    def __getitem__(self, index):
        """Image `index`, a PIL RGB image; raises InputError as `decoding.read` and `decoding.decode` do."""
        return self.decoded(index, self.read(index))

    def read(self, index):
        """The bytes of image `index`'s file; raises InputError as `decoding.read` does."""
        return decoding.read(self.paths[index])

    def decoded(self, index, data):
        """Image `index`, a PIL RGB image, of its file's bytes; raises InputError as `decode` does."""
        path = self.paths[index]
        image = decoding.decode(data, path)
        if not self.half:
            return image
        middle = _half_width(image.width, path)
        left = 0 if self.half == "left" else image.width - middle
        return image.crop((left, 0, left + middle, image.height))

    def header(self, index):
        """The decoding.Header of image `index`; raises InputError as `decoding.read_header` does."""
        path = self.paths[index]
        header = decoding.read_header(path)
        if not self.half:
            return header
        return dataclasses.replace(header, width=_half_width(header.width, path))

    def name(self, index):
        """What to call image `index` in a message: its path."""
        return self.paths[index] + (f" ({self.half} half)" if self.half else "")

    def stems(self):
        """What the results for each image are called: its file name without the last suffix.

        Raises:
            InputError: two images have the same.
        """
        seen = {}
        for path in self.paths:
            stem = os.path.splitext(os.path.basename(path))[0]
            if stem in seen:
                raise InputError(
                    f"{seen[stem]} and {path} would both be written as {stem}_0.png: rename one, or "
                    f"translate {os.path.dirname(path)} to another --output"
                )
            seen[stem] = path
        return list(seen)


def _half_width(width, path):
    if width < 2:
        raise decoding.UnreadableImage(
            "damaged", f"{path} is 1 pixel wide and no pair side by side: fetch it again or remove it"
        )
    return width // 2


def list_images(spec):
    """The images that `spec` names, sorted by path (a list file keeps its own order).

    Args:
        spec: str, a folder (its image files, not those of subfolders), a glob, or a `.txt` file of
            paths, one per line, relative to the file's folder. Hidden files are passed over.

    Returns:
        ImageFiles, at least one.

    Raises:
        InputError: if nothing is there, a listed file is missing, or a folder cannot be read.
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
                    f"no image is at {spec}: give an existing folder of images, a glob, or a "
                    ".txt file of paths"
                )
    except OSError as error:
        raise InputError(f"cannot read {spec}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{spec} is not UTF-8 text: give one path per line") from error
    return ImageFiles(paths)


def is_image(path):
    """Whether a file of this name counts as an image: known suffix, not hidden."""
    name = os.path.basename(path)
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _in_folder(folder):
    with os.scandir(folder) as entries:
        paths = sorted(entry.path for entry in entries if is_image(entry.name) and entry.is_file())
    if not paths:
        raise InputError(f"{folder} has no image in it ({' '.join(SUFFIXES)}; subfolders are not searched)")
    return paths


def _in_list(path):
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
                f"{path} lists {listed}, which is no file (paths are relative to the list's folder)"
            )
    return paths
