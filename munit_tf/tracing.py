"""What a graph that is being traced will run on."""

import contextlib
import contextvars

import tensorflow as tf

_portable = contextvars.ContextVar("portable", default=False)


@contextlib.contextmanager
def portable():
    """What is traced inside is for other machines and runtimes, too: TensorFlow's usual operations only."""
    token = _portable.set(True)
    try:
        yield
    finally:
        _portable.reset(token)


def is_portable():
    """Whether the graph must run anywhere."""
    return _portable.get()


def is_for_cpu():
    """Whether the graph runs on this machine's CPU and nowhere else."""
    return not is_portable() and not tf.config.list_physical_devices("GPU")
