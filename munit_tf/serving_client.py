"""Translates image files with TF Serving: `python -m munit_tf.serving_client --help`."""

import dataclasses
import os
import sys
from collections.abc import Sequence
from typing import Optional

# Set before TensorFlow is imported: shows only its fatal messages.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from munit_tf.cli import command_line
from munit_tf.config.schema import Config, option
from munit_tf.errors import InputError
from munit_tf.terminal import say

USAGE = """\
Sends image files to a TF Serving server with a model from munit_tf.export, and writes the translations:
OUT/STEM_0.png, OUT/STEM_1.png, ... for each image STEM.jpg, and their style codes in the same order to
OUT/STEM_styles.npy.

  python -m munit_tf.serving_client --input=FOLDER --direction=a2b --output=OUT
  python -m munit_tf.serving_client --rest=http://HOST:8501 --input=PHOTO --direction=b2a --output=OUT"""
PROGRAM = "munit_tf.serving_client"


@dataclasses.dataclass(frozen=True)
class ClientConfig(Config):
    """Client."""

    input: str = option(None, "images: a file, folder, glob or text file of paths", path=True, required=True)
    direction: str = option(None, "direction of translation", choices=("a2b", "b2a"), required=True)
    output: str = option(None, "folder for the results", path=True, required=True)
    server: Optional[str] = option(None, "HOST or HOST:PORT of the gRPC interface (default: localhost:8500)")
    rest: Optional[str] = option(None, "instead: use REST at http://HOST:PORT; the default REST port is 8501")
    model: str = option("munit", "the model's name on the server, as in models.config")
    version: Optional[int] = option(
        None, "the model's version (default: the newest)", minimum=1, maximum=2**63 - 1
    )
    timeout: float = option(120.0, "timeout for each image, in seconds", minimum=0.001, maximum=1e6)
    num_styles: Optional[int] = option(
        None,
        "number of random styles, the same for every image (default: 10)",
        minimum=1,
        maximum=1_000_000,
    )
    style_from: Optional[str] = option(
        None,
        "instead: use the styles in a .npy file [number, style_dim], for example OUT/STEM_styles.npy",
        path=True,
    )
    seed: int = option(0, "random seed of the styles, as in munit_tf.translate", minimum=0, maximum=2**32 - 1)
    resize: Optional[int] = option(
        None,
        "resize the shorter side before sending, in pixels (default: send images unchanged)",
        minimum=1,
        maximum=13_000,
        memory=True,
    )


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    return command_line.run_command(PROGRAM, USAGE, ClientConfig, _translate, argv)


def _translate(config: ClientConfig) -> None:
    if config.server and config.rest:
        raise InputError("--server and --rest exclude each other: give one of them")
    if config.num_styles and config.style_from:
        raise InputError("--num_styles and --style_from exclude each other: give one of them")
    if config.rest and not config.rest.startswith(("http://", "https://")):
        raise InputError(f"--rest={config.rest}: it must begin with http:// or https://")

    from munit_tf.data.sources import list_images

    files = list_images(config.input)

    from munit_tf.serving import batch_client, client

    server: client.Client
    if config.rest:
        server = client.RestClient(config.rest.rstrip("/"), config.model, config.version, config.timeout)
    else:
        address = config.server or "localhost"
        address = address if ":" in address else f"{address}:8500"
        server = client.GrpcClient(address, config.model, config.version, config.timeout)
    count = batch_client.translate_files(
        server,
        files,
        config.direction,
        config.output,
        num_styles=config.num_styles,
        seed=config.seed,
        style_from=config.style_from,
        resize=config.resize,
    )
    say(f"wrote {count} pictures of {len(files)} images to {os.path.relpath(config.output)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
