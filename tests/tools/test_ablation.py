"""The ablation's tool: its arms, its table, and two runs of a few steps."""

import json
import types

import ablation
import forked
import numpy as np
import pytest
from ablation import ARMS, AblationConfig
from PIL import Image
from training.processes import CYCLEGAN, make_photos

from munit_tf.cli import command_line
from munit_tf.errors import InputError
from munit_tf.runs.run_folder import CONFIGS


def test_every_arm_has_flags_of_the_training_command():
    plain, _ = command_line.parse(["--dataset=x"], CONFIGS)
    for arm, (_, flags) in ARMS.items():
        options, _ = command_line.parse(["--dataset=x", *flags], CONFIGS)
        assert (options == plain) == (arm == "paper"), arm


def curve(*kids):
    return [
        {"seconds": 10.0 * (i + 1), "kid": kid, "diversity": 0.5, "content": 0.25}
        for i, kid in enumerate(kids)
    ]


def test_table():
    runs = {
        "paper": {"0": curve(9, 5, 4), "1": curve(9, 7, 6)},
        "recipe": {"0": curve(5, 2, 3)},
        "r1": {"0": curve(9, 8, 7)},
    }
    lines = ablation.table(runs, {"paper": 0.1, "recipe": 0.25, "r1": 0.125}).splitlines()
    assert lines[2:] == [
        "| the paper's settings | 100 | 5.000 ± 1.414 | 5.000 ± 1.414 | 0.500 ± 0.000 | 0.250 ± 0.000 "
        "| not reached | 2 |",
        "| --recipe=fast | 250 | 3.000 | 2.000 | 0.500 | 0.250 | 0.33 | 1 |",
        "| R1 | 125 | 7.000 | 7.000 | 0.500 | 0.250 | not reached | 1 |",
    ]


def test_measures_of_a_validation_are_means_over_directions():
    values = {"kid": (4.0, 1.0), "diversity": (0.2, 0.4), "content": (0.5, 0.7)}
    row = {
        f"validation/{name}/{domain}": pair[i]
        for name, pair in values.items()
        for i, domain in enumerate("ab")
    }
    expected = {"seconds": 6.0, "kid": 2.0, "diversity": 0.3, "content": 0.6}
    assert ablation._point({"step": 3, **row}, 2.0) == pytest.approx(expected)


@pytest.fixture
def in_forked_processes(monkeypatch):
    """Trains in processes forked from this one's server, eagerly; yields the names of their run folders."""
    trained = []

    def run(command, stdout, stderr):
        assert command[1:3] == ["-m", "munit_tf.train"]
        trained.append(command[-1].rpartition("ablation/")[2])
        return types.SimpleNamespace(
            returncode=forked.run("train", *command[3:], cwd=".", eager=True).returncode
        )

    monkeypatch.setattr(ablation.subprocess, "run", run)
    monkeypatch.setattr(ablation, "_TIMING_ROUNDS", 1)
    monkeypatch.setattr(ablation, "_TIMING_STEPS", 4)
    return trained


def test_runs_are_kept_and_arms_can_be_added(tmp_path, in_forked_processes):
    make_photos(tmp_path / "photos", count=3)
    flags = [*CYCLEGAN, f"--dataset={tmp_path}/photos"]
    config = dict(output=str(tmp_path / "ablation"), seconds=1, validations=1)
    ablation.Ablation(AblationConfig(**config, arms=("paper",)), flags).run()
    assert in_forked_processes == ["timing/paper-0", "paper-0"]
    ablation.Ablation(AblationConfig(**config, arms=("ema",)), flags).run()
    assert in_forked_processes[2:] == ["timing/ema-0", "ema-0"]
    folder = tmp_path / "ablation"
    seconds = json.loads((folder / "ablation.json").read_text())["seconds_per_step"]
    rows = [json.loads(line) for line in (folder / "ema-0" / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == max(1, round(1 / seconds["ema"]))
    lines = (folder / "ablation.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| the paper's settings", "| averaged weights"]
    assert lines[2].split(" | ")[4] == "–"  # Without style there is no diversity.
    assert float(lines[2].split(" | ")[5]) > 0  # Content.
    assert np.asarray(Image.open(folder / "ablation.png")).shape[:2] == (900, 900)
    assert np.asarray(Image.open(folder / "pictures.png")).shape[0] == 22 + 2 * 100 + 4
    with pytest.raises(InputError, match="choose another --output"):
        ablation.Ablation(AblationConfig(**{**config, "seconds": 2}), flags)
