"""Any files in a folder: the doctor finishes, and training ends with one line or continues without them.

MUNIT_TF_FUZZED_FILES says how many files there are.
"""

import collections
import os

import pytest
from data.fuzzing import bounded_memory, fuzzed, whole_files

from munit_tf.config.options import DataConfig
from munit_tf.data import pipeline, registry
from munit_tf.data.decoding import UnreadableImage
from munit_tf.data.inspection import findings, report, scan
from munit_tf.errors import InputError

COUNT = int(os.environ.get("MUNIT_TF_FUZZED_FILES", 60))
SIZE = dict(resize=16, image_size=(16, 16))
pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow's.


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzzed")
    for name in ("trainA", "trainB"):
        (folder / name).mkdir()
    for name, data in fuzzed(COUNT):
        (folder / "trainA" / name).write_bytes(data)
    (folder / "trainB" / "whole.png").write_bytes(whole_files()["png"])
    return folder


@pytest.fixture(autouse=True)
def memory(request):
    with bounded_memory(f"{request.node.name}, {COUNT} files"):
        yield


def readable(folder):
    """{path: whether training can use it}, by decoding each alone; nothing else than InputError may come."""
    source = registry.open_dataset(DataConfig(dataset=str(folder))).train["a"]
    result = {}
    for i, path in enumerate(source.paths):
        try:
            pipeline.load_images(source, [i], **SIZE)
            result[path] = True
        except InputError as error:
            assert path in str(error) and "\n" not in str(error)
            assert isinstance(error, UnreadableImage) or "too" in str(error)
            result[path] = False
    return result


def test_the_doctor_names_all_that_training_cannot_use(folder):
    inspection = scan.inspect(DataConfig(dataset=str(folder), **SIZE))
    fatal = {
        file
        for finding in inspection.findings
        for file in finding.files
        if findings.KINDS[finding.kind].fatal and finding.kind != "constant"
    }
    usable = readable(folder)
    print(collections.Counter(finding.kind for finding in inspection.findings))
    assert fatal == {path for path, can in usable.items() if not can}
    assert len(usable) == COUNT and 0 < sum(usable.values()) < COUNT
    report.as_text(inspection, "error")


def test_training_skips_them(folder, capfd):
    options = DataConfig(dataset=str(folder), unreadable="skip", **SIZE)
    sources = registry.open_dataset(options).train
    count = len(sources["a"])
    steps = pipeline.training_batches(sources, **SIZE, batch_size=1, seed=0, start=0, stop=count)
    # One that is readable and too long and thin to be resized is an error still.
    try:
        with pipeline.input_errors():
            assert sum(1 for _ in steps) == count
    except InputError as error:
        assert "too long and thin" in str(error)
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("skipped: ")]
    assert lines and len(set(lines)) == len(lines)


def test_training_ends_with_one_line(folder):
    sources = registry.open_dataset(DataConfig(dataset=str(folder))).train
    steps = pipeline.training_batches(sources, **SIZE, batch_size=1, seed=0, start=0, stop=len(sources["a"]))
    with pytest.raises(InputError, match=str(folder)), pipeline.input_errors():
        for _ in steps:
            pass
