"""The doctor's command: exit status, report, list, and the cost of a step."""

import json
import os
import re

import pytest
from data.corrupt_images import make_photos
from training.processes import TINY

from munit_tf import doctor
from munit_tf.distribution import cuda, half_precision

SIZES = ["--resize=64", "--image_size=64"]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make_photos(tmp_path / "photos", count=3)


def test_nothing_fatal_is_status_0(photos, capfd):
    assert doctor.main(["--dataset=photos", *SIZES]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert "ADVICE" in lines and not any(line.startswith("FATAL") for line in lines)
    assert lines[-1] == "0 fatal, 2 advice"  # Few images, in both domains.


def test_the_devices_and_what_makes_them_slow_are_named(photos, capfd, monkeypatch):
    monkeypatch.setattr(cuda, "why_no_gpu", lambda: "libcudnn.so.9 cannot be loaded")
    monkeypatch.setattr(half_precision, "read_cpu_flags", lambda: {"avx512f"})
    assert doctor.main(["--dataset=photos", *SIZES, "--precision=bfloat16", "--headers_only"]) == 0
    lines = capfd.readouterr().err.splitlines()
    reason = "since libcudnn.so.9 cannot be loaded"
    assert f"training would run on the CPU: TensorFlow finds no GPU, {reason}" in lines
    assert any(line.startswith("--precision=bfloat16 is much slower") for line in lines)


def test_what_is_fatal_is_status_1_and_in_the_list(photos, capfd):
    (photos / "trainB" / "x.jpg").write_text("text")
    flags = ["--train_a=photos/trainA", "--train_b=photos/trainB/*.jpg", *SIZES, "--json=found.json"]
    assert doctor.main(flags) == 1
    assert "      photos/trainB/x.jpg" in capfd.readouterr().out.splitlines()
    found = json.loads((photos.parent / "found.json").read_text())
    assert found["images"] == {"trainA": 3, "trainB": 4} and found["step"] is None
    path = str(photos / "trainB" / "x.jpg")
    assert {"kind": "no_image", "fatal": True, "files": [path], "detail": ""} in found["findings"]
    assert [finding["kind"] for finding in found["findings"]] == ["no_image", "few", "few", "no_test"]
    assert doctor.main([*flags, "--unreadable=skip", "--headers_only"]) == 0


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (["--dataset=nowhere"], "nowhere is neither a known name nor a folder"),
        (["--dataset=photos", "--header_only"], "header_only"),
        (["--dataset=photos", "--resize=32", "--image_size=64"], "set --resize to 64 or more"),
        (
            ["--dataset=photos", "--resize=32", "--image_size=32"],
            "--image_size=32x32 does not fit the networks",
        ),
        (["--dataset=photos", *SIZES, "--json=nowhere/found.json"], "nowhere/found.json cannot be written"),
        ([], "--dataset=FOLDER"),
    ],
)
def test_wrong_flags_are_status_2_and_one_line(photos, flags, part, capfd):
    assert doctor.main(flags) == 2
    line = [line for line in capfd.readouterr().err.splitlines() if line.startswith("munit_tf.doctor: ")]
    assert len(line) == 1 and part in line[0]
    assert os.listdir(photos.parent) == ["photos"]


def test_images_that_no_step_can_be_measured_on_are_reported_all_the_same(photos, capfd):
    flags = ["--dataset=photos", *TINY, "--resize=72", "--image_size=64x1024", "--measure_step"]
    assert doctor.main(flags) == 1
    out, err = capfd.readouterr()
    assert "doctor: no step was measured: " in err
    assert "FATAL" in out and "a step of" not in out


def test_the_cost_of_a_step_is_measured(photos, capfd, eagerly):
    (photos / "trainB" / "empty.jpg").write_bytes(b"")
    flags = ["--dataset=photos", *TINY, "--steps=7200", "--measure_step", "--json=found.json"]
    assert doctor.main(flags) == 1
    match = re.search(
        r"^a step of munit with 2 images of each domain: (\S+) s, so 7200 steps: (\S+) hours; "
        r"peak memory: (\d+) MiB \(on the CPU.*\)$",
        capfd.readouterr().out,
        re.MULTILINE,
    )
    step = json.loads((photos.parent / "found.json").read_text())["step"]
    assert float(match[1]) == pytest.approx(step["seconds"], rel=0.01) and step["seconds"] > 0
    assert float(match[2]) == pytest.approx(2 * step["seconds"], abs=0.06)
    assert int(match[3]) == step["peak_memory_mib"] > 50
    assert sorted(os.listdir(photos.parent)) == ["found.json", "photos"]
