"""Runs of the training command, each in a process of its own, that share the time of the imports.

`python tests/training/forked.py` reads a line for each, a JSON list of flags; it answers with the id of the
process, and when that has ended with its status, as subprocess has it. Steps are not compiled, which would
take longer than a few of them do.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys

import tensorflow as tf

from munit_tf import train
from munit_tf.training import loop  # noqa: F401


class Forked:
    """The other end.

    Args:
        cwd: the folder that the command runs in.
    """

    def __init__(self, cwd):
        self._stderr = cwd / "stderr.txt"
        self._running = None
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            cwd=cwd,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, *flags):
        """Starts the command; returns its process' id."""
        print(json.dumps([str(flag) for flag in flags]), file=self._process.stdin, flush=True)
        self._running = int(self._process.stdout.readline())
        return self._running

    @property
    def pid(self):
        """Of the process that forks; limits on its resources hold for those that it starts."""
        return self._process.pid

    def wait(self):
        """(status, standard error) of what was started, when it has ended."""
        status = int(self._process.stdout.readline())
        self._running = None
        return status, self._stderr.read_text()

    def close(self):
        """Ends it; a command that is running is killed."""
        if self._running:
            os.kill(self._running, signal.SIGKILL)
        self._process.stdin.close()
        self._process.wait()


def main():
    """Runs the commands."""
    tf.config.run_functions_eagerly(True)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            with open("stderr.txt", "wb") as file:
                os.dup2(file.fileno(), 2)
            os.dup2(2, 1)
            with contextlib.redirect_stdout(sys.stderr):
                status = train.main(json.loads(line))
            sys.stderr.flush()
            os._exit(status)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
