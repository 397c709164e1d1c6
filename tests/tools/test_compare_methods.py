"""The comparison's tool: one budget for all, and two methods trained for a few steps."""

import dataclasses
import json

import compare_methods
import numpy as np
import pytest
from compare_methods import ENTRANTS, CompareConfig, options_of
from damage import BAD_JSON, changed, put
from PIL import Image

from munit_tf.data import shapes
from munit_tf.errors import InputError

STEPS = 2


@pytest.fixture(scope="module")
def few_shapes():
    """A classifier learns from some hundreds of shapes as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapes, "NUM_IMAGES", {"train": 400, "test": 20})
        yield


@pytest.fixture(scope="module")
def compared(tmp_path_factory, few_shapes, eager_processes):
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
    with pytest.raises(InputError, match=f"continue with --steps={STEPS} --batch_size=2 --size=32"):
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
        (dict(seeds=("1", "1")), "--seeds=1,1: one of them is repeated"),
        (dict(methods=("unit", "unit")), "--methods=unit,unit: one of them is repeated"),
        (dict(size=48), "--size=48: must be a power of two"),
        (dict(methods=("gan",)), "--methods=gan: must be one of munit"),
    ],
)
def test_bad_flags(flags, message):
    with pytest.raises(InputError, match=message):
        CompareConfig(output="/x", **flags)


TIMES = {"seconds": 1.5, "cpu_seconds": 2}
RESULT = {**TIMES, "metrics": {"fid": {"value": 3.0}, "l1": {"between_outputs": "inf"}}}
KEPT = {"budget": {"steps": 800, "batch_size": 4, "size": 32}, "results": {"unit": {"0": RESULT}}}
BAD_COMPARISONS = {
    **BAD_JSON,
    "no budget": changed(KEPT, budget=...),
    "budget a list": changed(KEPT, budget=[800, 4, 32]),
    "no results": changed(KEPT, results=...),
    "results a list": changed(KEPT, results=[]),
    "seeds a list": changed(KEPT, results={"unit": [RESULT]}),
    "no seed": changed(KEPT, results={"unit": {}}),
    "a seed of letters": changed(KEPT, results={"unit": {"first": RESULT}}),
    "a result null": changed(KEPT, results={"unit": {"0": None}}),
    "no seconds": changed(KEPT, results={"unit": {"0": changed(RESULT, seconds=...)}}),
    "seconds text": changed(KEPT, results={"unit": {"0": changed(RESULT, seconds="1")}}),
    "seconds of 400 digits": changed(KEPT, results={"unit": {"0": changed(RESULT, cpu_seconds=10**400)}}),
    "no metrics": changed(KEPT, results={"unit": {"0": changed(RESULT, metrics=...)}}),
    "a metric a number": changed(KEPT, results={"unit": {"0": changed(RESULT, metrics={"fid": 3})}}),
    "a value a list": changed(KEPT, results={"unit": {"0": changed(RESULT, metrics={"fid": {"value": []}})}}),
}


@pytest.mark.parametrize("name", BAD_COMPARISONS)
def test_damaged_results_are_named(tmp_path, name):
    config = CompareConfig(output=str(tmp_path))
    put(tmp_path / "comparison.json", json.dumps(KEPT).encode())
    results = compare_methods.Comparison(config).results
    assert "inf" in compare_methods.table(results, {"unit": "UNIT"})
    damage = BAD_COMPARISONS[name]
    put(tmp_path / "comparison.json", json.dumps(damage).encode() if isinstance(damage, dict) else damage)
    with pytest.raises(InputError) as caught:
        compare_methods.Comparison(config)
    assert str(tmp_path / "comparison.json") in str(caught.value) and "\n" not in str(caught.value)


BAD_TIMES = {
    **BAD_JSON,
    "no seconds": changed(TIMES, seconds=...),
    "seconds null": changed(TIMES, seconds=None),
    "seconds text": changed(TIMES, cpu_seconds="2"),
    "seconds of 400 digits": changed(TIMES, cpu_seconds=10**400),
}


@pytest.mark.parametrize("name", BAD_TIMES)
def test_damaged_times_are_named_before_a_training(tmp_path, name):
    damage = BAD_TIMES[name]
    put(tmp_path / "unit-0.json", json.dumps(damage).encode() if isinstance(damage, dict) else damage)
    comparison = compare_methods.Comparison(CompareConfig(output=str(tmp_path)))
    with pytest.raises(InputError) as caught:
        comparison._train("unit", "0")
    assert str(tmp_path / "unit-0.json") in str(caught.value) and "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["unit-0.json"]


def test_a_damaged_classifier_or_a_file_in_the_way_is_found_before_the_trainings(tmp_path):
    (tmp_path / "out/classifier").mkdir(parents=True)
    for output, named in ((tmp_path / "out", "classifier"), (tmp_path / "file", "--output=")):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(InputError, match=named):
            compare_methods.Comparison(CompareConfig(output=str(output))).run()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["classifier"]


def test_a_folder_that_tensorflow_cannot_use_is_refused_at_the_start(tmp_path):
    with pytest.raises(InputError, match="TensorFlow takes"):
        compare_methods.Comparison(CompareConfig(output=str(tmp_path / "x\\")))
