"""The devices of a run."""

import resource
import sys

import tensorflow as tf

from munit_tf.distribution import workers
from munit_tf.errors import InputError


def set_up() -> None:
    """Configures TensorFlow for this process. Call it before TensorFlow runs its first operation."""
    if not tf.config.list_physical_devices("GPU"):
        # A resumed run must equal an uninterrupted one bit for bit. With several inter-op threads, the order
        # of additions differs between runs. Grappler's order of rewriting large graphs differs between
        # processes.
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def describe() -> str:
    """The available devices, in words."""
    gpus = len(tf.config.list_logical_devices("GPU"))
    return f"{gpus} GPU{'s' if gpus > 1 else ''}" if gpus else "the CPU: TensorFlow finds no GPU"


def make_strategy(name: str, batch_size: int) -> tf.distribute.Strategy:
    """The tf.distribute strategy for `--strategy`.

    Args:
        name: "auto", "mirrored", "multiworker" or "none". "multiworker" only works before TensorFlow's
            first operation.
        batch_size: images of each domain in one step, over all replicas.

    Raises:
        InputError: the replicas cannot get equal parts of the batch, or the workers cannot connect.
    """
    if name == "multiworker":
        strategy = workers.join()
    elif name == "mirrored" or (name == "auto" and len(tf.config.list_logical_devices("GPU")) > 1):
        strategy = tf.distribute.MirroredStrategy()
    else:
        strategy = tf.distribute.get_strategy()
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise InputError(
            f"--batch_size={batch_size} cannot be divided among {replicas} devices: give a multiple of "
            f"{replicas}, or --strategy=none to use one device"
        )
    return strategy


def peak_memory_mib() -> int:
    """The peak memory use so far, in MiB: of the first GPU, or of the process if there is no GPU."""
    if tf.config.list_logical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"] >> 20
    # In bytes on macOS, else in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)
