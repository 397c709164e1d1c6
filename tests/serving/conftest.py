"""A tiny model, its export, and a server of it: made once, since tracing takes seconds."""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from conformance.methods import tiny
from PIL import Image
from serving.session import Version

from munit_tf.serving import exporter

MAX_PIXELS = 20_000


@dataclasses.dataclass
class Server:
    """A running server process."""

    grpc: str
    rest: str
    process: subprocess.Popen


@contextlib.contextmanager
def serving(folder, *flags):
    """Runs server.py with the versions in a folder, under the name "tiny"."""
    program = pathlib.Path(__file__).parent / "server.py"
    command = [sys.executable, str(program), str(folder), "tiny", *flags]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process=process, **json.loads(process.stdout.readline()))
        finally:
            process.kill()


@pytest.fixture(scope="session")
def model():
    keras.utils.set_random_seed(7)
    return tiny("munit")


@pytest.fixture(scope="session")
def exported(model, tmp_path_factory):
    """A folder with version 1."""
    folder = tmp_path_factory.mktemp("exported")
    formats = ("saved_model",)
    exporter.export(
        model, folder, formats=formats, quantize="none", max_pixels=MAX_PIXELS, image_size=(16, 20)
    )
    return folder


@pytest.fixture(scope="session")
def server(exported, tmp_path_factory):
    """Serves it as versions 1 and 7."""
    folder = tmp_path_factory.mktemp("served")
    for version in ("1", "7"):
        shutil.copytree(exported / "1", folder / version)
    with serving(folder) as running:
        yield running


@pytest.fixture(scope="session")
def session(exported):
    """Version 1 in a Session of this process."""
    return Version(exported / "1")


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Files of every kind, under names whose order is known."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)

    def photo(height, width):
        return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))

    exif = Image.Exif()
    exif[0x0112] = 6
    photo(18, 25).save(folder / "a.jpg", quality=90)
    photo(18, 25).save(folder / "b.turned.jpg", quality=90, exif=exif)
    photo(7, 9).save(folder / "c.png")
    photo(20, 16).save(folder / "d.webp", lossless=True)
    translucent = photo(16, 16)
    translucent.putalpha(100)
    translucent.save(folder / "e.png")
    Image.fromarray(rng.integers(0, 65536, (17, 16), dtype=np.uint16)).save(folder / "f.png")
    return folder


@pytest.fixture(params=["grpc", "rest"])
def where(request, server):
    return {"grpc": f"--server={server.grpc}", "rest": f"--rest={server.rest}"}[request.param]
