"""How what is being traced is going to run: on which devices, and with how much memory."""

import contextlib
import contextvars
import functools

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
    return not is_portable() and not tf.config.get_visible_devices("GPU")


def sizes(x):
    """The sizes of `x`'s axes: int where they are known, else scalar tensors."""
    if None not in x.shape:
        return list(x.shape)
    dynamic = tf.shape(x)
    return [dynamic[i] if size is None else size for i, size in enumerate(x.shape)]


def constant(function, *arguments):
    """function(*arguments), a tensor or several: if no argument is a tensor a graph's is worked out now.

    The graph has it as one input, then, however often it is used. As nodes, which portable graphs need, it
    would be in each of the copies that TensorFlow makes of a graph.

    Args:
        function: pure, and the same object every time.
        *arguments: tensors, or what can be hashed.
    """
    if tf.executing_eagerly() or any(isinstance(each, tf.Tensor) for each in arguments):
        return function(*arguments)
    result = _evaluated(function, *arguments)
    return tf.nest.map_structure(lambda x: tf.constant(x.numpy()), result) if is_portable() else result


@functools.lru_cache(maxsize=64)
def _evaluated(function, *arguments):
    with tf.init_scope(), tf.device("CPU:0"):
        return function(*arguments)
