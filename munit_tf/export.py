"""Writes a trained model for TF Serving and TFLite: `python -m munit_tf.export --run=RUN --output=DIR`."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Sequence

from munit_tf.cli import command_line
from munit_tf.config.options import ModelConfig
from munit_tf.config.schema import option

# Set before TensorFlow is imported: shows only its fatal messages.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

USAGE = """\
Writes a trained model for TF Serving (a SavedModel) and for devices (TFLite), and compares the outputs of
the written files with those of the model in memory.

  python -m munit_tf.export --run=runs/shapes-munit --output=exported/shapes
  python -m munit_tf.export --run=RUN --output=DIR --format=tflite --quantize=float16"""


@dataclasses.dataclass(frozen=True)
class ExportConfig(ModelConfig):
    """Export."""

    output: str = option(
        None,
        "model folder of the server; a subfolder with the next version number is created in it",
        path=True,
        required=True,
    )
    format: tuple[str, ...] = option(
        ("saved_model", "tflite"), "what to write, comma-separated", choices=("saved_model", "tflite")
    )
    quantize: str = option(
        "none",
        "quantization of TFLite files; float16: half the size; dynamic: 8-bit weights",
        choices=("none", "float16", "dynamic"),
    )
    max_pixels: int = option(
        2048 * 2048,
        "the SavedModel refuses images with more pixels, to limit the server's memory use",
        minimum=1,
        maximum=1_000_000_000,
    )


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    return command_line.run_command("munit_tf.export", USAGE, ExportConfig, _export, argv)


def _export(config: ExportConfig) -> None:
    import tensorflow as tf

    from munit_tf.runs import loading, run_folder
    from munit_tf.serving import exporter
    from munit_tf.terminal import say

    # TFLite files are checked against the CPU: a GPU with TF32 gives other results and is not needed.
    tf.config.set_visible_devices([], "GPU")
    # The weights are float32 with every training precision, and CPUs and TFLite need float32.
    model = loading.load(config.run, "float32", config.weights, config.averaged)
    rows = exporter.export(
        model,
        config.output,
        formats=config.format,
        quantize=config.quantize,
        max_pixels=config.max_pixels,
        image_size=run_folder.RunFolder.to_read(config.run).options().data.image_size,
    )
    print("Differences from the model in memory, for images in [-1, 1]:")
    print(f"{'':<18}{'largest':>10}{'mean':>10}")
    last_path = None
    for path, name, size, difference in rows:
        if path != last_path:
            say(f"{os.path.relpath(path)}  ({size / 2**20:.1f} MiB)")
            last_path = path
        print(f"  {name:<16}{difference.largest:>10.1e}{difference.mean:>10.1e}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
