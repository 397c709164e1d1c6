"""TFDS' own builders prepare real record files from images made here; only the download is faked."""

import dataclasses
import io
import json
import pathlib
import shutil
import socket
import zipfile

import numpy as np
import pytest
from data.tfds_fakes import jpeg, send_to
from PIL import Image

from munit_tf.config.options import DataConfig
from munit_tf.data import downloads, registry, tfds
from munit_tf.errors import InputError

tensorflow_datasets = pytest.importorskip("tensorflow_datasets")

NOWHERE = "https://127.0.0.1:9"
VERSIONS = {"summer2winter": "3.0.0", "male2female": "2.1.0", "cat2dog": "4.0.1"}
MEN = {0, 3, 5, 6}  # Of nine faces: five to train, one to validate, three to test.
CELEB_SPLITS = [0, 0, 0, 0, 0, 1, 2, 2, 2]


def cycle_gan_files(folder):
    """{split: [file contents]}, as unpacked from the authors' zip; one file is a PNG."""
    counts = {"trainA": 4, "trainB": 3, "testA": 2, "testB": 1}
    files = {}
    for number, (split, count) in enumerate(counts.items()):
        files[split] = [jpeg((60 * number, 20 * i, 0)) for i in range(count)]
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), "pink").save(buffer, "PNG")
    files["testB"] = [buffer.getvalue()]
    for split, contents in files.items():
        (folder / "summer2winter_yosemite" / split).mkdir(parents=True)
        for i, data in enumerate(contents):
            (folder / "summer2winter_yosemite" / split / f"{i}.jpg").write_bytes(data)
    return files


def celeb_a_downloads(folder):
    """The five files that the builder downloads; men are red, women blue, the index is green."""
    names = [f"{i:06d}.jpg" for i in range(9)]
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as file:
        for i, name in enumerate(names):
            color = (255, 20 * i, 0) if i in MEN else (0, 20 * i, 255)
            file.writestr(f"img_align_celeba/{name}", jpeg(color, (178, 218)))
    builder = tensorflow_datasets.builder_cls("celeb_a")
    module = __import__(builder.__module__, fromlist=["_"])

    def table(headings, value):
        rows = [" ".join([name, *(value(i, h) for h in headings)]) for i, name in enumerate(names)]
        return "\n".join(["9", " ".join(headings), *rows, ""])

    def attribute(i, heading):
        return str(1 if heading == "Male" and i in MEN else -1)

    texts = {
        "list_attr_celeba": table(module.ATTR_HEADINGS, attribute),
        "landmarks_celeba": table(module.LANDMARK_HEADINGS, lambda i, heading: "7"),
        "list_eval_partition": "".join(f"{n} {s}\n" for n, s in zip(names, CELEB_SPLITS)),
        "identity_celeba": "".join(f"{name} 1\n" for name in names),
    }
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    return {path.stem: path for path in folder.iterdir()}


def cats_and_dogs_zip(folder):
    """15 cats are red, 10 dogs blue."""
    with zipfile.ZipFile(folder / "pets.zip", "w") as file:
        for i in range(25):
            name, color = ("Cat", "red") if i < 15 else ("Dog", "blue")
            file.writestr(f"PetImages/{name}/{i}.jpg", jpeg(color))
    return folder / "pets.zip"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """All three sets, opened once by way of a faked download: (data_dir, datasets, originals)."""
    data_dir = tmp_path_factory.mktemp("data")
    folders = {name: tmp_path_factory.mktemp(name) for name in VERSIONS}
    originals = cycle_gan_files(folders["summer2winter"])
    celeb_a, pets = celeb_a_downloads(folders["male2female"]), cats_and_dogs_zip(folders["cat2dog"])
    manager = tensorflow_datasets.download.DownloadManager
    from tensorflow_datasets.image_classification import cats_vs_dogs

    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as server:
        patch.setattr(cats_vs_dogs, "_NUM_CORRUPT_IMAGES", 0)
        patch.setattr(manager, "download_and_extract", lambda self, url: str(folders["summer2winter"]))
        patch.setattr(manager, "download", lambda self, urls: celeb_a if isinstance(urls, dict) else pets)
        datasets = {}
        for name in VERSIONS:
            send_to(patch, name, f"http://127.0.0.1:{server.getsockname()[1]}")
            config = DataConfig(dataset=name, data_dir=str(data_dir))
            datasets[name] = registry.open_dataset(config)
    return data_dir, datasets, originals


@pytest.fixture
def offline(monkeypatch):
    for name in VERSIONS:
        send_to(monkeypatch, name, NOWHERE)


def counts(dataset):
    return {
        split + domain: len(source)
        for split in ("train", "test")
        for domain, source in getattr(dataset, split).items()
    }


def color(image):
    return tuple(int(round(x)) for x in np.asarray(image).mean((0, 1)))


def contents(source):
    files = []
    for path in source.paths:
        with open(path, "rb") as file:
            files.append(file.read())
    return files


def test_cycle_gan_records_are_written_out_undecoded(data):
    data_dir, datasets, originals = data
    dataset = datasets["summer2winter"]
    assert counts(dataset) == {"traina": 4, "trainb": 3, "testa": 2, "testb": 1}
    for split, files in originals.items():
        source = getattr(dataset, split[:-1])[split[-1].lower()]
        assert sorted(contents(source)) == sorted(files)
    folder = data_dir / "munit_tf/summer2winter/3.0.0"
    assert dataset.train["a"].paths == [f"{folder}/trainA/{i:08d}.jpg" for i in range(4)]
    assert dataset.test["b"].paths == [f"{folder}/testB/00000000.png"]


def test_celeb_a_is_divided_by_gender(data):
    dataset = data[1]["male2female"]
    assert counts(dataset) == {"traina": 2, "trainb": 3, "testa": 1, "testb": 2}
    for split in (dataset.train, dataset.test):
        assert all(color(image)[0] > 200 > 50 > color(image)[2] for image in split["a"])
        assert all(color(image)[2] > 200 > 50 > color(image)[0] for image in split["b"])
    # The index in the green channel tells who is where: number 5, in the validation split, nowhere.
    green = [sorted(round(color(x)[1] / 20) for x in dataset.train[d]) for d in "ab"]
    assert green == [[0, 3], [1, 2, 4]]
    assert [sorted(round(color(x)[1] / 20) for x in dataset.test[d]) for d in "ab"] == [[6], [7, 8]]


def test_cats_and_dogs_keep_every_tenth_image_for_testing(data):
    data_dir, datasets, _ = data
    dataset = datasets["cat2dog"]
    builder = tensorflow_datasets.builder_from_directory(data_dir / "cats_vs_dogs/4.0.1")
    labels = [int(r["label"]) for r in tensorflow_datasets.as_numpy(builder.as_dataset("train"))]
    expected = {"traina": 15, "trainb": 10}
    for label in labels[::10]:
        expected["train" + "ab"[label]] -= 1
    assert {k: v for k, v in counts(dataset).items() if "train" in k} == expected
    written = [
        len(list((data_dir / "munit_tf/cat2dog/4.0.1" / name).iterdir())) for name in ("testA", "testB")
    ]
    assert written == [labels[::10].count(0), labels[::10].count(1)]
    assert len(labels[::10]) == 3
    assert all(color(image)[0] > 200 for image in dataset.train["a"])
    assert all(color(image)[2] > 200 for image in dataset.train["b"])


def test_recipe_of_cats_and_dogs():
    place = tfds.CATS_VS_DOGS.folder
    places = [place("train", i, {"label": i % 2}) for i in (0, 1, 9, 10, 11, 25, 30)]
    assert places == ["testA", "trainB", "trainB", "testA", "trainB", "trainB", "testA"]


def test_domain_without_test_images_means_no_test_set(data, tmp_path, offline):
    copy = tmp_path / "munit_tf/cat2dog/4.0.1"
    shutil.copytree(data[0] / "munit_tf/cat2dog/4.0.1", copy)
    shutil.rmtree(copy / "testB")
    (copy / "testB").mkdir()
    dataset = registry.open_dataset(DataConfig(dataset="cat2dog", data_dir=str(tmp_path)))
    assert dataset.test == {} and len(dataset.train["a"]) > 0


def test_nothing_temporary_is_left(data):
    names = sorted(path.name for path in (data[0] / "munit_tf").iterdir())
    assert names == [".lock", "cat2dog", "male2female", "summer2winter"]


@pytest.mark.parametrize("name", VERSIONS)
def test_second_start_reads_what_was_written_without_tfds(data, name, offline, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("TFDS was asked")

    monkeypatch.setattr(tensorflow_datasets, "builder", never)
    monkeypatch.setattr(tensorflow_datasets, "builder_from_directory", never)
    again = registry.open_dataset(DataConfig(dataset=name, data_dir=str(data[0])))
    assert again.train["a"].paths == data[1][name].train["a"].paths


@pytest.fixture
def prepared(data, tmp_path, offline):
    """A data_dir with TFDS' prepared copies only; nothing can be downloaded."""
    for name in ("cycle_gan", "celeb_a", "cats_vs_dogs"):
        shutil.copytree(data[0] / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("name", VERSIONS)
def test_prepared_copy_needs_no_network(data, prepared, name):
    dataset = registry.open_dataset(DataConfig(dataset=name, data_dir=str(prepared)))
    assert counts(dataset) == counts(data[1][name])
    assert contents(dataset.train["b"]) == contents(data[1][name].train["b"])


def test_written_folder_is_enough(data, tmp_path, offline):
    shutil.copytree(data[0] / "munit_tf/male2female", tmp_path / "munit_tf/male2female")
    dataset = registry.open_dataset(DataConfig(dataset="male2female", data_dir=str(tmp_path)))
    assert len(dataset.train["a"]) == 2


@pytest.mark.parametrize("name", VERSIONS)
def test_an_unreadable_record_can_be_skipped(data, tmp_path, offline, name):
    shutil.copytree(data[0] / "munit_tf" / name, tmp_path / "munit_tf" / name)
    options = dict(dataset=name, data_dir=str(tmp_path))
    first = registry.open_dataset(DataConfig(**options)).train["a"].paths[0]
    pathlib.Path(first).write_bytes(b"text")
    with pytest.raises(InputError, match="00000000.* is not an image"):
        registry.open_dataset(DataConfig(**options)).train["a"][0]
    source = registry.open_dataset(DataConfig(**options, unreadable="skip")).train["a"]
    np.testing.assert_array_equal(np.asarray(source[0]), np.asarray(source[1]))


def test_a_record_that_is_no_image_is_written_out_like_the_others(prepared, monkeypatch):
    """Training says which file it is, or skips it; preparation need not fail for it."""
    monkeypatch.setattr(tfds.decoding, "_FORMATS", ("GIF",))
    dataset = registry.open_dataset(DataConfig(dataset="summer2winter", data_dir=str(prepared)))
    assert [pathlib.Path(path).name for path in dataset.test["b"].paths] == ["00000000.jpg"]


def test_newest_version_is_taken(prepared):
    folder = prepared / "cycle_gan/summer2winter_yosemite"
    shutil.copytree(folder / "3.0.0", folder / "10.0.0")
    info = json.loads((folder / "10.0.0/dataset_info.json").read_text())
    info["version"] = "10.0.0"
    (folder / "10.0.0/dataset_info.json").write_text(json.dumps(info))
    (folder / "11.0.0.incomplete").mkdir()
    (folder / "12.0.0").mkdir()  # Without dataset_info.json it is not prepared.
    registry.open_dataset(DataConfig(dataset="summer2winter", data_dir=str(prepared)))
    assert [path.name for path in (prepared / "munit_tf/summer2winter").iterdir()] == ["10.0.0"]


def test_failure_on_the_way_leaves_nothing_and_old_leftovers_go(prepared, monkeypatch):
    leftover = prepared / "munit_tf/summer2winter-3.0.0.tmp/trainA"
    leftover.mkdir(parents=True)
    (leftover / "junk.jpg").write_bytes(b"junk")
    recipe = registry.ENTRIES["summer2winter"].load.keywords["recipe"]
    seen = []

    def fail_late(split, index, record):
        seen.append(split)
        if split == "testA":
            raise KeyboardInterrupt
        return split

    config = DataConfig(dataset="summer2winter", data_dir=str(prepared))
    with pytest.raises(KeyboardInterrupt):
        broken = dataclasses.replace(recipe, folder=fail_late)
        tfds.prepare("summer2winter", broken, config)
    assert len(seen) == 8
    assert [path.name for path in (prepared / "munit_tf").iterdir()] == [".lock"]
    assert counts(registry.open_dataset(config))["traina"] == 4


@pytest.mark.parametrize("name", VERSIONS)
def test_no_network_is_said_at_once_in_one_line_and_touches_nothing(tmp_path, offline, name):
    with pytest.raises(InputError) as error:
        registry.open_dataset(DataConfig(dataset=name, data_dir=str(tmp_path / "data")))
    message = str(error.value)
    assert message.startswith(f"cannot reach 127.0.0.1 to download {name} (Connection refused)")
    assert "--dataset=shapes" in message and "trainA trainB testA testB" in message
    assert "--data_dir" in message and "\n" not in message
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "host", "port"),
    [
        ("horse2zebra", "efrosgans.eecs.berkeley.edu", 443),
        ("male2female", "drive.google.com", 443),
        ("cat2dog", "download.microsoft.com", 443),
        ("cat2dog_faces", "thor.robots.ox.ac.uk", 443),
        ("edges2flowers", "download.tensorflow.org", 80),
    ],
)
def test_the_host_tried_is_the_one_that_tfds_downloads_from(name, host, port, tmp_path, monkeypatch):
    tried = []

    def refuse(address, timeout):
        tried.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(downloads.socket, "create_connection", refuse)
    monkeypatch.setattr(downloads.urllib.request, "getproxies", dict)
    with pytest.raises(InputError, match=f"cannot reach {host} to download {name}"):
        registry.open_dataset(DataConfig(dataset=name, data_dir=str(tmp_path)))
    assert tried == [(host, port)]


def test_tfds_failure_is_one_line_and_its_temporary_files_go(tmp_path, monkeypatch):
    kept = tmp_path / "downloads/whole.zip"
    kept.parent.mkdir()
    kept.write_bytes(b"kept")

    def fail(self, url):
        (tmp_path / "downloads/x.tmp.123").mkdir()
        raise tensorflow_datasets.download.DownloadError("quota\nexceeded")

    manager = tensorflow_datasets.download.DownloadManager
    monkeypatch.setattr(manager, "download_and_extract", fail)
    with socket.create_server(("127.0.0.1", 0)) as server:
        send_to(monkeypatch, "summer2winter", f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(InputError, match="TFDS cannot prepare cycle_gan/.*quota exceeded"):
            registry.open_dataset(DataConfig(dataset="summer2winter", data_dir=str(tmp_path)))
    assert not list(tmp_path.rglob("*.tmp*")) and not list(tmp_path.rglob("*incomplete*"))
    files = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(files) == [".lock", "metadata.json", "whole.zip"]  # TFDS' note on its builder.


def test_prepared_copy_that_lacks_a_split(prepared):
    folder = prepared / "cycle_gan/summer2winter_yosemite/3.0.0"
    info = json.loads((folder / "dataset_info.json").read_text())
    info["splits"] = [split for split in info["splits"] if split["name"] != "testB"]
    (folder / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(InputError, match="has no split testB"):
        registry.open_dataset(DataConfig(dataset="summer2winter", data_dir=str(prepared)))


RECORDS = "cycle_gan/summer2winter_yosemite/3.0.0"
DAMAGED_RECORDS = {  # (a file of TFDS', what it holds, or None: it is missing).
    "info empty": ("dataset_info.json", b""),
    "info garbage": ("dataset_info.json", b"garbage"),
    "info not UTF-8": ("dataset_info.json", b'{"name": "\xff"}'),
    "info a list": ("dataset_info.json", b"[]"),
    "info nested too deeply": ("dataset_info.json", b"[" * 100_000),
    "no features": ("features.json", None),
    "features empty": ("features.json", b""),
    "features garbage": ("features.json", b"garbage"),
    "features of nothing": ("features.json", b"{}"),
    "no records": ("*-trainA.tfrecord*", None),
    "records empty": ("*-trainA.tfrecord*", b""),
    "records garbage": ("*-trainA.tfrecord*", b"garbage" * 30),
    "records of NUL bytes": ("*-trainA.tfrecord*", bytes(4096)),
}


@pytest.mark.parametrize("name", DAMAGED_RECORDS)
def test_damaged_records_are_named_and_nothing_is_written(prepared, name):
    pattern, data = DAMAGED_RECORDS[name]
    [path] = (prepared / RECORDS).glob(pattern)
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError) as error:
        registry.open_dataset(DataConfig(dataset="summer2winter", data_dir=str(prepared)))
    assert str(prepared / RECORDS) in str(error.value) and "\n" not in str(error.value)
    assert [path.name for path in (prepared / "munit_tf").iterdir()] == [".lock"]


@pytest.mark.parametrize("missing", tfds.FOLDERS)
def test_a_written_folder_that_lacks_one_is_named(data, tmp_path, offline, missing):
    copy = tmp_path / "munit_tf/cat2dog/4.0.1"
    shutil.copytree(data[0] / "munit_tf/cat2dog/4.0.1", copy)
    shutil.rmtree(copy / missing)
    with pytest.raises(InputError) as error:
        registry.open_dataset(DataConfig(dataset="cat2dog", data_dir=str(tmp_path)))
    assert f"{copy} has no folder {missing}" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("file", ["summer2winter", "summer2winter/3.0.0"])
def test_a_file_in_place_of_the_written_folder_is_named(prepared, file):
    path = prepared / "munit_tf" / file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    with pytest.raises(InputError) as error:
        registry.open_dataset(DataConfig(dataset="summer2winter", data_dir=str(prepared)))
    assert f"{path} is not a folder" in str(error.value)
    assert path.read_bytes() == b""
