"""Commands of the package in processes of their own, forked from one that has imported TensorFlow.

An import takes longer than the few steps of most tests.
"""

import importlib
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from typing import Optional

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["munit_tf.training.loop", "munit_tf.inference.batch_translate"])


class Command:
    """A running `python -m munit_tf.NAME FLAGS`; kills it at the end of a `with` block.

    Args:
        name: of the command.
        *flags: its arguments.
        cwd: the folder that it runs in.
        environment: {variable: value} to set.
        eager: whether it does not compile its steps, which takes longer than a few of them do.
        largest_file: the most bytes of a file that it can write; None: any number.
    """

    def __init__(
        self,
        name: str,
        *flags: object,
        cwd: pathlib.Path,
        environment: Optional[dict[str, str]] = None,
        eager: bool = False,
        largest_file: Optional[int] = None,
    ):
        self._folder = tempfile.TemporaryDirectory(prefix="command-")
        self._process = _CONTEXT.Process(
            target=_run,
            daemon=True,  # It ends with the tests, also if one of them has failed.
            args=(name, list(map(str, flags)), str(cwd), self._folder.name),
            kwargs=dict(environment=environment or {}, eager=eager, largest_file=largest_file),
        )
        self._process.start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._process.kill()
        self.wait()

    def poll(self) -> Optional[int]:
        """Its exit status, negative for a signal; None while it runs."""
        return self._process.exitcode

    def wait(self) -> int:
        """Its exit status, when it has ended."""
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return self._output("stdout")

    @property
    def stderr(self) -> str:
        """What it has printed so far."""
        return self._output("stderr")

    def _output(self, name):
        path = pathlib.Path(self._folder.name, name)
        return path.read_text() if path.exists() else ""


def run(name: str, *flags: object, check: bool = True, **options) -> subprocess.CompletedProcess:
    """Runs a command to its end; see `Command`. With `check`, its status must be 0."""
    with Command(name, *flags, **options) as command:
        status = command.wait()
        result = subprocess.CompletedProcess([name, *flags], status, command.stdout, command.stderr)
    assert status == 0 or not check, result.stderr
    return result


def _run(name, flags, cwd, output, environment, eager, largest_file):
    for descriptor, stream in ((1, "stdout"), (2, "stderr")):
        with open(os.path.join(output, stream), "wb") as file:
            os.dup2(file.fileno(), descriptor)
    os.chdir(cwd)
    os.environ.update(environment)
    if largest_file:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, hard))
    if eager:
        import tensorflow as tf

        tf.config.run_functions_eagerly(True)
    sys.exit(importlib.import_module(f"munit_tf.{name}").main(flags))
