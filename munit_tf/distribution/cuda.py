"""What TensorFlow needs to run on an NVIDIA GPU: kernels for its compute capability, and CUDA's libraries."""

from __future__ import annotations

import ctypes
import glob
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Optional

import tensorflow as tf

Capability = tuple[int, int]

_DRIVER = "libcuda.so.1"
# The libraries of CUDA that TensorFlow loads, by CUDA's major version, each after those that it depends on.
# TensorFlow does not load cuRAND.
_LIBRARIES = {
    "12": (
        "libcudart.so.12",
        "libcublasLt.so.12",
        "libcublas.so.12",
        "libcufft.so.11",
        "libcusparse.so.12",
        "libcusolver.so.11",
    )
}
_SIGNS_OF_A_GPU = ("/proc/driver/nvidia", "/dev/nvidia0")


def compute_capability(gpu: tf.config.PhysicalDevice) -> Optional[Capability]:
    """The compute capability of a GPU, for example (9, 0); None if it is not NVIDIA's."""
    return tf.config.experimental.get_device_details(gpu).get("compute_capability")


def has_tf32(capability: Optional[Capability]) -> bool:
    """Whether a GPU can compute products of float32 numbers in TF32."""
    return capability is not None and capability >= (8, 0)


def compilation_note(capabilities: Iterable[Optional[Capability]], build: Mapping[str, Any]) -> Optional[str]:
    """A line that says that TensorFlow must compile kernels for a GPU, or None.

    Args:
        capabilities: the compute capabilities of the GPUs.
        build: tf.sysconfig.get_build_info().
    """
    built = build.get("cuda_compute_capabilities", [])
    for capability in capabilities:
        if capability and built and not _has_kernels(capability, built):
            number = ".".join(map(str, capability))
            return (
                f"TensorFlow {tf.__version__} has no kernels for this GPU's compute capability, {number}: it "
                "compiles them at the first start, which takes up to 30 minutes"
            )
    return None


def _has_kernels(capability: Capability, built: Iterable[str]) -> bool:
    """Whether a build has kernels that run on a GPU without being compiled first.

    Args:
        capability: the GPU's compute capability.
        built: for example ["sm_75", "compute_80"]; both kinds come with kernels of that capability. They also
            run on a GPU with the same major number and a larger minor one.
    """
    major, minor = capability
    numbers = [int(re.sub(r"\D", "", each)) for each in built]
    return any(number // 10 == major and number % 10 <= minor for number in numbers)


def why_no_gpu() -> str:
    """Why TensorFlow finds no GPU on this machine, in words; "" if it has none or the reason is unknown."""
    if not is_gpu_present():
        return ""
    build = tf.sysconfig.get_build_info()
    packages = os.path.dirname(os.path.dirname(tf.__file__))
    missing = missing_libraries(build, lambda name: _load(name, packages))
    return reason(build, os.environ.get("CUDA_VISIBLE_DEVICES"), missing)


def is_gpu_present() -> bool:
    """Whether this machine has an NVIDIA GPU or its driver's programs, usable by TensorFlow or not."""
    return any(map(os.path.exists, _SIGNS_OF_A_GPU)) or shutil.which("nvidia-smi") is not None


def reason(build: Mapping[str, Any], visible: Optional[str], missing: Collection[str]) -> str:
    """Why TensorFlow finds no GPU although there is one, in words; "" if unknown.

    Args:
        build: tf.sysconfig.get_build_info().
        visible: the value of CUDA_VISIBLE_DEVICES, or None.
        missing: the libraries that cannot be loaded.
    """
    if not build.get("is_cuda_build"):
        return "this TensorFlow is built without CUDA"
    if visible is not None and visible.strip() in ("", "-1"):
        return f"CUDA_VISIBLE_DEVICES={visible} hides it"
    if not missing:
        return ""
    remedy = ": install NVIDIA's driver" if _DRIVER in missing else ": pip install 'tensorflow[and-cuda]'"
    return f"{', '.join(missing)} cannot be loaded{remedy}"


def missing_libraries(build: Mapping[str, Any], load: Callable[[str], object]) -> list[str]:
    """The names of the libraries that TensorFlow needs for a GPU and that cannot be loaded.

    Args:
        build: tf.sysconfig.get_build_info().
        load: loads the library of a name; raises OSError, whose message begins with the name of the file that
            is missing or wrong: the library, or one that it depends on.
    """
    major = str(build.get("cuda_version", "")).split(".")[0]
    names = [_DRIVER, *_LIBRARIES.get(major, ())]
    if build.get("cudnn_version"):
        names.append(f"libcudnn.so.{build['cudnn_version']}")
    missing: dict[str, None] = {}
    for name in names:
        try:
            load(name)
        except OSError as error:
            missing[str(error).split(":")[0]] = None
    return list(missing)


def _load(name: str, packages: str) -> None:
    """Loads a library like TensorFlow: from the packages nvidia-*-cu12, or else from the system."""
    paths = glob.glob(os.path.join(glob.escape(packages), "nvidia", "*", "lib", name))
    # Global, so that the libraries that depend on it find it.
    ctypes.CDLL(paths[0] if paths else name, mode=ctypes.RTLD_GLOBAL)
