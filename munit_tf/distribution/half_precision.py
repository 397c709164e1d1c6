"""Whether this machine's CPU has instructions for half precision."""

from __future__ import annotations

import pathlib
from collections.abc import Collection
from typing import Optional

_INSTRUCTIONS = {"bfloat16": ("avx512_bf16", "amx_bf16"), "float16": ("avx512_fp16", "amx_fp16")}


def note(precision: str, cpu_flags: Collection[str]) -> Optional[str]:
    """A line that says that a precision is slow on this CPU, or None.

    Args:
        precision: "float32", "bfloat16" or "float16".
        cpu_flags: see `read_cpu_flags`; if empty, nothing is known.
    """
    needed = _INSTRUCTIONS.get(precision)
    if not needed or not cpu_flags or not set(needed).isdisjoint(cpu_flags):
        return None
    return (
        f"--precision={precision} is much slower than float32 on this CPU, which has no instructions for it: "
        "use --precision=float32"
    )


def read_cpu_flags(path: str = "/proc/cpuinfo") -> set[str]:
    """The names of the instruction sets of an x86 CPU on Linux; on other machines none."""
    try:
        lines = pathlib.Path(path).read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.split(":")[1].split()) for line in lines if line.startswith("flags")), set())
