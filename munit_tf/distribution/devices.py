"""Which devices a run uses."""

import resource
import sys

import tensorflow as tf

from munit_tf.distribution import workers
from munit_tf.errors import InputError


def set_up():
    """Settings that hold for the whole process; to be called before TensorFlow runs its first operation."""
    if not tf.config.list_physical_devices("GPU"):
        # A resumed run is to be the uninterrupted one bit for bit. With more threads between operations
        # sums are added in another order from run to run, and Grappler rewrites large graphs in an
        # order that differs from process to process.
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def describe():
    """The devices that there are, in words."""
    gpus = len(tf.config.list_logical_devices("GPU"))
    return f"{gpus} GPU{'s' if gpus > 1 else ''}" if gpus else "the CPU: TensorFlow finds no GPU"


def make_strategy(name, batch_size):
    """The tf.distribute strategy that `--strategy` names.

    Args:
        name: "auto", "mirrored", "multiworker" or "none"; "multiworker" before TensorFlow's first operation.
        batch_size: images of each domain in one step, over all replicas.

    Raises:
        InputError: the batch cannot be shared out evenly, or the workers do not come together.
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
            f"--batch_size={batch_size} cannot be shared out over {replicas} devices: it is the batch over "
            f"all of them; take a multiple of {replicas}, or --strategy=none for one device"
        )
    return strategy


def peak_memory_mib():
    """The most memory in use so far, in MiB: the GPU's, or the process' where there is none."""
    if tf.config.list_logical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"] >> 20
    # In KiB, but on macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)
