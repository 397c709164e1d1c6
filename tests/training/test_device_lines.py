"""What training says about its devices, and that it sets them up as its flags say."""

import pytest
import tensorflow as tf

from munit_tf import train
from munit_tf.cli import command_line
from munit_tf.distribution import cuda, devices, half_precision
from munit_tf.distribution.workers import Workers
from munit_tf.errors import InputError
from munit_tf.runs.run_folder import CONFIGS
from munit_tf.training import loop


def test_the_devices_and_what_makes_them_slow_are_named(monkeypatch, capfd):
    monkeypatch.setattr(cuda, "why_no_gpu", lambda: "libcudnn.so.9 cannot be loaded")
    monkeypatch.setattr(half_precision, "read_cpu_flags", lambda: {"avx512f"})
    workers = Workers(tf.distribute.get_strategy())
    for precision, slow in (("float32", 0), ("bfloat16", 1), ("float16", 1)):
        options, _ = command_line.parse(["--dataset=shapes", f"--precision={precision}"], CONFIGS, ["shapes"])
        loop._open_dataset(options, workers)
        lines = capfd.readouterr().err.splitlines()
        cpu = "training on the CPU: TensorFlow finds no GPU, since libcudnn.so.9 cannot be loaded"
        assert lines.count(cpu) == 1
        assert sum(line.startswith(f"--precision={precision} is much slower") for line in lines) == slow


@pytest.mark.parametrize(
    ("flags", "given"), [([], (True, False)), (["--tf32=false", "--deterministic"], (False, True))]
)
def test_gpus_are_set_up_as_the_flags_say(monkeypatch, flags, given):
    received = []

    def set_up(*arguments):
        received.append(arguments)
        raise InputError("far enough")

    monkeypatch.setattr(devices, "set_up", set_up)
    assert train.main(["--dataset=shapes", *flags]) == 2
    assert received == [given]
