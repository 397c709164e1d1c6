"""Run folders of tiny models whose outputs differ visibly from style to style, and images for them."""

import numpy as np
import tensorflow as tf
from conformance.methods import TINY
from PIL import Image

from munit_tf import translate
from munit_tf.cli import command_line
from munit_tf.runs import loading, run_folder

RESIZE = 24
SIZES = [(24, 24), (40, 27), (27, 40), (24, 24), (60, 33)]


def make_run(path, method="munit", step=7, seed=0, dataset="photos", **more):
    """A run folder as training leaves it, of large random weights; `more` options of the method."""
    flags = [f"--{name}={value}" for name, value in {**TINY[method], **more}.items()]
    options, _ = command_line.parse(
        [f"--method={method}", f"--dataset={dataset}", f"--resize={RESIZE}", f"--output={path}", *flags],
        run_folder.CONFIGS,
    )
    model = loading.build_model(options)
    model.compile(options.data.image_size)
    model.step.assign(step)
    rng = np.random.default_rng(seed)
    for name, weight in sorted(model.named_weights().items()):
        # He initialization for kernels: neither styles nor contents fade on their way.
        scale = np.sqrt(2 / np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.1
        weight.assign(scale * rng.standard_normal(weight.shape) + name.endswith("gamma"))
    folder = run_folder.RunFolder(path)
    folder.write_options(options)
    loading.checkpoint_manager(folder, model, keep=1).save()
    return path


def make_images(folder, sizes, prefix="image", suffix=".png"):
    """Noisy images of these (width, height), called image0.png and so on; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(sizes))
    for i, (width, height) in enumerate(sizes):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{prefix}{i}{suffix}")
    return folder


def read(path):
    """The pixels of a picture, uint8 [H,W,3]."""
    with Image.open(path) as picture:
        assert picture.mode == "RGB"
        return np.asarray(picture)


def files(folder):
    """{name: bytes} of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def expected(model, direction, pixels, codes, multiple=4, least=16):
    """The model's outputs [K,H,W,3] in [-1, 1] for one image under each code; padded by numpy."""
    height, width = pixels.shape[:2]
    padded = [max(-(-side // multiple) * multiple, least) for side in (height, width)]
    border = [(0, padded[0] - height), (0, padded[1] - width), (0, 0)]
    image = np.pad(pixels.astype(np.float32) / 127.5 - 1, border, mode="reflect")
    images = np.repeat(image[np.newaxis], len(codes), axis=0)
    return model.translate(tf.constant(images), direction, style=codes).numpy()[:, :height, :width]


def assert_rounded(levels, outputs):
    """`levels` are round((x + 1) * 127.5) of outputs x that another graph computed.

    Both graphs round in their last bits, each processor in its own way; so a value that lies between two
    levels may become either.
    """
    assert levels.shape == outputs.shape
    assert np.abs(levels.astype(np.float64) - (outputs.astype(np.float64) + 1) * 127.5).max() <= 0.5 + 2e-3


def flags(here, output, *more, input="photos", direction="a2b"):
    """The command's flags for the run and the photos in a folder."""
    return [
        f"--run={here / 'run'}",
        f"--input={here / input}",
        f"--direction={direction}",
        f"--output={output}",
        *more,
    ]


def run(here, output, *more, **given):
    """Runs the command in this process; returns {name: bytes} of its output."""
    assert translate.main(flags(here, output, *more, **given)) == 0
    return files(output)
