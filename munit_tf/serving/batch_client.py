"""Image files to a server, and its answers into files."""

import io
import pathlib

import numpy as np
from PIL import ExifTags, Image
from tqdm import tqdm

from munit_tf.data import pipeline
from munit_tf.errors import InputError
from munit_tf.models import style_codes
from munit_tf.serving.saved_model import BYTES_SIGNATURES
from munit_tf.storage.atomic import atomic_write


def translate_files(client, files, direction, output, *, num_styles, seed, style_from=None, resize=None):
    """Has a server translate image files, and writes `STEM_0.png`, ... and `STEM_styles.npy` for each.

    Args:
        client: a Client.
        files: sources.ImageFiles.
        direction: "a2b" or "b2a".
        output: the folder for the results.
        num_styles: how many styles to draw from the prior, the same ones for every image; None: 10 of them.
        seed: of that draw; `translate` draws the same.
        style_from: a `.npy` file of codes to take instead, or None.
        resize: the shorter side to send, in pixels; None: images are sent in their own size.

    Returns:
        The number of pictures written.

    Raises:
        InputError: for whatever the user can mend. What was written until then is whole and stays.
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
    output = pathlib.Path(output)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output={output} cannot be written: {error.strerror}") from error
    with tqdm(total=len(stems) * len(codes), unit="picture", dynamic_ncols=True) as bar:
        for i, stem in enumerate(stems):
            image = encoded(files, i, resize)
            for k, code in enumerate(codes):
                try:
                    picture = client.translate(signature, image, code)
                except InputError as error:
                    raise InputError(f"{files.name(i)}: {error}") from error
                with atomic_write(output / f"{stem}_{k}.png") as file:
                    file.write(picture)
                bar.update()
            if codes[0] is not None:
                with atomic_write(output / f"{stem}_styles.npy") as file:
                    np.save(file, codes)
    return len(stems) * len(codes)


def encoded(files, index, resize=None):
    """Image `index` as a file for the server, which knows JPEG and PNG and heeds no EXIF orientation.

    A JPEG or PNG file that is upright, grey or in colour, and not transparent is sent as it is;
    anything else as a PNG of what training would see.

    Args:
        files: sources.ImageFiles.
        index: int.
        resize: the shorter side in pixels, or None.

    Returns:
        bytes.

    Raises:
        InputError: it cannot be read or decoded.
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


def _is_plain(data):
    with Image.open(io.BytesIO(data)) as image:
        turned = image.getexif().get(ExifTags.Base.Orientation) in range(2, 9)
        known = image.format in ("JPEG", "MPO", "PNG") and image.mode in ("L", "RGB")
        return known and not turned and not image.has_transparency_data


def _codes(inputs, num_styles, seed, style_from):
    """The codes [K, style_dim], or [None] for a model without style."""
    if "style" not in inputs:
        if style_from is not None or num_styles is not None:
            raise InputError("this model has no style, so no --num_styles and no --style_from")
        return [None]
    style_dim = inputs["style"][-1]
    if style_from is not None:
        return style_codes.read(style_from, style_dim)
    return style_codes.sample_prior(num_styles or style_codes.DEFAULT_COUNT, style_dim, seed).numpy()
