"""Archives come over real HTTP from a loopback address; whatever goes wrong leaves nothing."""

import gzip
import io
import os
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

from munit_tf.config.options import DataConfig
from munit_tf.data import archives, registry
from munit_tf.errors import InputError

LEFT, RIGHT = (255, 0, 0), (0, 0, 255)


def pair_png():
    image = np.zeros((4, 12, 3), np.uint8)
    image[:, :6], image[:, 6:] = LEFT, RIGHT
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def make_tar(names, links=()):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            data = pair_png()
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for name in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(member)
    return buffer.getvalue()


GOOD_TAR = make_tar(
    [f"edges2shoes/train/{i}_AB.png" for i in range(5)]
    + [f"edges2shoes/val/{i}_AB.png" for i in range(2)]
    + ["edges2shoes/train/._0_AB.png", "edges2shoes/train/readme.txt", "edges2shoes/x.png"],
    links=["edges2shoes/train/link.png"],
)
GOOD = gzip.compress(GOOD_TAR)


def config(tmp_path, mirror, **options):
    options = {"dataset": "edges2shoes", **options}
    return DataConfig(data_dir=str(tmp_path / "data"), mirror=mirror, **options)


def left_behind(tmp_path):
    return [
        os.path.join(folder, name)
        for folder, folders, files in os.walk(tmp_path)
        for name in folders + files
        if name not in ("data", "munit_tf", ".lock")
    ]


def colors(source):
    return {image.getpixel((x, y)) for image in source for x in range(6) for y in range(4)}


def test_archive_becomes_pairs_of_halves(tmp_path, serve):
    dataset = registry.open_dataset(config(tmp_path, serve(GOOD)))
    for split, count in ((dataset.train, 5), (dataset.test, 2)):
        assert {domain: len(source) for domain, source in split.items()} == {"a": count, "b": count}
        assert split["a"][0].size == (6, 4)
        assert colors(split["a"]) == {LEFT} and colors(split["b"]) == {RIGHT}
    folder = tmp_path / "data/munit_tf/edges2shoes"
    assert sorted(os.listdir(folder)) == ["train", "val"]
    assert sorted(os.listdir(folder / "train")) == [f"{i}_AB.png" for i in range(5)]
    assert sorted(os.listdir(folder.parent)) == [".lock", "edges2shoes"]


def test_paired_archive_has_equal_files_on_both_sides(tmp_path, serve):
    dataset = registry.open_dataset(config(tmp_path, serve(GOOD), paired=True))
    assert dataset.train["a"].paths == dataset.train["b"].paths


def test_an_unreadable_pair_can_be_skipped(tmp_path, serve, capfd):
    mirror = serve(GOOD)
    registry.open_dataset(config(tmp_path, mirror))
    broken = tmp_path / "data/munit_tf/edges2shoes/train/1_AB.png"
    broken.write_bytes(broken.read_bytes()[:60])
    train = registry.open_dataset(config(tmp_path, mirror, unreadable="skip")).train
    assert colors([train["a"][1]]) == {LEFT} and colors([train["b"][1]]) == {RIGHT}
    assert train["a"].name(1).endswith("2_AB.png (left half)")
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("skipped: ")]
    assert len(lines) == 1 and str(broken) in lines[0]


def test_archive_is_fetched_once(tmp_path, serve):
    registry.open_dataset(config(tmp_path, serve(GOOD)))
    assert len(registry.open_dataset(config(tmp_path, "http://127.0.0.1:9")).train["a"]) == 5


def test_unknown_length_is_accepted(tmp_path, serve):
    assert len(registry.open_dataset(config(tmp_path, serve(GOOD, length="none"))).test["a"]) == 2


def test_address_on_the_authors_server():
    assert archives.SERVER == "http://efrosgans.eecs.berkeley.edu/pix2pix/datasets"


def test_name_is_asked_for_below_the_mirror(tmp_path, serve):
    address = serve(b"", status=404)
    with pytest.raises(InputError, match=f"{address}/sub/cityscapes.tar.gz: the server answers 404"):
        registry.open_dataset(config(tmp_path, address + "/sub/", dataset="cityscapes"))
    assert left_behind(tmp_path) == []


def test_cut_off_download(tmp_path, serve):
    address = serve(GOOD, length=len(GOOD) + 1000)
    with pytest.raises(InputError, match="was cut off.*try again"):
        registry.open_dataset(config(tmp_path, address))
    assert left_behind(tmp_path) == []


BROKEN = {
    "web page": (b"<html>hello</html>", "is a damaged archive"),
    "cut-off gzip": (GOOD[:-200], "is a damaged archive"),
    "cut off inside a member": (gzip.compress(GOOD_TAR[:700]), "is a damaged archive"),
    "cut off between members": (gzip.compress(GOOD_TAR[: 3 * 1024]), "is a damaged archive"),
    "wrong checksum": (GOOD[:-8] + bytes(8), "is a damaged archive"),
    "parent path": (gzip.compress(make_tar(["../train/x.png"])), "unsafe path ../train/x.png"),
    "absolute path": (gzip.compress(make_tar(["/tmp/train/x.png"])), "unsafe path"),
    "no val": (gzip.compress(make_tar(["x/train/1.png"])), "no images in a folder val/"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_archive(tmp_path, serve, kind):
    body, message = BROKEN[kind]
    with pytest.raises(InputError, match=message) as error:
        registry.open_dataset(config(tmp_path, serve(body)))
    assert "\n" not in str(error.value)
    assert left_behind(tmp_path) == []
    # The next start takes nothing of it for data.
    assert len(registry.open_dataset(config(tmp_path, serve(GOOD))).train["a"]) == 5


def test_the_test_tar_is_cut_between_members():
    # One member is a header block and a data block; so the tar above holds three and no end mark.
    assert len(pair_png()) < 512
    with tarfile.open(fileobj=io.BytesIO(GOOD_TAR[: 3 * 1024])) as tar:
        assert len(tar.getnames()) == 3


def test_leftover_of_a_dead_attempt_is_removed(tmp_path, serve):
    leftover = tmp_path / "data/munit_tf/edges2shoes.tmp/train"
    leftover.mkdir(parents=True)
    (leftover / "99_AB.png").write_bytes(pair_png())
    dataset = registry.open_dataset(config(tmp_path, serve(GOOD)))
    assert len(dataset.train["a"]) == 5
    assert sorted(os.listdir(tmp_path / "data/munit_tf")) == [".lock", "edges2shoes"]


def test_no_server_is_said_at_once_and_touches_nothing(tmp_path):
    with pytest.raises(InputError) as error:
        registry.open_dataset(config(tmp_path, "http://127.0.0.1:9"))
    message = str(error.value)
    assert message.startswith("cannot reach 127.0.0.1 to download edges2shoes (Connection refused)")
    assert "--dataset=shapes" in message and "trainA trainB testA testB" in message
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("mirror", ["127.0.0.1:9", "ftp://127.0.0.1", "/some/folder"])
def test_mirror_that_is_no_address(tmp_path, mirror):
    with pytest.raises(InputError, match="is not an http:// or https:// address"):
        registry.open_dataset(config(tmp_path, mirror))


def test_unwritable_data_dir(tmp_path, serve):
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(InputError, match="cannot write to .*choose a --data_dir"):
        registry.open_dataset(config(tmp_path, serve(GOOD)))


def put_file(path):
    if path.is_dir():
        shutil.rmtree(path)
    path.write_bytes(b"")


def clear(path):
    shutil.rmtree(path)
    path.mkdir()


DAMAGES = {  # What becomes of the unpacked folder, and what the message names.
    "no train": (lambda folder: shutil.rmtree(folder / "train"), "no folder train"),
    "no val": (lambda folder: shutil.rmtree(folder / "val"), "no folder val"),
    "train is a file": (lambda folder: put_file(folder / "train"), "no folder train"),
    "train is empty": (lambda folder: clear(folder / "train"), "train contains no image"),
    "nothing": (clear, "no folder train"),
    "a file": (lambda folder: put_file(folder), "is not a folder"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_folder_is_named(tmp_path, serve, name):
    mirror = serve(GOOD)
    registry.open_dataset(config(tmp_path, mirror))
    damage, message = DAMAGES[name]
    folder = tmp_path / "data/munit_tf/edges2shoes"
    damage(folder)
    with pytest.raises(InputError, match=message) as error:
        registry.open_dataset(config(tmp_path, mirror))
    assert str(folder) in str(error.value) and "\n" not in str(error.value)


def test_a_file_called_like_a_leftover_is_removed(tmp_path, serve):
    (tmp_path / "data/munit_tf").mkdir(parents=True)
    (tmp_path / "data/munit_tf/edges2shoes.tmp").write_bytes(b"")
    assert len(registry.open_dataset(config(tmp_path, serve(GOOD))).train["a"]) == 5
