"""The memory of this machine, and one-line errors if it is not sufficient."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Optional

from munit_tf.errors import InputError

_CGROUPS = pathlib.Path("/sys/fs/cgroup")
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def require(need: float, purpose: str, remedy: str, *, host: bool = False) -> None:
    """Refuses work that certainly needs more memory than available.

    Args:
        need: a lower bound on the memory needed, in bytes.
        purpose: what needs it: the beginning of a sentence, ends with "need" or "needs".
        remedy: how to reduce it: the end of the sentence.
        host: the memory is this machine's, even if the networks run on a GPU.

    Raises:
        InputError: less memory is available; the message names all of these.
    """
    available, owner = host_memory() if host else memory()
    if need > available:
        raise InputError(
            f"{purpose} {to_text(need)} of memory or more, and {owner} has {to_text(available)}: {remedy}"
        )


def memory() -> tuple[float, str]:
    """(total bytes, owner in words) of the memory that networks use: a GPU's, or the host's."""
    import tensorflow as tf  # Slow; `--help` does not need it.

    return (_gpu_memory(), "the GPU") if tf.config.get_visible_devices("GPU") else host_memory()


@functools.lru_cache(maxsize=1)  # `translate` asks once per image.
def host_memory() -> tuple[float, str]:
    """(total bytes, owner in words) of the main memory that this process may use."""
    if not hasattr(os, "sysconf"):  # Windows: nothing is estimated.
        return float("inf"), "this machine"
    this_machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    allowed = min([*_cgroup_limits(), *_process_limits()], default=this_machine)
    return (allowed, "this process") if allowed < this_machine else (this_machine, "this machine")


@contextlib.contextmanager
def enough(remedy: str) -> Iterator[None]:
    """Converts out-of-memory errors in the block to InputError.

    Args:
        remedy: how to use less memory: the end of the message.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = _shortage(error)
        if reason is None:
            raise
        raise InputError(f"there is not enough memory{reason}: {remedy}") from error


def is_shortage(error: BaseException) -> bool:
    """Whether an error, or one that it was raised from, says that memory ran out."""
    return _shortage(error) is not None


def to_text(count: float) -> str:
    """A number of bytes with three significant digits, for example `3.1 TiB`."""
    power = 0
    while count >= 999.5 and power < len(_UNITS) - 1:
        count, power = count / 1024, power + 1
    return f"{count:.3g} {_UNITS[power]}"


@functools.lru_cache(maxsize=1)
def _gpu_memory() -> float:
    """The memory that TensorFlow may use of the smallest GPU, in bytes."""
    from tensorflow.python.client import device_lib  # TensorFlow has no public API for this.

    limits = [each.memory_limit for each in device_lib.list_local_devices() if each.device_type == "GPU"]
    return min(limits, default=float("inf"))


def _process_limits() -> list[int]:
    """The limits set with `ulimit`, in bytes."""
    import resource  # Not on Windows.

    limits = [resource.getrlimit(each)[0] for each in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return [limit for limit in limits if limit != resource.RLIM_INFINITY]


def _cgroup_limits() -> list[int]:
    """The limits of this process' control groups on Linux, in bytes; they include a container's limits."""
    limits: list[int] = []
    try:
        groups = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return limits
    for group in groups:
        _, controllers, path = group.split(":", 2)
        if controllers == "":
            folder, name = _CGROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            folder, name = _CGROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        own = folder / path.lstrip("/")
        for each in (own, *own.parents):
            try:
                text = (each / name).read_text().strip()
            except OSError:
                continue  # In a container its own group is the root.
            if text.isdecimal():
                limits.append(int(text))
    return limits


def _shortage(error: Optional[BaseException]) -> Optional[str]:
    """What could not be allocated, as ` (...)`, or "" if unknown; None if the error has another cause.

    Keras and TensorFlow's threads may raise another error, with the original one as its cause or context.
    """
    if error is None:
        return None
    text, kinds = str(error), {each.__name__ for each in type(error).__mro__}
    if (
        isinstance(error, MemoryError)
        or getattr(error, "errno", None) == errno.ENOMEM
        or ("ResourceExhaustedError" in kinds and not re.search("No space left|quota", text))
    ):
        allocation = re.search(
            r"tensor with shape ?\[[\d,]*\]|allocate .+ for an array with shape \([\d, ]*\)", text
        )
        return f" ({allocation[0]})" if allocation else ""
    return _shortage(error.__cause__ or error.__context__)
