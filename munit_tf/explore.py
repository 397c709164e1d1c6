"""Serves a page to explore a trained model: `python -m munit_tf.explore --run=RUN`."""

import dataclasses
import importlib.util
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Optional

from munit_tf.config.options import ModelConfig
from munit_tf.config.schema import option
from munit_tf.errors import InputError

# Set before TensorFlow is imported: shows only its fatal messages.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

USAGE = """\
Serves a web page on this machine to explore a trained model: translations of images and uploads with
random, example-guided and interpolated styles, and a slider for each dimension of the style code.

  python -m munit_tf.explore --run=RUN

Open the address that it prints. The extra `explore` is required: pip install --editable '.[explore]'."""


@dataclasses.dataclass(frozen=True)
class ExploreConfig(ModelConfig):
    """Style explorer."""

    port: Optional[int] = option(
        None, "port on this machine (default: the first free port from 7860)", minimum=1, maximum=65535
    )
    max_pixels: int = option(
        1024 * 1024,
        "scale larger images down to this many pixels, to limit memory use",
        minimum=256,
        maximum=1_000_000_000,
        memory=True,
    )
    share: bool = option(
        False, "create a public address through Gradio's servers; anyone who knows it can use the page"
    )
    hosts: Optional[tuple[str, ...]] = option(
        None,
        "comma-separated other addresses of the page, behind a reverse proxy or forwarded port, for example "
        "localhost:9000",
    )

    def __post_init__(self) -> None:  # noqa: D105
        super().__post_init__()
        for host in self.hosts or ():
            if not re.fullmatch(r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d+)?", host):
                raise InputError(f"--hosts={host}: must be host names like localhost:9000 or www.example.com")


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    from munit_tf.cli import command_line

    return command_line.run_command("munit_tf.explore", USAGE, ExploreConfig, _explore, argv)


def _explore(options: ExploreConfig) -> None:
    if importlib.util.find_spec("gradio") is None:
        raise InputError(
            "the page needs Gradio, which is not installed: pip install --editable '.[explore]' in the "
            "checkout, with Python 3.10 or later"
        )
    from munit_tf.distribution import devices
    from munit_tf.explorer.model_service import ModelService
    from munit_tf.explorer.server import serve

    devices.set_up()
    # SystemExit makes the server remove visitors' files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    service = ModelService(options.run, options.max_pixels, options.weights, options.averaged)
    with serve(service, options.port, options.share, options.hosts or ()) as (address, public_address):
        print(f"open: {address} (Ctrl-C to stop)", flush=True)
        if public_address:
            print(f"public: {public_address}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
