"""Which CPUs are slow in half precision."""

import pytest

from munit_tf.distribution import half_precision


@pytest.mark.parametrize(
    ("precision", "cpu_flags", "slow"),
    [
        ("bfloat16", {"avx512f"}, True),
        ("bfloat16", {"avx512f", "avx512_bf16"}, False),
        ("bfloat16", {"avx512f", "amx_bf16"}, False),
        ("bfloat16", {"avx512_fp16"}, True),
        ("float16", {"avx512f", "avx512_bf16", "amx_bf16"}, True),
        ("float16", {"avx512_fp16"}, False),
        ("float16", {"amx_fp16"}, False),
        ("float32", {"avx512f"}, False),
        ("bfloat16", set(), False),  # Nothing is known.
    ],
)
def test_slow_without_instructions(precision, cpu_flags, slow):
    line = half_precision.note(precision, cpu_flags)
    assert (line is not None) == slow
    if slow:
        assert line.startswith(f"--precision={precision} is much slower") and "\n" not in line
        assert line.endswith("use --precision=float32")


def test_flags_of_cpuinfo(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nvmx flags\t: vnmi\nflags\t\t: fpu avx512_bf16 \n\nflags\t\t: fpu\n")
    assert half_precision.read_cpu_flags(path) == {"fpu", "avx512_bf16"}
    path.write_text("processor\t: 0\nFeatures\t: fp asimd bf16\n")
    assert half_precision.read_cpu_flags(path) == set()
    assert half_precision.read_cpu_flags(tmp_path / "missing") == set()
