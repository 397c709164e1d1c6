"""Files that one command wrote and another reads, damaged in between: one line each, no traceback."""

import io
import json
import os
import pathlib
import shutil

import keras
import numpy as np
import pytest
from damage import BAD_JSON, changed, npy, npz, put
from inference.run_folders import make_run

from munit_tf.errors import InputError
from munit_tf.evaluation import evaluate_runs
from munit_tf.evaluation.options import EvaluateConfig
from munit_tf.evaluation.table import table
from munit_tf.metrics import classifier
from munit_tf.models import style_codes
from munit_tf.networks import pretrained
from munit_tf.networks.classifiers import build_classifier
from munit_tf.runs import loading

DESCRIPTION = dict(backbone="small", classes=["a", "b"], image_size=16)


def flipped(data, place):
    """The bytes with one bit flipped, at a fraction of their length."""
    data = bytearray(data)
    data[int(len(data) * place)] ^= 1
    return bytes(data)


def damaged_npz(good, names):
    """{name: bytes, or None for a folder} of a `.npz` file that holds these arrays."""
    arrays = dict(np.load(io.BytesIO(good), allow_pickle=False))
    first = names[0]
    return {
        "empty": b"",
        "garbage": b"garbage",
        "NUL bytes": bytes(len(good)),
        "cut off": good[: len(good) // 2],
        "cut off at the end": good[:-1],
        "a flipped bit": flipped(good, 0.5),
        "one array": npy(np.zeros((2, 3), np.float32)),
        "no array": npz({}),
        "an array is missing": npz(changed(arrays, **{first: ...})),
        "another shape": npz(changed(arrays, **{first: np.zeros((2, 3), np.float32)})),
        "another number of dimensions": npz(changed(arrays, **{first: arrays[first][np.newaxis]})),
        "text": npz(changed(arrays, **{first: np.full(arrays[first].shape, "x")})),
        "whole numbers": npz(changed(arrays, **{first: arrays[first].astype(int)})),
        "complex numbers": npz(changed(arrays, **{first: arrays[first].astype(complex)})),
        "a folder": None,
    }


def assert_names(caught, *texts):
    message = str(caught.value)
    assert "\n" not in message and all(str(text) in message for text in texts), message


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A classifier's folder."""
    folder = tmp_path_factory.mktemp("classifiers") / "good"
    keras.utils.set_random_seed(0)
    classifier.save(folder, build_classifier("small", 2, 16), DESCRIPTION)
    return folder


BAD_DESCRIPTIONS = {
    **BAD_JSON,
    "no backbone": changed(DESCRIPTION, backbone=...),
    "an unknown backbone": changed(DESCRIPTION, backbone="large"),
    "backbone a list": changed(DESCRIPTION, backbone=["small"]),
    "no classes": changed(DESCRIPTION, classes=...),
    "classes empty": changed(DESCRIPTION, classes=[]),
    "classes a string": changed(DESCRIPTION, classes="ab"),
    "classes a number": changed(DESCRIPTION, classes=2),
    "classes an object": changed(DESCRIPTION, classes={"a": 1, "b": 2}),
    "classes lists": changed(DESCRIPTION, classes=[["a"], ["b"]]),
    "more classes": changed(DESCRIPTION, classes=["a", "b", "c"]),
    "no size": changed(DESCRIPTION, image_size=...),
    "size a string": changed(DESCRIPTION, image_size="16"),
    "size a fraction": changed(DESCRIPTION, image_size=16.5),
    "size true": changed(DESCRIPTION, image_size=True),
    "size negative": changed(DESCRIPTION, image_size=-16),
    "size too small": changed(DESCRIPTION, image_size=4),
    "size huge": changed(DESCRIPTION, image_size=10**9),
    "size of 30 digits": changed(DESCRIPTION, image_size=10**30),
    "nested deeply": json.dumps(DESCRIPTION)[:-1].encode() + b', "x": ' + b"[" * 500 + b"]" * 500 + b"}",
}


@pytest.mark.parametrize("name", BAD_DESCRIPTIONS)
def test_classifier_with_a_damaged_description(saved, tmp_path, name):
    shutil.copytree(saved, tmp_path / "c")
    damage = BAD_DESCRIPTIONS[name]
    put(
        tmp_path / "c" / "classifier.json",
        json.dumps(damage).encode() if isinstance(damage, dict) else damage,
    )
    with pytest.raises(InputError) as caught:
        classifier.load(tmp_path / "c")
    assert_names(caught, tmp_path / "c")


@pytest.mark.parametrize("name", damaged_npz(npz({"x": np.zeros((3, 3, 3, 2), np.float32)}), ["x"]))
def test_classifier_with_damaged_weights(saved, tmp_path, name):
    shutil.copytree(saved, tmp_path / "c")
    good = (saved / "weights.npz").read_bytes()
    put(tmp_path / "c" / "weights.npz", damaged_npz(good, ["000/kernel"])[name])
    with pytest.raises(InputError) as caught:
        classifier.load(tmp_path / "c")
    assert_names(caught, tmp_path / "c", "munit_tf.train_classifier")


def alexnet():
    """The arrays of `alexnet.npz`, with weights of one."""
    shapes = ((11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256))
    arrays = {"source": np.array('{"alexnet.pth": "7be5be79"}')}
    for i, (k, c_in, c_out) in enumerate(shapes):
        arrays[f"{i}/kernel"] = np.ones((k, k, c_in, c_out), np.float16)
        arrays[f"{i}/bias"] = np.ones(c_out, np.float16)
    return arrays


BAD_SOURCES = {
    f"source {name}": data for name, data in BAD_JSON.items() if name in ("empty", "garbage", "cut off")
} | {"source nested too deeply": b"[" * 100_000, "source nested deeply": b"[" * 500 + b"]" * 500}


@pytest.mark.parametrize("name", [*damaged_npz(npz({"x": np.zeros((1, 1))}), ["x"]), *BAD_SOURCES, "bias"])
def test_damaged_weights_for_lpips(tmp_path, name):
    linear = {f"alexnet/0.1/{i}": np.ones(c, np.float32) for i, c in enumerate((64, 192, 384, 256, 256))}
    for file, arrays, key, load in (
        ("alexnet.npz", alexnet(), "1/kernel", lambda: pretrained.load_taps("alexnet", tmp_path)),
        (
            "lpips.npz",
            linear,
            "alexnet/0.1/1",
            lambda: pretrained.load_lpips_linear("alexnet", "0.1", tmp_path),
        ),
    ):
        good = npz(arrays)
        put(tmp_path / file, good)
        load()
        if name == "bias":
            damage = npz(changed(arrays, **{key.replace("kernel", "bias"): np.ones(3, np.float32)}))
        elif name in BAD_SOURCES:
            damage = npz(changed(arrays, source=np.array(BAD_SOURCES[name].decode())))
        else:
            damage = damaged_npz(good, [key])[name]
        put(tmp_path / file, damage)
        with pytest.raises((ValueError, FileNotFoundError)) as caught:
            load()
        assert_names(caught, tmp_path / file)


CODES = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)


def npy_of_shape(shape, kind="'<f4'"):
    """A `.npy` file that says so of the data of CODES, both as Python writes them."""
    return npy_header(f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}}}")


def npy_header(text, version=1):
    """A `.npy` file with this header and the data of CODES."""
    header = text.encode("latin-1") + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + len(header).to_bytes(2, "little") + header + CODES.tobytes()


BAD_CODES = {
    "empty": b"",
    "garbage": b"garbage",
    "NUL bytes": bytes(152),
    "cut off in the header": npy(CODES)[:40],
    "cut off": npy(CODES)[:-1],
    "no data": npy(CODES)[:128],
    "a .npz file": npz({"x": CODES}),
    "a zip file that is cut off": npz({"x": CODES})[:-30],
    "an unknown version": npy_header("{}", version=9),
    "a header that is not Python": npy_header("{'descr': '<f4', "),
    "a header that is code": npy_header("__import__('os').mkdir('ran')"),
    "a header that is no dict": npy_header("3"),
    "a header that is nested deeply": npy_header("(" * 5000 + ")" * 5000),
    "a header without a shape": npy_header("{'descr': '<f4', 'fortran_order': False}"),
    "an unknown type": npy_of_shape((2, 3), "'what'"),
    "a negative shape": npy_of_shape((-2, 3)),
    "a huge shape": npy_of_shape((10**15, 3)),
    "a shape beyond 64 bits": npy_of_shape((10**30, 3)),
    "a shape of text": npy_of_shape(("2", 3)),
    "an item of no size": npy_of_shape((2, 3), "'|S0'"),
    "fields": npy_of_shape((2, 3), "[('a', '<f4')]"),
    "pickled objects": npy_of_shape((2, 3), "'|O'"),
    "text": npy(np.full((2, 3), "x")),
    "true and false": npy(np.ones((2, 3), bool)),
    "complex numbers": npy(CODES.astype(complex)),
    "NaN": npy(np.full((2, 3), np.nan)),
    "another shape": npy(CODES.T),
    "no codes": npy(CODES[:0]),
    "one number": npy(np.float32(1)),
    "beyond float32": npy(np.full((2, 3), 1e300)),
    "a folder": None,
}


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("name", BAD_CODES)
def test_damaged_style_codes(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "styles.npy"
    put(path, BAD_CODES[name])
    with pytest.raises(InputError) as caught:
        style_codes.read(path, 3)
    assert_names(caught, path)
    assert os.listdir(tmp_path) == ["styles.npy"]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Two run folders."""
    folder = tmp_path_factory.mktemp("compared")
    for seed, name in enumerate(("first", "second")):
        make_run(folder / name, seed=seed)
    return folder


@pytest.fixture
def compared(work, monkeypatch):
    """A function that evaluates `first`, compared with `second`; an evaluation itself costs no time."""

    def evaluate_one(config, networks):
        _, checkpoint = loading.find_checkpoint(config.run)
        metrics = {"l1": {"between_outputs": 0.5, "pairs": 2}, "fid": {"value": float("inf")}}
        result = evaluate_runs._for_json(
            {
                **evaluate_runs._head(config, checkpoint),
                "weights": {},
                "directions": {"a2b": {"inputs": 2, "metrics": metrics}},
                "not_computed": {},
            }
        )
        put(pathlib.Path(config.run) / "evaluation.json", json.dumps(result).encode())
        evaluated.append(config.run)
        return result, []

    evaluated = []
    monkeypatch.setattr(evaluate_runs, "_evaluate_one", evaluate_one)

    def run():
        evaluated.clear()
        config = EvaluateConfig(run=str(work / "first"), compare=(str(work / "second"),))
        text = table(evaluate_runs.evaluate(config))
        assert text.splitlines()[0].split() == ["first", "second"] and "0.5" in text and "inf" in text
        text.encode()
        return [os.path.basename(path) for path in evaluated]

    return run


def directions(value):
    return lambda good: changed(good, directions=value)


def metrics(value):
    return directions({"a2b": {"inputs": 2, "metrics": value}})


BAD_RESULTS = {
    **BAD_JSON,
    "no weights": lambda good: changed(good, weights=...),
    "weights a list": lambda good: changed(good, weights=[1]),
    "weights null": lambda good: changed(good, weights=None),
    "nothing of what was not computed": lambda good: changed(good, not_computed=...),
    "what was not computed a number": lambda good: changed(good, not_computed=0),
    "no directions": directions(...),
    "directions a list": directions([]),
    "directions null": directions(None),
    "a direction null": directions({"a2b": None}),
    "a direction without metrics": directions({"a2b": {}}),
    "metrics null": metrics(None),
    "metrics a list": metrics([1]),
    "a metric a number": metrics({"l1": 0.5}),
    "a metric null": metrics({"l1": None}),
    "a value null": metrics({"l1": {"between_outputs": None}}),
    "a value a list": metrics({"l1": {"between_outputs": [0.5]}}),
    "a value text": metrics({"l1": {"between_outputs": "much"}}),
    "a value half a character": metrics({"l1": {"between_outputs": "\ud800"}}),
    "a value of 400 digits": metrics({"l1": {"between_outputs": 10**400}}),
}
del BAD_RESULTS["a folder"]


@pytest.mark.parametrize("name", BAD_RESULTS)
def test_a_damaged_evaluation_is_made_again_and_said(work, compared, capsys, name):
    compared()
    assert compared() == ["first"]
    path, damage = work / "second" / "evaluation.json", BAD_RESULTS[name]
    assert capsys.readouterr().err == ""
    put(
        path,
        damage if isinstance(damage, bytes) else json.dumps(damage(json.loads(path.read_text()))).encode(),
    )
    assert compared() == ["first", "second"]
    [line] = capsys.readouterr().err.splitlines()
    assert str(path) in line and "damaged" in line
    assert compared() == ["first"]


@pytest.mark.parametrize("run", ["first", "second"])
def test_a_folder_in_place_of_an_evaluation_is_found_before_the_work(work, compared, run):
    path = work / run / "evaluation.json"
    put(path, None)
    try:
        with pytest.raises(InputError) as caught:
            compared()
    finally:
        path.rmdir()
    assert_names(caught, path)
