"""Run folders and checkpoints of other versions of munit_tf."""

import pathlib
import re

import pytest
from conformance.methods import tiny
from inference.run_folders import make_run

import munit_tf
from munit_tf.config.format_version import FORMAT
from munit_tf.errors import InputError
from munit_tf.runs import checkpoints
from munit_tf.runs.run_folder import RunFolder


def test_a_run_folder_and_its_checkpoint_carry_the_number(tmp_path):
    run = make_run(tmp_path / "run", step=7)
    assert re.search(rf"^# Format {FORMAT}\.$", (run / "run.flags").read_text(), re.MULTILINE)
    assert (run / "checkpoints/step-7/state.format").read_text() == f"{FORMAT}\n"
    assert RunFolder(run).newest_checkpoint().format == FORMAT


def test_runs_without_newer_options_have_their_defaults():
    golden = pathlib.Path(__file__).parent.parent / "golden" / "written_by_keras2"
    assert "--tf32" not in (golden / "run.flags").read_text()
    assert RunFolder(golden).options().train.tf32 is True


def test_newer_formats_are_refused_by_a_line_that_names_both(tmp_path):
    run = make_run(tmp_path / "run", step=7)
    flagfile = run / "run.flags"
    text = flagfile.read_text()
    flagfile.write_text(text.replace(f"# Format {FORMAT}.", f"# Format {FORMAT + 1}."))
    named = rf"{re.escape(str(run))} has format {FORMAT + 1}, and munit_tf .* up to {FORMAT}: update munit_tf"
    with pytest.raises(InputError, match=named):
        munit_tf.load(run)
    flagfile.write_text(text)
    checkpoint = run / "checkpoints/step-7"
    (checkpoint / "state.format").write_text(f"{FORMAT + 1}\n")
    (checkpoint / "SHA256SUMS").write_text(checkpoints._to_text(checkpoints._sums(checkpoint)))
    with pytest.raises(InputError, match=rf"step-7 has format {FORMAT + 1}, and munit_tf"):
        munit_tf.load(run)


def test_image_pools_of_format_0_are_read(tmp_path):
    model = tiny("cyclegan")
    state = model.named_state()
    state["image_pools/a/count"].assign(1)
    old = {re.sub("^image_pools/", "memory/", name): variable for name, variable in state.items()}
    checkpoints.write(tmp_path, 3, old)
    (tmp_path / "step-3/state.format").unlink()
    checkpoint = tmp_path / "step-3"
    (checkpoint / "SHA256SUMS").write_text(checkpoints._to_text(checkpoints._sums(checkpoint)))
    other = tiny("cyclegan")
    found = checkpoints.newest(tmp_path)
    assert found.format == 0
    checkpoints.restore(other.named_state(), found)
    assert int(other.image_pools["a"].count) == 1
