"""The command's refusals."""

import importlib.util

import pytest

from munit_tf import explore
from munit_tf.cli import command_line
from munit_tf.runs import run_folder


def refused(capsys, *flags):
    assert explore.main(list(flags)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("munit_tf.explore: ")
    return lines[0].partition(": ")[2]


def test_without_gradio(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    line = refused(capsys, f"--run={tmp_path}")
    assert line.startswith("the page needs Gradio") and "pip install --editable '.[explore]'" in line


@pytest.mark.parametrize(
    "flag",
    [
        "--port=0", "--port=65536", "--port=x", "--max_pixels=0", "--prot=8000",
        "--hosts=", "--hosts=http://localhost:9000", "--hosts=localhost/page", "--hosts=a,b c",
    ],
)  # fmt: skip
def test_bad_flags(capsys, tmp_path, flag):
    assert flag.partition("=")[0].strip("-") in refused(capsys, f"--run={tmp_path}", flag)


def test_the_run_is_missing(capsys):
    assert refused(capsys).startswith("--run is missing")


def test_no_run_folder_and_no_checkpoint(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert "is not a run folder" in refused(capsys, f"--run={tmp_path}")
    options, _ = command_line.parse(["--dataset=shapes", f"--output={tmp_path}"], run_folder.CONFIGS)
    run_folder.RunFolder(tmp_path).write_options(options)
    assert "has no checkpoint yet" in refused(capsys, f"--run={tmp_path}")
