"""What stands in for an unreadable image follows from the files alone, and each is named once."""

import numpy as np
import pytest
from PIL import Image

from munit_tf.config.options import DataConfig
from munit_tf.data import pipeline, readable_images, registry
from munit_tf.data.sources import ImageFiles
from munit_tf.errors import InputError

BROKEN = (2, 3, 6)


def make(folder, broken=BROKEN, first=0):
    """Seven images, each one gray of level `first + i`, some of them broken."""
    folder.mkdir(parents=True)
    for i in range(7):
        path = folder / f"{i}.png"
        Image.new("RGB", (8, 8), (first + i,) * 3).save(path)
        if i in broken:
            path.write_bytes([b"", b"text", path.read_bytes()[:50]][i % 3])
    return folder


def dataset(tmp_path, **options):
    for name, first in (("trainA", 0), ("trainB", 100)):
        make(tmp_path / name, BROKEN if name == "trainA" else (1, 2), first)
    return registry.open_dataset(DataConfig(dataset=str(tmp_path), unreadable="skip", **options)).train


def level(image):
    return image.getpixel((0, 0))[0]


def test_the_next_readable_image_stands_in(tmp_path, capfd):
    a = dataset(tmp_path)["a"]
    assert [level(a[i]) for i in (6, 0, 1, 2, 3, 4, 5, 6)] == [0, 0, 1, 4, 4, 4, 5, 0]
    lines = capfd.readouterr().err.splitlines()
    assert [line.split(" ")[:2] for line in lines] == [
        ["skipped:", str(tmp_path / "trainA" / f"{i}.png")] for i in (6, 2, 3)
    ]
    assert (
        lines[1] == f"skipped: {tmp_path}/trainA/2.png cannot be decoded" + lines[1][lines[1].index(" (") :]
    )
    assert len(a) == 7 and a.name(2) == str(tmp_path / "trainA" / "4.png")


def batches(sources, start, stop, paired=False):
    steps = pipeline.training_batches(
        sources, resize=8, image_size=(8, 8), batch_size=2, seed=0, start=start, stop=stop,
        paired=paired,
    )  # fmt: skip
    return [
        {
            name: np.round((batch[name].numpy()[:, 0, 0, 0] + 1) * 127.5).astype(int).tolist()
            for name in sources
        }
        for batch in steps
    ]


def test_a_run_that_starts_at_step_k_sees_the_same(tmp_path):
    whole = batches(dataset(tmp_path / "one"), 0, 12)
    late = batches(dataset(tmp_path / "two"), 7, 12)
    assert whole[7:] == late
    shown = [level for batch in whole for level in batch["a"]]
    # Of epochs of seven each readable image once, 0 for 6, and 4 for 2 and 3, too.
    assert sorted(shown[:7]) == sorted(shown[7:14]) == [0, 0, 1, 4, 4, 4, 5]


def test_pairs_give_way_together(tmp_path):
    (tmp_path / "photos").mkdir()
    seen = [
        (a, b)
        for batch in batches(dataset(tmp_path / "photos", paired=True), 0, 7, paired=True)
        for a, b in zip(batch["a"], batch["b"])
    ]
    # 1, 2, 3 and 6 have an unreadable half.
    assert sorted(set(seen)) == [(0, 100), (4, 104), (5, 105)]
    assert sorted(seen[:7]) == [(0, 100)] * 2 + [(4, 104)] * 4 + [(5, 105)]


def test_edges_and_photos_give_way_together(tmp_path, capfd):
    """Photo 2 cannot be decoded: its edges are those of the photo that replaces it."""
    make(tmp_path / "trainB", broken=(2,))
    for i in (0, 1, 3, 4, 5, 6):
        photo = Image.new("RGB", (32, 32))
        photo.paste("white", (4 * i, 8, 4 * i + 8, 24))
        photo.save(tmp_path / "trainB" / f"{i}.png")
    config = DataConfig(dataset=str(tmp_path), unreadable="skip", edges=True, resize=32)
    train = registry.open_dataset(config).train
    np.testing.assert_array_equal(np.asarray(train["a"][2]), np.asarray(train["a"][3]))
    assert (np.asarray(train["a"][1]) != np.asarray(train["a"][3])).any()
    assert train["a"].name(2) == str(tmp_path / "trainB" / "3.png (edges)")
    np.testing.assert_array_equal(np.asarray(train["b"][2]), np.asarray(train["b"][3]))
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"skipped: {tmp_path}/trainB/2.png cannot be decoded")
    strict = registry.open_dataset(DataConfig(dataset=str(tmp_path), edges=True, resize=32)).train
    with pytest.raises(InputError, match=r"2\.png cannot be decoded"):
        strict["a"][2]


def test_halves_of_one_file_are_named_once(tmp_path, capfd):
    paths = [str(path) for path in sorted(make(tmp_path / "a").iterdir())]
    sides = {"a": ImageFiles(paths, half="left"), "b": ImageFiles(paths, half="right")}
    sides = readable_images.skip_unreadable(sides, paired=True)
    assert level(sides["a"][2]) == level(sides["b"][2]) == 4
    assert len(capfd.readouterr().err.splitlines()) == 2  # 2 and 3.


def test_without_skipping_it_is_an_error(tmp_path):
    make(tmp_path / "trainA"), make(tmp_path / "trainB")
    train = registry.open_dataset(DataConfig(dataset=str(tmp_path))).train
    with pytest.raises(InputError, match=r"trainA/2\.png"):
        train["a"][2]
    # Out of TensorFlow's threads, too.
    with pytest.raises(InputError, match=r"train./\d\.png .*remove it$"), pipeline.input_errors():
        batches(train, 0, 7)


def test_a_folder_without_a_readable_image_and_a_disk_that_fails_are_errors(tmp_path):
    files = ImageFiles([str(path) for path in sorted(make(tmp_path / "a", broken=range(7)).iterdir())])
    sources = readable_images.skip_unreadable({"a": files}, paired=False)
    with pytest.raises(InputError, match=r"none of 7 images can be decoded, e\.g\. .*/0\.png"):
        sources["a"][3]
    gone = readable_images.skip_unreadable({"a": ImageFiles([str(tmp_path / "gone.png")])}, paired=False)
    with pytest.raises(InputError, match=r"cannot read .*gone\.png: No such file"):
        gone["a"][0]
