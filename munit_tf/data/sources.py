"""Sources: one domain of one split of a data set, with random access.

A source is anything with `len(source)`, `source[i]` (a PIL RGB image, upright, full size) and
`source.name(i)` (what to call image i in a message). Downloads of every kind end as `Files`.
"""

from __future__ import annotations

import glob
import io
import os

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from munit_tf.config import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
MAX_PIXELS = 178_000_000
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM")


class Files:
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
        """Image `index`, a PIL RGB image; raises InputError if its file cannot be decoded."""
        path = self.paths[index]
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise InputError(
                f"cannot read {path}: {error.strerror}; restore it or take it out of the data set"
            ) from error
        image = decode(data, path)
        middle = image.width // 2
        if self.half == "left":
            return image.crop((0, 0, middle, image.height))
        if self.half == "right":
            return image.crop((image.width - middle, 0, image.width, image.height))
        return image

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


def decode(data, name):
    """The image in an encoded file, upright and in colour.

    Of an animation it is the first frame; EXIF orientation is applied; transparency becomes white;
    16-bit grey is scaled to 8 bits.

    Args:
        data: bytes, the whole file.
        name: what to call the file in a message.

    Returns:
        PIL image of mode RGB.

    Raises:
        InputError: if the file is empty, damaged, no image, or larger than MAX_PIXELS (found from
            its header, before anything is decoded).
    """
    if not data:
        raise InputError(f"{name} is empty (0 bytes): fetch it again or remove it")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            return _to_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise InputError(
            f"{name} is not an image, is damaged, or has an unknown format (known: "
            f"{' '.join(_FORMATS)}): convert it or remove it"
        ) from error
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{name} has more than {MAX_PIXELS} pixels by its header: scale it down or remove it"
        ) from error
    # Pillow's decoders raise whatever suits the format: OSError, SyntaxError, struct.error, ...
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{name} cannot be decoded ({reason}): fetch it again, convert it or remove it"
        ) from error


def _to_rgb(image):
    if image.mode.startswith("I"):
        # Pillow's own conversion clips at 255.
        levels = np.asarray(image).astype(np.int64)
        if levels.min() < 0 or levels.max() > 65535:
            raise ValueError("grey values beyond 16 bits")
        image = Image.fromarray(((levels + 128) // 257).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("grey values in floating point")
    elif image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


def suffix(data, name):
    """The file name suffix, such as ".png", that suits an encoded image's content.

    Raises:
        InputError: if `data` (bytes) is no image; the message calls it `name`.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            return {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif"}.get(
                image.format, "." + image.format.lower()
            )
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputError(f"{name} is not a usable image: {error}") from error


def list_images(spec):
    """The images that `spec` names, sorted by path (a list file keeps its own order).

    Args:
        spec: str, a folder (its image files, not those of subfolders), a glob, or a `.txt` file of
            paths, one per line, relative to the file's folder. Hidden files are passed over.

    Returns:
        Files, at least one.

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
    return Files(paths)


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
    with open(path, encoding="utf-8-sig") as file:
        lines = [line.strip() for line in file]
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
