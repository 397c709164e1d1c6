"""The comparison's tool: one budget for all, and two methods trained for a few steps."""

import dataclasses
import json

import compare_methods
import numpy as np
import pytest
from compare_methods import ENTRANTS, CompareConfig, options_of
from PIL import Image

from munit_tf.config import InputError

STEPS = 20


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A comparison of one method, to which another was added: (folder, its files before, and after)."""
    folder = tmp_path_factory.mktemp("comparison") / "out"
    common = dict(output=str(folder), seeds=("3",), steps=STEPS, batch_size=2)
    states = []
    for methods in (("unit",), ("unit", "cyclegan_noise")):
        compare_methods.compare(CompareConfig(methods=methods, **common))
        written = (folder / "unit-3" / "run.flags").stat().st_mtime_ns
        states.append((written, json.loads((folder / "comparison.json").read_text())))
    return folder, *states


def test_what_is_done_is_kept(compared):
    _, (written_before, before), (written_after, after) = compared
    assert list(before["results"]) == ["unit"]
    assert sorted(after["results"]) == ["cyclegan_noise", "unit"]
    assert after["results"]["unit"] == before["results"]["unit"]
    assert written_after == written_before
    assert before["results"]["unit"]["3"]["cpu_seconds"] > 0


def test_the_results_are_those_of_the_runs(compared):
    folder, _, (_, after) = compared
    for name in ("unit", "cyclegan_noise"):
        evaluation = json.loads((folder / f"{name}-3" / "evaluation.json").read_text())
        metrics = after["results"][name]["3"]["metrics"]
        assert metrics == evaluation["directions"]["a2b"]["metrics"]
        assert 0 <= metrics["shapes"]["content_iou"] <= 1
        assert evaluation["checkpoint"]["name"] == f"step-{STEPS}"


def test_table_and_picture_have_a_row_for_each(compared):
    folder, _, _ = compared
    lines = (folder / "comparison.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:4]] == ["| UNIT", "| CycleGAN with noise"]
    picture = np.asarray(Image.open(folder / "comparison.png").convert("L"))
    assert picture.shape[0] == 22 + 2 * 100 + 4
    assert picture[:, :100].min() < 128, "no label to the left"
    # UNIT has one translation, the other eight.
    first, second = picture[26:122, -100:], picture[126:222, -100:]
    assert first.min() == 255 and second.min() < 255


def test_another_budget_is_refused(compared):
    folder, _, _ = compared
    with pytest.raises(InputError, match=f"go on with --steps={STEPS} --batch_size=2 --size=32"):
        compare_methods.Comparison(CompareConfig(output=str(folder), steps=STEPS + 1, batch_size=2))


def test_all_have_one_budget_and_ablations_lack_one_thing():
    config = CompareConfig(output="/x", steps=100)
    options = {name: options_of(entrant, config, 5) for name, entrant in ENTRANTS.items()}
    for name, each in options.items():
        assert (each.train.steps, each.train.batch_size, each.train.seed) == (100, 4, 5), name
        assert (each.data.image_size, each.data.resize) == ((32, 32), 32), name
        assert each.data.paired == (name == "bicyclegan")
        rates = each.model.learning_rate, each.model.learning_rate_half_life_steps
        assert rates == (3e-4, 40), name
        assert each.model.learning_rate_decay_steps == 0, name
        assert (each.model.gen_dim, each.model.dis_dim) == (16, 32), name
    for term in ("recon_x", "recon_c", "recon_s"):
        changed = dataclasses.replace(options["munit"].model, **{f"{term}_weight": 0.0})
        assert options[f"munit_no_{term}"].model == changed
    assert options["munit"].model.gan_weight == 1 and options["munit"].model.recon_s_weight == 1


@pytest.mark.parametrize(
    "flags, message",
    [
        (dict(seeds=("one",)), "--seeds=one: 'one' is not a number below 2"),
        (dict(seeds=("0", "00")), "--seeds=0,00: '00' is not a number below 2"),
        (dict(seeds=("99999999999",)), "--seeds=99999999999: '99999999999' is not a number below 2"),
        (dict(seeds=("1", "1")), "--seeds=1,1: one is there twice"),
        (dict(methods=("unit", "unit")), "--methods=unit,unit: one is there twice"),
        (dict(size=48), "--size=48: must be a power of two"),
        (dict(methods=("gan",)), "--methods=gan: must be one of munit"),
    ],
)
def test_bad_flags(flags, message):
    with pytest.raises(InputError, match=message):
        CompareConfig(output="/x", **flags)


def test_a_folder_that_tensorflow_cannot_use_is_refused_at_the_start(tmp_path):
    with pytest.raises(InputError, match="TensorFlow takes"):
        compare_methods.Comparison(CompareConfig(output=str(tmp_path / "x\\")))
