"""`python -m munit_tf.export`: whole versions, or none and one line."""

import os
import pathlib
import shutil
import signal
import time

import forked
import pytest
from conformance.methods import TINY
from damage import put
from forked import Command

from munit_tf import export
from munit_tf.cli import command_line
from munit_tf.errors import InputError
from munit_tf.runs import loading, run_folder
from munit_tf.serving import exporter, saved_model, tflite, verification


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder of a tiny model with random weights."""
    folder = run_folder.RunFolder(tmp_path_factory.mktemp("runs") / "tiny")
    flags = [f"--{name}={value}" for name, value in TINY["munit"].items()]
    options, _ = command_line.parse(["--dataset=shapes", "--image_size=16x20", *flags], run_folder.CONFIGS)
    model = loading.build_model(options)
    model.compile()
    folder.write_options(options)
    loading.checkpoint_manager(folder, model, keep=1).save()
    return folder.path


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def killed(run, tmp_path_factory):
    """A folder with version 4 and a file of the user's, after an export to it was killed by SIGKILL."""
    folder = tmp_path_factory.mktemp("exports")
    (folder / "4").mkdir()
    (folder / "4" / "saved_model.pb").write_bytes(b"older")
    (folder / "notes.txt").write_text("mine")
    before = everything(folder)
    part = folder / ".unfinished" / "5" / "saved_model.pb"
    with Command("export", f"--run={run}", f"--output={folder}", cwd=folder) as process:
        while process.poll() is None and not part.exists():
            time.sleep(0.005)
        assert process.poll() is None, "it ended before it was killed"
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert [name for name in everything(folder) if not name.startswith(".unfinished")] == before
    assert part.exists()
    return folder


def test_a_killed_export_leaves_no_version_and_the_next_one_cleans_up(killed, run, capsys):
    assert export.main([f"--run={run}", f"--output={killed}", "--quantize=float16"]) == 0
    files = ["translate_a2b.tflite", "translate_b2a.tflite"]
    assert sorted(os.listdir(killed)) == ["4", "5", "notes.txt", *files]
    assert (killed / "4" / "saved_model.pb").read_bytes() == b"older"
    assert {"assets.extra", "saved_model.pb", "variables"} <= set(os.listdir(killed / "5"))
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("  translate_a2b ") for line in lines) == 2
    assert sum(line.startswith("  serving_default ") for line in lines) == 1


@pytest.mark.parametrize(
    "names, version",
    [
        ([], "1"),
        (["2", "10", "9a", "latest"], "11"),
        (["0007"], "8"),
        (["\u00b2", "\u0663", "\u2460", "1.5", "-4", "+4", "1_0", " 6", "0x10"], "1"),
        (["3", "9" * 19, "9" * 200], "4"),  # Beyond 64 bits they are no versions for TF Serving.
        (["9" * 18], "1" + "0" * 18),
    ],
)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_next_version_counts_numbers_only(tmp_path, names, version, kind):
    for name in names:
        put(tmp_path / name, b"" if kind == "file" else None)
    assert exporter._next_version(tmp_path) == version


def test_the_last_version_has_none_after_it(tmp_path):
    (tmp_path / str(2**63 - 1)).mkdir()
    with pytest.raises(InputError, match="9223372036854775807"):
        exporter._next_version(tmp_path)


@pytest.mark.parametrize(
    "name, data", [("translate_a2b.tflite", None), ("translate_b2a.tflite", None), (".unfinished", b"mine")]
)
def test_what_is_in_the_way_is_named_and_nothing_is_written(run, tmp_path, capsys, name, data):
    put(tmp_path / name, data)
    assert str(tmp_path / name) in refused(capsys, f"--run={run}", f"--output={tmp_path}")
    assert everything(tmp_path) == [name]


def test_a_difference_above_its_bound_is_an_error_and_leaves_nothing(model, exported, tmp_path, monkeypatch):
    """What is written is the model as it was before one of its weights changed."""
    monkeypatch.setattr(saved_model, "Servable", lambda model, max_pixels: None)
    monkeypatch.setattr(saved_model, "write", lambda _, path, size: shutil.copytree(exported / "1", path))
    data = tflite.convert(model, "translate_a2b", "none")
    monkeypatch.setattr(tflite, "convert", lambda *_: data)
    weight = model.named_weights()["generators/b/decoder/convs/1/norm/gamma"]
    before = weight.numpy()
    weight.assign(before * 1.01)
    options = dict(quantize="none", max_pixels=2**20, image_size=(16, 16))
    try:
        for name, formats in (("1", ("saved_model",)), ("translate_a2b.tflite", ("tflite",))):
            with pytest.raises(InputError, match=f"^{name}, .*: it differs from the model in memory by 0.0"):
                exporter.export(model, tmp_path / "out", formats=formats, **options)
            assert everything(tmp_path / "out") == []
    finally:
        weight.assign(before)


def test_a_full_disk(run, tmp_path):
    """Files above 10 kB cannot be written, which TensorFlow reports in a way of its own."""
    flags = [f"--run={run}", f"--output={tmp_path / 'out'}", "--format=saved_model"]
    process = forked.run("export", *flags, cwd=tmp_path, largest_file=10_000, check=False)
    assert process.returncode == 2, process.stderr
    line = process.stderr.splitlines()[-1]  # TensorFlow's greetings may stand before it.
    assert line.startswith(f"munit_tf.export: --output={tmp_path / 'out'} cannot be written: ")
    assert "Traceback" not in process.stderr
    assert everything(tmp_path / "out") == []


def test_a_difference_that_is_no_number_is_above_every_bound():
    for difference in (
        verification.Difference(float("nan"), 0.0),
        verification.Difference(0.0, float("nan")),
    ):
        with pytest.raises(InputError, match="Nothing was written"):
            exporter._checked(pathlib.Path("x"), "translate_a2b", 1, difference, "none")


def refused(capsys, *flags):
    assert export.main([*map(str, flags)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("munit_tf.export: ") and err.count("\n") == 1
    return err


def test_bad_input_is_one_line(run, tmp_path, capsys):
    output = f"--output={tmp_path / 'out'}"
    assert "is not a run folder: it has no run.flags" in refused(capsys, f"--run={tmp_path}", output)
    assert "--run is missing" in refused(capsys, output)
    assert "--output is missing" in refused(capsys, f"--run={run}")
    for flag, message in (
        ("--format=onnx", "must be one of saved_model, tflite"),
        ("--quantize=int4", "must be one of none, float16, dynamic"),
        ("--max_pixels=9000", "--max_pixels=9000: must be at least 10240"),
    ):
        assert message in refused(capsys, f"--run={run}", output, flag)
    assert not (tmp_path / "out").exists()
    for name in ("out[1]", "out\\"):
        pattern = f"--output={tmp_path / name}"
        assert r"reads [ ] * ? \ in a path as patterns" in refused(capsys, f"--run={run}", pattern)
        assert not (tmp_path / name).exists()
    (tmp_path / "file").write_text("mine")
    for place in ("file", "file/out"):
        line = refused(capsys, f"--run={run}", f"--output={tmp_path}/{place}")
        assert f"--output={tmp_path}/{place} cannot be written: " in line
    assert (tmp_path / "file").read_text() == "mine"


def test_one_export_to_a_folder_at_a_time(tmp_path):
    with exporter._unfinished(tmp_path):
        with (
            pytest.raises(InputError, match="another export is writing to it"),
            exporter._unfinished(tmp_path),
        ):
            pass
        assert (tmp_path / ".unfinished").is_dir()
    with exporter._unfinished(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
