"""Translates images: `python -m munit_tf.translate --run=RUN --input=FOLDER --direction=a2b --output=OUT`."""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Optional

from munit_tf.config.options import ModelConfig
from munit_tf.config.schema import option

# Set before TensorFlow is imported: shows only its fatal messages.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

USAGE = """\
Translates images with a trained model, each with several styles.

  python -m munit_tf.translate --run=RUN --input=FOLDER --direction=a2b --output=OUT
  python -m munit_tf.translate --run=RUN --input=PHOTO --direction=a2b --output=OUT --style_image=FOLDER

Writes OUT/STEM_0.png, OUT/STEM_1.png, ... for each image STEM.jpg, their style codes in the same order to
OUT/STEM_styles.npy, and the first images to OUT/grid.png. After an interruption, the same command
continues where it stopped."""


@dataclasses.dataclass(frozen=True)
class TranslateConfig(ModelConfig):
    """Translation."""

    input: str = option(None, "images: a file, folder, glob or text file of paths", path=True, required=True)
    direction: str = option(None, "direction of translation", choices=("a2b", "b2a"), required=True)
    output: str = option(None, "folder for the results", path=True, required=True)
    num_styles: Optional[int] = option(
        None,
        "number of random styles, the same for every image (default: 10)",
        minimum=1,
        maximum=1_000_000,
    )
    style_image: Optional[str] = option(
        None, "instead: use the styles of these images of the target domain; as --input", path=True
    )
    style_from: Optional[str] = option(
        None,
        "instead: use the styles in a .npy file [number, style_dim], for example OUT/STEM_styles.npy",
        path=True,
    )
    interpolate: Optional[int] = option(
        None,
        "number of styles on the arc between two styles: random ones, or the two from --style_image or "
        "--style_from",
        minimum=2,
        maximum=1_000_000,
    )
    seed: int = option(0, "random seed of the styles", minimum=0, maximum=2**32 - 1)
    batch_size: int = option(4, "images to compute at once", minimum=1, maximum=65_536, memory=True)
    keep_size: bool = option(
        False, "keep each image's size (default: resize its shorter side as in training)"
    )
    edges: bool = option(
        False, "inputs are photos: translate their edges, with a model that was trained on edges"
    )


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    from munit_tf.cli import command_line

    return command_line.run_command("munit_tf.translate", USAGE, TranslateConfig, _translate, argv)


def _translate(options: TranslateConfig) -> None:
    from munit_tf.distribution import devices
    from munit_tf.inference import batch_translate
    from munit_tf.terminal import say

    devices.set_up()
    done = batch_translate.translate(options)
    output = pathlib.Path(os.path.relpath(options.output))
    say(f"translated: {done.translated} of {done.inputs} images; {done.skipped} were done before")
    say(f"open:       {output / 'grid.png'} (the first {done.rows} images)")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
