"""The benchmark's tool: what it counts, on a network small enough to count by hand."""

import os

import benchmark
import pytest
import tensorflow as tf

from munit_tf.cli import command_line
from munit_tf.distribution import devices
from munit_tf.errors import InputError
from munit_tf.runs.run_folder import CONFIGS

FLAGS = (
    "--image_size=32 --resize=32 --gen_dim=1 --dis_dim=1 --num_downsample=1 --num_res_blocks=1 --num_scales=1"
    " --num_dis_layers=2 --mlp_dim=2 --style_dim=1"
)
CONTENT_ENCODER = 2 * (49 * 3 * 1 * 32**2 + 16 * 1 * 2 * 16**2 + 2 * 9 * 2 * 2 * 16**2)
DECODER = 2 * (2 * 9 * 2 * 2 * 16**2 + 25 * 2 * 1 * 32**2 + 49 * 1 * 3 * 32**2)
STYLE_ENCODER = 2 * (49 * 3 * 1 * 32**2 + 16 * (1 * 2 * 16**2 + 2 * 4 * 8**2 + 4 * 4 * 4**2 + 4 * 4 * 2**2))
DISCRIMINATOR = 2 * (16 * 3 * 1 * 16**2 + 16 * 1 * 2 * 8**2 + 2 * 1 * 8**2)


BATCH_SIZE = 2


def measure(more=""):
    options, _ = command_line.parse(f"{FLAGS} --batch_size={BATCH_SIZE} {more}".split(), CONFIGS)
    return benchmark._measure(options, 1, None)


@pytest.fixture(scope="module")
def one():
    """What is measured on one device."""
    return measure()


@pytest.fixture
def known_peak(monkeypatch):
    """The peak is not measured, which takes seconds."""
    monkeypatch.setattr(benchmark, "_peak_of_convolution", lambda tf, batch_size, depth: 100.0)


def test_operations_are_those_of_the_authors_step(one):
    assert_right(one)


def test_recomputation_for_a_gradient_is_not_counted(known_peak):
    assert_right(measure("--recompute"))


def assert_right(row):
    assert row["translate_gflop"] * 1e9 == pytest.approx(BATCH_SIZE * (CONTENT_ENCODER + DECODER))
    # Without cycle. Discriminators: one real image and one fake each. Generators: contents and fakes for
    # either update; in their own also both styles, the fakes' codes, the reconstructions and the logits.
    discriminators = 3 * 4 * DISCRIMINATOR
    generate = 4 * 2 * (CONTENT_ENCODER + DECODER)
    losses = 3 * 2 * (2 * STYLE_ENCODER + CONTENT_ENCODER + DECODER + DISCRIMINATOR)
    assert row["step_gflop"] * 1e9 == pytest.approx(BATCH_SIZE * (discriminators + generate + losses))
    assert row["step_seconds"] > 0 and row["translate_seconds"] > 0 and row["translate_called_seconds"] > 0
    assert row["peak_memory_mib"] > 100
    rate = row["step_gflop"] / row["step_seconds"]
    assert row["step_of_peak"] == pytest.approx(rate / row["peak_gflops"])
    line = benchmark._table([dict(row, size="32x32", batch_size=BATCH_SIZE, precision="float32")])[1]
    assert line.split()[:3] == ["32x32", str(BATCH_SIZE), "float32"]


def test_several_replicas_share_a_step(one, monkeypatch, mirrored, known_peak):
    """Together they take the step of one device with the same batch."""
    monkeypatch.setattr(devices, "make_strategy", lambda name, batch_size: mirrored)
    two = measure()
    assert (one["replicas"], two["replicas"]) == (1, 2)
    assert two["step_gflop"] == pytest.approx(one["step_gflop"])
    assert two["translate_gflop"] == pytest.approx(one["translate_gflop"])
    assert two["images_per_second"] == pytest.approx(2 / two["step_seconds"])
    rate = two["step_gflop"] / two["step_seconds"]
    assert two["step_of_peak"] == pytest.approx(rate / (2 * two["peak_gflops"]))


def test_convolutions_of_the_peak_follow_one_another():
    """So a GPU has work for milliseconds in one call, and none of it can be left out."""
    function, arguments, gflop = benchmark._convolutions(tf, batch_size=2, size=8, channels=4, depth=5)
    assert gflop * 1e9 == 5 * 2 * (9 * 4 * 4) * 2 * 8**2
    concrete = function.get_concrete_function(*arguments)
    convolutions = [op for op in concrete.graph.get_operations() if op.type == "Conv2D"]
    assert len(convolutions) == 5
    for earlier, later in zip(convolutions, convolutions[1:]):
        assert later.inputs[0] is earlier.outputs[0]
    assert 0.1 < function(*arguments).numpy() < 100
    work = benchmark._GPU_WORK
    assert (
        work["batch_size"] * work["depth"] * 2 * 9 * 256**2 * 64**2 > 1e12
    )  # Milliseconds at 1e14 per second.


def test_several_machines_are_refused(capsys):
    assert benchmark.main(["--strategy=multiworker"]) == 2
    assert "one machine is measured" in capsys.readouterr().err


def test_a_pool_of_images_does_not_hide_their_number(known_peak):
    flags = "--gen_dim=1 --dis_dim=1 --num_dis_layers=1 --num_res_blocks=1 --resize=16 --image_size=16"
    options, _ = command_line.parse(["--method=cyclegan", *flags.split()], CONFIGS)
    row = benchmark._measure(options, 1, None)
    # Fakes for either update, the way back, the identity, each with a gradient once; the discriminators.
    generator = row["translate_gflop"]
    assert row["step_gflop"] > (4 + 3 + 3) * 2 * generator


def test_a_process_that_is_killed_is_named():
    with pytest.raises(InputError, match="killed, probably out of memory"):
        benchmark._in_new_process(os.abort)


@pytest.mark.parametrize("flag", ["--sizes=0", "--sizes=64,x", "--batch_sizes=1.5", "--precisions=int8"])
def test_bad_flags(flag, capsys):
    assert benchmark.main([flag]) == 2
    assert flag.split("=")[0] in capsys.readouterr().err
