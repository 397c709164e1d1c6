"""Writes a trained model for TF Serving and TFLite: `python -m munit_tf.export --run=RUN --output=DIR`."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import Optional

from munit_tf.cli import command_line
from munit_tf.config.schema import Config, option

# Before TensorFlow is imported: of its own messages only fatal ones.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

USAGE = """\
Writes a trained model for TF Serving (a SavedModel) and for devices (TFLite), and
checks what was written against the model in memory.

  python -m munit_tf.export --run=runs/shapes-munit --output=exported/shapes
  python -m munit_tf.export --run=RUN --output=DIR --format=tflite --quantize=float16"""


@dataclasses.dataclass(frozen=True)
class ExportConfig(Config):
    """Flags."""

    run: Optional[str] = option(None, "run folder of the model", path=True, remote=True, required=True)
    output: Optional[str] = option(
        None,
        "folder that the server watches: the next version number is made in it",
        path=True,
        required=True,
    )
    format: tuple[str, ...] = option(
        ("saved_model", "tflite"), "what to write, with commas", choices=("saved_model", "tflite")
    )
    quantize: str = option(
        "none",
        "of TFLite files; float16: weights in half the space; dynamic: weights in 8 bits",
        choices=("none", "float16", "dynamic"),
    )
    max_pixels: int = option(
        2048 * 2048,
        "the SavedModel refuses images of more pixels, for the server's memory",
        minimum=1,
        maximum=1_000_000_000,
    )


def main(argv):
    """Runs the command; returns its exit status."""
    return command_line.run_command("munit_tf.export", USAGE, ExportConfig, _export, argv)


def _export(config):
    import tensorflow as tf

    from munit_tf.runs import loading, run_folder
    from munit_tf.serving import exporter
    from munit_tf.terminal import say

    # Where TFLite's files are checked: a GPU's TF32 would differ from them, and nothing is gained by one.
    tf.config.set_visible_devices([], "GPU")
    # In float32, whatever it was trained in: its weights are, and CPUs and TFLite want it.
    model = loading.load(config.run, precision="float32")
    rows = exporter.export(
        model,
        config.output,
        formats=config.format,
        quantize=config.quantize,
        max_pixels=config.max_pixels,
        image_size=run_folder.RunFolder(config.run).options().data.image_size,
    )
    print("Differences from the model in memory, of images in [-1, 1]:")
    print(f"{'':<18}{'largest':>10}{'mean':>10}")
    shown = None
    for path, name, size, difference in rows:
        if path != shown:
            say(f"{os.path.relpath(path)}  ({size / 2**20:.1f} MiB)")
            shown = path
        print(f"  {name:<16}{difference.largest:>10.1e}{difference.mean:>10.1e}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
