"""docs/quickstart.ipynb runs from top to bottom."""

import os
import pathlib

import nbclient
import nbformat

NOTEBOOK = pathlib.Path(__file__).parent.parent / "docs" / "quickstart.ipynb"


def test_the_notebook_trains_translates_and_shows_two_pictures(tmp_path, monkeypatch, eager_processes):
    monkeypatch.setenv("MUNIT_TF_STEPS", "2")
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parent.parent), prepend=os.pathsep)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in code), "the notebook is committed without outputs"

    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()

    assert not code[0].outputs, "nothing is installed where munit_tf can be imported"
    pictures = [output for cell in code for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 2
    assert (tmp_path / "runs" / "quickstart" / "checkpoints" / "step-2").is_dir()
