"""What TensorFlow needs to run on an NVIDIA GPU, for builds and machines that are only described."""

import shutil
from importlib import import_module

import pytest
import tensorflow as tf

from munit_tf.distribution import cuda

# Of the wheels of TensorFlow 2.15.1 and 2.21.
BUILDS = {
    "2.15": {
        "cuda_compute_capabilities": ["sm_50", "sm_60", "sm_70", "sm_75", "compute_80"],
        "cuda_version": "12.2",
        "cudnn_version": "8",
        "is_cuda_build": True,
    },
    "2.21": {
        "cuda_compute_capabilities": ["sm_60", "sm_70", "sm_80", "sm_89", "compute_90"],
        "cuda_version": "12.5.1",
        "cudnn_version": "9",
        "is_cuda_build": True,
    },
}
CUDA_12 = [
    "cudart.so.12",
    "cublasLt.so.12",
    "cublas.so.12",
    "cufft.so.11",
    "cusparse.so.12",
    "cusolver.so.11",
]


@pytest.mark.parametrize(
    ("build", "capability", "compiles"),
    [
        ("2.15", (7, 5), False),
        ("2.15", (8, 0), False),
        ("2.15", (8, 6), False),  # Runs kernels for 8.0.
        ("2.15", (9, 0), True),
        ("2.15", (12, 0), True),
        ("2.21", (7, 5), False),
        ("2.21", (8, 9), False),
        ("2.21", (9, 0), False),
        ("2.21", (10, 0), True),
        ("2.21", (12, 0), True),
        ("2.21", None, False),  # Not NVIDIA's.
    ],
)
def test_kernels_are_compiled_for_a_newer_gpu(build, capability, compiles):
    line = cuda.compilation_note([(7, 5), capability], BUILDS[build])
    assert (line is not None) == compiles
    if compiles:
        assert f"compute capability, {capability[0]}.{capability[1]}:" in line and "30 minutes" in line
    assert cuda.compilation_note([capability], {}) is None


def test_minor_numbers_do_not_run_kernels_of_larger_ones():
    assert cuda.compilation_note([(8, 0)], {"cuda_compute_capabilities": ["sm_86", "sm_120"]})
    assert not cuda.compilation_note([(12, 1)], {"cuda_compute_capabilities": ["sm_86", "sm_120"]})


def missing(build, absent):
    def load(name):
        if name in absent:
            raise OSError(f"{absent[name]}: cannot open shared object file: No such file or directory")
        loaded.append(name)

    loaded = []
    return cuda.missing_libraries(build, load), loaded


@pytest.mark.parametrize(("build", "cudnn"), [("2.15", "libcudnn.so.8"), ("2.21", "libcudnn.so.9")])
def test_missing_libraries_are_named(build, cudnn):
    everything = ["libcuda.so.1", *(f"lib{name}" for name in CUDA_12), cudnn]
    assert missing(BUILDS[build], {}) == ([], everything)
    assert missing(BUILDS[build], {name: name for name in everything}) == (everything, [])
    assert missing(BUILDS[build], {cudnn: cudnn})[0] == [cudnn]


def test_a_library_that_another_one_needs_is_named_once():
    needed = "libnvJitLink.so.12"
    assert missing(BUILDS["2.21"], {"libcusparse.so.12": needed, "libcusolver.so.11": needed})[0] == [needed]


@pytest.mark.parametrize(
    ("build", "visible", "absent", "text"),
    [
        ({"is_cuda_build": False}, None, [], "this TensorFlow is built without CUDA"),
        (BUILDS["2.15"], "", [], "CUDA_VISIBLE_DEVICES= hides it"),
        (BUILDS["2.15"], "-1", ["libcudnn.so.8"], "CUDA_VISIBLE_DEVICES=-1 hides it"),
        (BUILDS["2.15"], "0", [], ""),
        (
            BUILDS["2.15"],
            None,
            ["libcublas.so.12", "libcudnn.so.8"],
            "libcublas.so.12, libcudnn.so.8 cannot be loaded: pip install 'tensorflow[and-cuda]'",
        ),
        (BUILDS["2.15"], None, ["libcuda.so.1"], "libcuda.so.1 cannot be loaded: install NVIDIA's driver"),
    ],
)
def test_reasons(build, visible, absent, text):
    assert cuda.reason(build, visible, absent) == text


def test_libraries_of_packages_are_found(tmp_path):
    """NVIDIA's packages put libraries where the system does not look."""
    name = "libcudnn.so.9"
    with pytest.raises(OSError, match=rf"^{name}: "):
        cuda._load(name, str(tmp_path))
    folder = tmp_path / "nvidia" / "cudnn" / "lib"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(b"no library")
    with pytest.raises(OSError, match=rf"^{folder / name}: "):
        cuda._load(name, str(tmp_path))
    shutil.copy(import_module("_ctypes").__file__, folder / name)
    cuda._load(name, str(tmp_path))


def test_a_machine_without_a_gpu_needs_no_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(cuda, "_SIGNS_OF_A_GPU", (str(tmp_path / "nvidia0"),))
    assert not cuda.is_gpu_present() and cuda.why_no_gpu() == ""
    (tmp_path / "nvidia0").touch()
    assert cuda.is_gpu_present()
    (tmp_path / "nvidia0").unlink()
    (tmp_path / "nvidia-smi").touch(mode=0o755)
    assert cuda.is_gpu_present()


def test_a_machine_whose_gpu_is_not_used_gets_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(cuda, "_SIGNS_OF_A_GPU", (str(tmp_path),))
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: BUILDS["2.21"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def load(name, packages):
        assert packages == tf.__file__.rsplit("/", 2)[0]
        if "cudnn" in name:
            raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(cuda, "_load", load)
    assert cuda.why_no_gpu().startswith("libcudnn.so.9 cannot be loaded: ")
