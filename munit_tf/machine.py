"""How much memory there is, and an error of one line where it is not enough."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import re
import resource
from collections.abc import Iterator
from typing import Optional

from munit_tf.errors import InputError

_CGROUPS = pathlib.Path("/sys/fs/cgroup")
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def require(need: float, purpose: str, remedy: str, *, host: bool = False) -> None:
    """Refuses what certainly needs more memory than there is.

    Args:
        need: bytes that it takes at least.
        purpose: what takes them, as the beginning of a sentence that ends in "need" or "needs".
        remedy: what to do about it, as the end of one.
        host: they are this machine's, even if the networks run on a GPU.

    Raises:
        InputError: there is not as much; it names all of these and the memory that there is.
    """
    there, owner = host_memory() if host else memory()
    if need > there:
        raise InputError(
            f"{purpose} {to_text(need)} of memory or more, and {owner} has {to_text(there)}: {remedy}"
        )


def memory() -> tuple[float, str]:
    """(bytes, whose they are) of the memory that networks run in, in use or not."""
    import tensorflow as tf  # Commands print their help without it.

    return (_gpu_memory(), "the GPU") if tf.config.get_visible_devices("GPU") else host_memory()


def host_memory() -> tuple[float, str]:
    """(bytes, whose they are) of the memory that this process may use beside a GPU's, in use or not."""
    this_machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    allowed = min([*_cgroup_limits(), *_process_limits()], default=this_machine)
    return (allowed, "this process") if allowed < this_machine else (this_machine, "this machine")


@contextlib.contextmanager
def enough(remedy: str) -> Iterator[None]:
    """Raises an InputError in place of whatever says that memory has run out inside.

    Args:
        remedy: what to do about it, as the end of a sentence.
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


def to_text(count: float) -> str:
    """A number of bytes with three digits: `3.1 TiB`."""
    power = 0
    while count >= 1000 and power < len(_UNITS) - 1:
        count, power = count / 1024, power + 1
    return f"{count:.3g} {_UNITS[power]}"


def _gpu_memory() -> float:
    """Of the smallest GPU, what TensorFlow may take of it."""
    from tensorflow.python.client import device_lib  # TensorFlow has no public name for it.

    limits = [each.memory_limit for each in device_lib.list_local_devices() if each.device_type == "GPU"]
    return min(limits, default=float("inf"))


def _process_limits() -> list[int]:
    """What `ulimit` has set."""
    limits = [resource.getrlimit(each)[0] for each in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return [limit for limit in limits if limit != resource.RLIM_INFINITY]


def _cgroup_limits() -> list[int]:
    """What the groups that this process is in, on Linux, may use; containers are such groups."""
    limits = []
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
                continue  # A container sees its own group as the uppermost one.
            if text.isdecimal():
                limits.append(int(text))
    return limits


def _shortage(error: Optional[BaseException]) -> Optional[str]:
    """` (what was to be allocated)`, or an empty text; None for an error that has to do with other things.

    Keras and threads of TensorFlow raise errors of other types in its place, whose context it is then.
    """
    if error is None:
        return None
    text, kinds = str(error), {each.__name__ for each in type(error).__mro__}
    if (
        isinstance(error, MemoryError)
        or getattr(error, "errno", None) == errno.ENOMEM
        or ("ResourceExhaustedError" in kinds and not re.search("No space left|quota", text))
    ):
        found = re.search(
            r"tensor with shape ?\[[\d,]*\]|allocate .+ for an array with shape \([\d, ]*\)", text
        )
        return f" ({found[0]})" if found else ""
    return _shortage(error.__cause__ or error.__context__)
