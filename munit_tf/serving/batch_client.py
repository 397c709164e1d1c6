"""Translation of image files by a server."""

from __future__ import annotations

import io
import pathlib
from typing import Any

import numpy as np
from PIL import ExifTags, Image
from tqdm import tqdm

from munit_tf.data import pipeline
from munit_tf.data.sources import ImageFiles
from munit_tf.errors import InputError
from munit_tf.models import style_codes
from munit_tf.serving.client import Client
from munit_tf.serving.saved_model import BYTES_SIGNATURES
from munit_tf.storage.atomic import atomic_write


def translate_files(
    client: Client,
    files: ImageFiles,
    direction: str,
    output: str | pathlib.Path,
    *,
    num_styles: int | None,
    seed: int,
    style_from: str | None = None,
    resize: int | None = None,
) -> int:
    """Translates image files on a server; writes `STEM_0.png`, ... and `STEM_styles.npy` for each.

    Args:
        client: the client of the server.
        files: the images.
        direction: "a2b" or "b2a".
        output: the folder for the results.
        num_styles: number of styles from the prior, the same for every image; None: 10.
        seed: of the styles; `translate` draws the same with this seed.
        style_from: a `.npy` file of codes to use instead, or None.
        resize: the shorter side of the images to send, in pixels; None: they keep their size.

    Returns:
        The number of images written.

    Raises:
        InputError: for everything that the user can fix. Files written before it are complete and kept.
    """
    stems = files.stems()
    signature = BYTES_SIGNATURES[direction]
    inputs = client.inputs(signature)
    if not {"image_bytes"} <= set(inputs) <= {"image_bytes", "style"}:
        raise InputError(
            f"model {client.model} was not written by munit_tf.export: signature {signature} takes "
            f"{', '.join(sorted(inputs))}"
        )
    codes = _codes(inputs, num_styles, seed, style_from)
    folder = pathlib.Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output={folder} cannot be written: {error.strerror}") from error
    with tqdm(total=len(stems) * len(codes), unit="picture", dynamic_ncols=True) as bar:
        for i, stem in enumerate(stems):
            image = encoded(files, i, resize)
            for k, code in enumerate(codes):
                try:
                    picture = client.translate(signature, image, code)
                except InputError as error:
                    raise InputError(f"{files.name(i)}: {error}") from error
                with atomic_write(folder / f"{stem}_{k}.png") as file:
                    file.write(picture)
                bar.update()
            if codes[0] is not None:
                with atomic_write(folder / f"{stem}_styles.npy") as file:
                    np.save(file, codes)
    return len(stems) * len(codes)


def encoded(files: ImageFiles, index: int, resize: int | None = None) -> bytes:
    """Image `index` as a file for the server, which reads JPEG and PNG and ignores the EXIF orientation.

    A JPEG or PNG file is sent unchanged if it is upright, gray or RGB, and not transparent. Other images are
    decoded as for training and sent as PNG.

    Args:
        files: the images.
        index: of the image.
        resize: the shorter side in pixels, or None.

    Returns:
        The contents of the file.

    Raises:
        InputError: the image cannot be read or decoded.
    """
    image = files[index]
    if resize is None:
        data = pathlib.Path(files.paths[index]).read_bytes()
        if _is_plain(data):
            return data
    else:
        image = pipeline.resize_shorter(image, resize)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _is_plain(data: bytes) -> bool:
    with Image.open(io.BytesIO(data)) as image:
        upright = image.getexif().get(ExifTags.Base.Orientation) not in range(2, 9)
        supported = image.format in ("JPEG", "MPO", "PNG") and image.mode in ("L", "RGB")
        return supported and upright and not image.has_transparency_data


def _codes(inputs: dict[str, list[int]], num_styles: int | None, seed: int, style_from: str | None) -> Any:
    """The codes [K, style_dim], or [None] for a model without style."""
    if "style" not in inputs:
        if style_from is not None or num_styles is not None:
            raise InputError("this model has no style: omit --num_styles and --style_from")
        return [None]
    style_dim = inputs["style"][-1]
    if style_from is not None:
        return style_codes.read(style_from, style_dim)
    return style_codes.sample_prior(num_styles or style_codes.DEFAULT_COUNT, style_dim, seed).numpy()
