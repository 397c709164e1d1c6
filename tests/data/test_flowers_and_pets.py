"""TFDS' own builders prepare flowers and pets made here; only the download is faked."""

import dataclasses
import io
import shutil
import socket
import tarfile

import numpy as np
import pytest
from data.tfds_fakes import jpeg, send_to
from PIL import Image

from munit_tf.config.options import DataConfig
from munit_tf.data import registry, tfds
from munit_tf.errors import InputError

tensorflow_datasets = pytest.importorskip("tensorflow_datasets")

KINDS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
PETS = 24
BOXLESS = (3, 7, 11)
# (width, height) of a photo, (left, top, right, bottom) of the head in it, and of the square cut out.
HEADS = [
    ((60, 40), (10, 8, 30, 24), (7, 3, 33, 29)),  # 1.3 times the longer side, around the same middle.
    ((60, 40), (2, 22, 12, 38), (0, 19, 21, 40)),  # Moved into the photo.
    ((40, 60), (0, 10, 38, 50), (0, 10, 40, 50)),  # Made smaller: the photo is not wide enough.
]
too_old = tensorflow_datasets.builder_cls("oxford_iiit_pet").VERSION < "4.0.0"
needs_heads = pytest.mark.skipif(too_old, reason="this TFDS prepares pets without boxes")


def flowers_tgz(folder):
    """25 photos and the list of photographers; the number of a photo is its red."""
    path = folder / "flower_photos.tgz"
    with tarfile.open(path, "w:gz") as tar:
        for i in range(25):
            add(tar, f"flower_photos/{KINDS[i % 5]}/{i}.jpg", jpeg((10 * i, 120, 60), (40, 30)))
        add(tar, "flower_photos/LICENSE.txt", b"All images are licensed ...")
    return str(path)


def add(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def pet(i):
    """Photo i: a red or blue head on gray; green is ten times the number."""
    size, head, _ = HEADS[i % 3]
    photo = Image.new("RGB", size, (128, 10 * i, 128))
    photo.paste((250, 10 * i, 0) if i < 14 else (0, 10 * i, 250), head)
    return photo


def pet_folders(folder):
    """The unpacked archives: cats are 0 to 13, dogs are 14 to 23; BOXLESS have no annotation file."""
    images, annotations = folder / "images", folder / "annotations"
    for path in (images / "images", annotations / "annotations/xmls", annotations / "annotations/trimaps"):
        path.mkdir(parents=True)
    lines = {"trainval": [], "test": []}
    for i in range(PETS + 2):
        species, name = (1, f"Bengal_{i}") if i < 14 else (2, f"pug_{i}")
        lines["trainval" if i < PETS else "test"].append(f"{name} {6 if i < 14 else 26} {species} 1\n")
        pet(i).save(images / f"images/{name}.jpg", quality=95, subsampling=0)
        (width, height), head, _ = HEADS[i % 3]
        Image.new("L", (width, height), 1).save(annotations / f"annotations/trimaps/{name}.png")
        if i not in BOXLESS and i < PETS:
            corners = "".join(f"<{n}>{x}</{n}>" for n, x in zip(("xmin", "ymin", "xmax", "ymax"), head))
            (annotations / f"annotations/xmls/{name}.xml").write_text(
                f"<annotation><size><width>{width}</width><height>{height}</height></size>"
                f"<object><bndbox>{corners}</bndbox></object></annotation>"
            )
    for split, text in lines.items():
        (annotations / f"annotations/{split}.txt").write_text("".join(text))
    return {"images": str(images), "annotations": str(annotations)}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Both sets, opened once by way of a faked download."""
    data_dir = tmp_path_factory.mktemp("data")
    flowers = flowers_tgz(tmp_path_factory.mktemp("flowers"))
    pets = pet_folders(tmp_path_factory.mktemp("pets"))
    manager = tensorflow_datasets.download.DownloadManager
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as server:
        patch.setattr(manager, "download", lambda self, url: flowers)
        patch.setattr(manager, "download_and_extract", lambda self, urls: pets)
        for name in ("edges2flowers",) if too_old else ("edges2flowers", "cat2dog_faces"):
            send_to(patch, name, f"http://127.0.0.1:{server.getsockname()[1]}")
            registry.open_dataset(DataConfig(dataset=name, data_dir=str(data_dir)))
    return data_dir


def records(data_dir, dataset):
    builder = tensorflow_datasets.builder_from_directory(data_dir / dataset)
    return list(tensorflow_datasets.as_numpy(builder.as_dataset("train")))


def color(image):
    return [int(level) for level in np.asarray(image)[image.height // 2, image.width // 2]]


def number(image, channel):
    """The number of the photo that the image shows or was cut from."""
    return round(color(image)[channel] / 10)


def test_every_tenth_flower_is_for_testing(data_dir):
    dataset = registry.open_dataset(DataConfig(dataset="edges2flowers", data_dir=str(data_dir), resize=30))
    order = [round(record["image"][15, 20, 0] / 10) for record in records(data_dir, "tf_flowers/3.0.1")]
    assert sorted(order) == list(range(25))
    assert [number(image, 0) for image in dataset.test["b"]] == [order[0], order[10], order[20]]
    assert [number(image, 0) for image in dataset.train["b"]] == order[1:10] + order[11:20] + order[21:]
    folder = data_dir / "munit_tf/edges2flowers/3.0.1"
    counts = {path.name: len(list(path.iterdir())) for path in folder.iterdir()}
    assert counts == {"trainA": 0, "trainB": 22, "testA": 0, "testB": 3}
    with open(dataset.test["b"].paths[0], "rb") as file:
        assert file.read() == jpeg((10 * order[0], 120, 60), (40, 30))


@pytest.mark.parametrize("paired", [False, True])
def test_flowers_and_their_edges_are_pairs(data_dir, paired):
    config = DataConfig(dataset="edges2flowers", data_dir=str(data_dir), resize=60, paired=paired)
    dataset = registry.open_dataset(config)
    for split in (dataset.train, dataset.test):
        assert list(split) == ["a", "b"] and len(split["a"]) == len(split["b"])
        assert split["a"].name(1) == split["b"].name(1) + " (edges)"
    assert dataset.train["a"][0].size == (80, 60)
    assert np.asarray(dataset.train["a"][0]).min() == 255  # These flowers are of one color.


@needs_heads
def test_heads_are_cut_out(data_dir):
    dataset = registry.open_dataset(DataConfig(dataset="cat2dog_faces", data_dir=str(data_dir)))
    read = records(data_dir, "oxford_iiit_pet/4.0.0")
    order = [int(record["file_name"].decode().split("_")[1][:-4]) for record in read]
    assert sorted(order) == list(range(PETS))
    expected = {"trainA": [], "trainB": [], "testA": [], "testB": []}
    for index, i in enumerate(order):
        if i not in BOXLESS:
            expected[("train" if index % 10 else "test") + "AB"[i >= 14]].append(i)
    folder = data_dir / "munit_tf/cat2dog_faces/4.0.0"
    for name, numbers in expected.items():
        images = [Image.open(path) for path in sorted((folder / name).iterdir())]
        assert [number(image, 1) for image in images] == numbers
        for i, image in zip(numbers, images):
            part = np.asarray(pet(i).crop(HEADS[i % 3][2]), int)
            assert np.asarray(image).shape == part.shape
            assert np.abs(np.asarray(image) - part).mean() < 8
    assert [number(image, 1) for image in dataset.train["a"]] == expected["trainA"]
    assert sum(map(len, expected.values())) == PETS - len(BOXLESS)
    assert min(map(len, (expected["trainA"], expected["trainB"]))) > 4


@pytest.mark.parametrize(("size", "head", "square"), [*HEADS, ((60, 40), (48, 2, 58, 14), (44, 0, 60, 16))])
def test_squares_around_heads(size, head, square):
    width, height = size
    left, top, right, bottom = head
    box = np.float32([top / height, left / width, bottom / height, right / width])
    assert tfds.PET_HEADS.box({"head_bbox": box}, width, height) == square


def test_recipe_of_heads():
    place, box, none = tfds.PET_HEADS.folder, np.float32([0.1, 0.2, 0.5, 0.6]), np.zeros(4, np.float32)
    places = [place("train", i, {"head_bbox": box, "species": i % 2}) for i in (0, 1, 9, 10, 11, 25, 30)]
    assert places == ["testA", "trainB", "trainB", "testA", "trainB", "trainB", "testA"]
    assert place("train", 1, {"head_bbox": none, "species": 1}) is None
    assert place("train", 1, {"head_bbox": np.float32([0.5, 0.2, 0.5, 0.6]), "species": 1}) is None
    assert tfds.PET_HEADS.splits == ("train",)


def test_boxes_are_those_of_the_photo_as_stored():
    photo = Image.new("RGB", (60, 40), "gray")
    photo.paste("red", (7, 3, 33, 29))
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    photo.save(file, "JPEG", quality=95, subsampling=0, exif=exif)
    record = {"image": file.getvalue(), "head_bbox": np.float32([8 / 40, 10 / 60, 24 / 40, 30 / 60])}
    part = Image.open(io.BytesIO(tfds._cut_out(record, tfds.PET_HEADS)))
    assert part.size == (26, 26) and 0x0112 not in part.getexif()
    np.testing.assert_allclose(np.asarray(part).reshape(-1, 3).mean(0), [254, 0, 0], atol=2)


def test_a_photo_that_cannot_be_decoded_is_written_out_as_it_is():
    record = {"image": b"text", "head_bbox": np.float32([0.1, 0.2, 0.5, 0.6])}
    assert tfds._cut_out(record, tfds.PET_HEADS) == b"text"


@needs_heads
def test_pets_of_a_version_without_boxes_are_not_read(data_dir, tmp_path, monkeypatch):
    shutil.copytree(data_dir / "oxford_iiit_pet/4.0.0", tmp_path / "oxford_iiit_pet/3.2.0")
    config = DataConfig(dataset="cat2dog_faces", data_dir=str(tmp_path))
    assert not registry.is_here(config)
    send_to(monkeypatch, "cat2dog_faces", "https://127.0.0.1:9")
    with pytest.raises(InputError, match=r"cannot reach 127\.0\.0\.1 to download cat2dog_faces"):
        registry.open_dataset(config)
    # With the version that has them, nothing is downloaded.
    shutil.copytree(data_dir / "oxford_iiit_pet/4.0.0", tmp_path / "oxford_iiit_pet/4.0.0")
    assert len(registry.open_dataset(config).train["a"]) > 4


def test_a_tfds_that_is_too_old_is_said_before_the_download(tmp_path, monkeypatch):
    def never(*args):
        raise AssertionError("downloads")

    manager = tensorflow_datasets.download.DownloadManager
    monkeypatch.setattr(manager, "download_and_extract", never)
    version = tensorflow_datasets.builder_cls("oxford_iiit_pet").VERSION
    with socket.create_server(("127.0.0.1", 0)) as server:
        recipe = dataclasses.replace(
            tfds.PET_HEADS, version="10.0.0", url=f"http://127.0.0.1:{server.getsockname()[1]}"
        )
        with pytest.raises(InputError) as error:
            tfds.prepare("cat2dog_faces", recipe, DataConfig(data_dir=str(tmp_path)))
    assert str(error.value) == (
        f"version 10.0.0 of oxford_iiit_pet is needed, but TFDS {tensorflow_datasets.__version__} prepares "
        f"{version}: install a later tensorflow-datasets, which needs Python 3.10 or later"
    )
    assert not list(tmp_path.rglob("*.tfrecord*"))
