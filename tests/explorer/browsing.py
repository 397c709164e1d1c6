"""The command as a process, and visitors' browsers."""

import base64
import contextlib
import io
import os
import pathlib
import re
import signal
import subprocess
import sys

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).parent.parent.parent
# Writes down every host that the process looks up or connects to.
_LISTENER = """
import os, sys
def listen(event, arguments):
    if event in ("socket.getaddrinfo", "socket.connect"):
        host = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
        with open(os.environ["HOSTS"], "a") as file:
            print(host[0] if isinstance(host, tuple) else host, file=file)
sys.addaudithook(listen)
"""


class Server:
    """The process of `munit_tf.explore`, with its `address` and, in `folder`, what it leaves behind."""

    def __init__(self, folder, *flags):
        folder.mkdir()
        (folder / "tmp").mkdir()
        (folder / "sitecustomize.py").write_text(_LISTENER)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
            "HOSTS": str(folder / "hosts"),
            "TMPDIR": str(folder / "tmp"),
        }
        command = [sys.executable, "-m", "munit_tf.explore", *flags]
        with open(folder / "errors", "w") as errors:
            self._process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self.folder = folder
        line = self._process.stdout.readline()
        assert line.startswith("open: http://127.0.0.1:"), (folder / "errors").read_text()
        self.address = line.split()[1]

    def end(self):
        """Ends it as Ctrl-C does; returns its exit status."""
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(60)
        finally:
            self._process.kill()
            self._process.stdout.close()


def open_page(context, address, random=10):
    """A page that has shown all that it shows at first."""
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.goto(address)
    page.wait_for_function(f"document.querySelectorAll('.random img').length == {random}")
    return page


def shown(page, part):
    """The pixels of the picture in a part, uint8 [H,W,3]."""
    return pixels(base64.b64decode(page.get_attribute(f".{part} img", "src").partition(",")[2]))


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@contextlib.contextmanager
def changing(page, part="after"):
    """Waits until what is done inside has changed a part's picture."""
    before = page.get_attribute(f".{part} img", "src")
    yield
    page.wait_for_function(
        "([part, before]) => { const image = document.querySelector(`.${part} img`);"
        " return image && image.src != before }",
        arg=[part, before],
    )


def move(page, slider, value):
    with changing(page):
        page.fill(f".slider{slider} input[type=range]", str(value))


def upload(page, part, path):
    page.set_input_files(f".{part} input[type=file]", str(path))


def download(page, control, path):
    """Clicks a button and saves what comes; returns the name that the browser suggests."""
    with page.expect_download() as waiting:
        page.click(control)
    waiting.value.save_as(path)
    return waiting.value.suggested_filename


def note(page, part, pattern):
    """Waits for a text that fits in a part of the page."""
    page.locator(f".{part}").get_by_text(re.compile(pattern)).wait_for()


def refusal(page, pattern):
    """Waits for a message that fits, the only one, and closes it."""
    toast = page.locator(".toast-body.warning", has_text=re.compile(pattern))
    toast.wait_for()
    toast.get_by_test_id("toast-close").click()
    toast.wait_for(state="detached")
