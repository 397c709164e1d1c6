"""Nothing that a file holds is ever run: no pickle is loaded, but by the tools that read PyTorch's files."""

import ast
import json
import os
import pathlib

import numpy as np
import pytest

from munit_tf.errors import InputError
from munit_tf.metrics import classifier
from munit_tf.models import style_codes
from munit_tf.networks import pretrained

ROOT = pathlib.Path(__file__).parent.parent
RUN_CODE = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "pandas"}
LOADERS = {  # What a call must say for the file to be data only; None: never.
    "np.load": {"allow_pickle": False},
    "numpy.load": {"allow_pickle": False},
    "torch.load": {"weights_only": True},
    "keras.models.load_model": None,
    "keras.saving.load_model": None,
    "eval": None,
    "exec": None,
}


def loads(path):
    """(what is imported, [(a call of LOADERS, its keywords)]) of a file."""
    imported, calls = set(), []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in LOADERS:
            calls.append(
                (ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords})
            )
    return imported, calls


def test_every_file_is_loaded_as_data():
    found = {path: loads(path) for folder in ("munit_tf", "tools") for path in (ROOT / folder).rglob("*.py")}
    for path, (imported, calls) in found.items():
        assert not imported & RUN_CODE, path
        assert path.stem in ("import_official", "import_weights") or "torch" not in imported, path
        for name, keywords in calls:
            assert LOADERS[name] and keywords.items() >= {k: str(v) for k, v in LOADERS[name].items()}.items()
    names = [name for _, calls in found.values() for name, _ in calls]
    assert names.count("np.load") >= 3 and names.count("torch.load") == 2


class Code:
    """Pickled, it makes a folder where it is loaded without care."""

    def __reduce__(self):  # noqa: D105
        return os.mkdir, ("ran",)


def test_arrays_that_hide_code_are_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    array = np.array([[Code(), 1.0]], dtype=object)
    np.save("codes.npy", array, allow_pickle=True)
    for name in ("alexnet.npz", "lpips.npz", "weights.npz"):
        np.savez(name, **{"0/kernel": array})
    description = dict(backbone="small", classes=["a", "b"], image_size=16)
    pathlib.Path("classifier.json").write_text(json.dumps(description))
    for load in (
        lambda: style_codes.read("codes.npy", 2),
        lambda: pretrained.load_taps("alexnet", "."),
        lambda: pretrained.load_lpips_linear("alexnet", "0.1", "."),
        lambda: classifier.load("."),
    ):
        with pytest.raises(ValueError) as caught:
            load()
        assert isinstance(caught.value, InputError) or "cannot be read" in str(caught.value)
    assert not os.path.exists("ran")
    np.load("codes.npy", allow_pickle=True)
    assert os.path.isdir("ran")  # It would have been.
