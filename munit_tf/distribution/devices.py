"""The devices of a run."""

import resource
import sys
from typing import Optional

import tensorflow as tf

from munit_tf.distribution import cuda, half_precision, workers
from munit_tf.errors import InputError
from munit_tf.terminal import say


def set_up(tf32: bool = True, deterministic: bool = False) -> None:
    """Configures TensorFlow for this process. Call it before TensorFlow runs its first operation.

    Args:
        tf32: as for `set_up_gpus`.
        deterministic: whether GPUs repeat their results bit for bit; CPUs always do. Then TensorFlow's
            random operations need a seed (`keras.utils.set_random_seed`).
    """
    if tf.config.get_visible_devices("GPU"):
        set_up_gpus(tf32)
        if deterministic:
            tf.config.experimental.enable_op_determinism()
    else:
        # A resumed run must equal an uninterrupted one bit for bit. Grappler rewrites a large graph
        # differently in each process, so that sums are rounded differently.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def set_up_gpus(tf32: bool = True) -> None:
    """Configures TensorFlow's use of GPUs; without one it does nothing.

    `set_up` calls it; a command that need not be repeatable on CPUs can call it instead. Prints a line if
    TensorFlow must compile kernels for a GPU.

    Args:
        tf32: whether GPUs multiply float32 numbers in TF32, if they support it.
    """
    gpus = tf.config.get_visible_devices("GPU")
    if not gpus:
        return
    for gpu in gpus:
        # By default the first process takes all memory of a GPU, and a second one finds none.
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.experimental.enable_tensor_float_32_execution(tf32)
    capabilities = [cuda.compute_capability(gpu) for gpu in gpus]
    if tf32 and all(map(cuda.has_tf32, capabilities)):
        # In TF32 convolutions run in NHWC. Grappler would turn a float32 training step to NCHW, and add
        # hundreds of transposes. Without TF32 they run in NCHW, each with its own transposes; Grappler needs
        # fewer.
        tf.config.optimizer.set_experimental_options({"layout_optimizer": False})
    note = cuda.compilation_note(capabilities, tf.sysconfig.get_build_info())
    if note:
        say(note, file=sys.stderr)


def describe(strategy: str, batch_size: int) -> str:
    """The devices of a run, in words.

    Args:
        strategy: as for `make_strategy`.
        batch_size: as for `make_strategy`.
    """
    gpus = tf.config.get_visible_devices("GPU")
    if not gpus:
        reason = "" if tf.config.list_physical_devices("GPU") else cuda.why_no_gpu()
        return f"the CPU: TensorFlow finds no GPU{reason and f', since {reason}'}"
    used = gpus_used(strategy, batch_size, len(gpus))
    text = f"{used} of {len(gpus)} GPUs" if used < len(gpus) else f"{used} GPU{'s' if used > 1 else ''}"
    if tf.config.experimental.tensor_float_32_execution_enabled() and any(
        cuda.has_tf32(cuda.compute_capability(gpu)) for gpu in gpus[:used]
    ):
        text += ", float32 in TF32 (--tf32=false: in full)"
    if strategy == "auto" and used < len(gpus):
        text += f"; --batch_size={batch_size} cannot be divided among more"
    return text


def precision_note(precision: str) -> Optional[str]:
    """A line that says that a precision is slow on the devices of this machine, or None.

    Args:
        precision: "float32", "bfloat16" or "float16".
    """
    if tf.config.get_visible_devices("GPU"):
        return None
    return half_precision.note(precision, half_precision.read_cpu_flags())


def gpus_used(strategy: str, batch_size: int, available: int) -> int:
    """How many of this machine's GPUs `--strategy` uses.

    Args:
        strategy: as for `make_strategy`.
        batch_size: as for `make_strategy`.
        available: the number of GPUs of this machine.
    """
    if strategy == "auto":
        return max((n for n in range(1, available + 1) if batch_size % n == 0), default=0)
    return min(available, 1) if strategy == "none" else available


def make_strategy(name: str, batch_size: int) -> tf.distribute.Strategy:
    """The tf.distribute strategy for `--strategy`.

    Args:
        name: "auto", "mirrored", "multiworker" or "none". "multiworker" only works before TensorFlow's
            first operation. "auto" uses as many GPUs as can get equal parts of the batch.
        batch_size: images of each domain in one step, over all replicas.

    Raises:
        InputError: the replicas cannot get equal parts of the batch, or the workers cannot connect.
    """
    used = gpus_used(name, batch_size, len(tf.config.get_visible_devices("GPU")))
    if name == "multiworker":
        strategy = workers.join()
    elif name == "mirrored":
        strategy = tf.distribute.MirroredStrategy()
    elif name == "auto" and used > 1:
        strategy = tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(used)])
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
