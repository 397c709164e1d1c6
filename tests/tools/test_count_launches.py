"""The tool that counts launches, on a tiny step."""

import count_launches
import pytest
from conformance.methods import TINY, tiny

from munit_tf.cli import command_line
from munit_tf.runs.run_folder import CONFIGS

FLAGS = [
    "--method=unit",
    "--dataset=photos",
    "--image_size=32",
    "--resize=32",
    *(f"--{k}={v}" for k, v in TINY["unit"].items()),
]


def launches(*more):
    options, _ = command_line.parse([*FLAGS, *more], CONFIGS)
    return count_launches.launches(options)


@pytest.fixture(scope="module")
def with_tf32():
    return launches()


def test_one_update_for_each_weight_and_transposes_by_the_layout_optimizer(with_tf32):
    without = launches("--tf32=false")
    weights = [weight for weight in tiny("unit").named_weights().values() if weight.trainable]
    assert with_tf32["ResourceApplyAdam"] == without["ResourceApplyAdam"] == len(weights)
    assert with_tf32["Const"] == with_tf32["Reshape"] == 0
    assert with_tf32["Conv2D"] == without["Conv2D"] > 20
    assert without["Transpose"] > with_tf32["Transpose"]


def test_the_command(with_tf32, capsys):
    assert count_launches.main([*FLAGS, "--top=1"]) == 0
    total, most = capsys.readouterr().out.splitlines()
    assert total == f"launches: {sum(with_tf32.values()):,}"
    assert most.split() == [f"{max(with_tf32.values()):,}", with_tf32.most_common(1)[0][0]]
