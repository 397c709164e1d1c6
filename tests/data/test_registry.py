"""What opens, and what a user is told where it does not."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from munit_tf.config.options import DataConfig
from munit_tf.data import registry
from munit_tf.errors import InputError


def make(folder, **files):
    """Makes subfolders of images, given their names: each is one gray that tells its place."""
    for split, names in files.items():
        (folder / split).mkdir(parents=True)
        for level, name in enumerate(names):
            Image.new("L", (8, 8), level).save(folder / split / name)
    return str(folder)


def shown(source):
    return [image.getpixel((0, 0))[0] for image in source]


def open_(**options):
    return registry.open_dataset(DataConfig(**options))


def fails(message, **options):
    with pytest.raises(InputError, match=message) as error:
        open_(**options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_names_are_those_that_users_rely_on():
    assert registry.NAMES == (
        "shapes", "summer2winter", "horse2zebra", "apple2orange", "monet2photo", "cezanne2photo",
        "ukiyoe2photo", "vangogh2photo", "maps", "facades", "iphone2dslr_flower", "male2female",
        "cat2dog", "cat2dog_faces", "edges2flowers", "edges2shoes", "edges2handbags", "cityscapes",
    )  # fmt: skip


def test_every_entry_says_what_it_is():
    for entry in registry.ENTRIES.values():
        assert all((entry.a, entry.b, entry.origin, entry.license))
    assert registry.ENTRIES["summer2winter"].origin == "TFDS cycle_gan/summer2winter_yosemite"
    assert (registry.ENTRIES["cityscapes"].a, registry.ENTRIES["edges2shoes"].a) == ("photos", "edges")


def test_licenses_that_ask_for_names_have_them():
    flowers, faces = registry.ENTRIES["edges2flowers"], registry.ENTRIES["cat2dog_faces"]
    assert (flowers.license, faces.license) == ("CC BY 2.0", "CC BY-SA 4.0")
    assert flowers.attribution == (
        "photos by the photographers listed in LICENSE.txt of "
        "http://download.tensorflow.org/example_images/flower_photos.tgz"
    )
    assert faces.attribution == (
        "cut from the Oxford-IIIT Pet Dataset by O. M. Parkhi, A. Vedaldi, A. Zisserman and C. V. Jawahar, "
        "https://www.robots.ox.ac.uk/~vgg/data/pets/"
    )
    lines = registry.descriptions()
    assert lines["edges2flowers"] == (
        f"edges (a), photos (b); TFDS tf_flowers; CC BY 2.0; {flowers.attribution}"
    )
    assert lines["cat2dog_faces"].endswith(f"TFDS oxford_iiit_pet; CC BY-SA 4.0; {faces.attribution}")
    assert lines["cat2dog"] == "cats (a), dogs (b); TFDS cats_vs_dogs; unclear (Microsoft, Petfinder)"
    attributed = {name for name, entry in registry.ENTRIES.items() if entry.attribution}
    assert attributed == {"edges2flowers", "cat2dog_faces"}


def test_shapes():
    dataset = open_(dataset="shapes", resize=32)
    assert {domain: len(source) for domain, source in dataset.train.items()} == {"a": 2000, "b": 2000}
    assert len(dataset.test["a"]) == 100
    assert dataset.train["a"][0].size == (32, 32)
    assert dataset.train["a"].shape(3).x != dataset.train["b"].shape(3).x
    paired = open_(dataset="shapes", resize=32, paired=True)
    assert paired.train["a"].shape(3).x == paired.train["b"].shape(3).x


def test_folder_with_test_images(tmp_path):
    folder = make(
        tmp_path / "mine",
        trainA=["1.png", "2.png"],
        trainB=["3.png"],
        testA=["4.png"],
        testB=["5.png", "6.png"],
    )
    dataset = open_(dataset=folder)
    assert [len(split[d]) for split in (dataset.train, dataset.test) for d in "ab"] == [2, 1, 1, 2]
    assert dataset.test["b"].name(1) == f"{folder}/testB/6.png"


def test_folder_without_test_images(tmp_path):
    assert open_(dataset=make(tmp_path, trainA=["1.png"], trainB=["2.png"])).test == {}


def test_folder_that_lacks_a_part(tmp_path):
    folder = make(tmp_path / "x", trainA=["1.png"])
    fails(r"x has no folder trainB: it must contain trainA trainB", dataset=folder)
    make(tmp_path / "x", trainB=["1.png"], testB=["2.png"])
    fails(r"x has no folder testA: it must contain", dataset=folder)
    (tmp_path / "x" / "testA").mkdir()
    fails(r"testA contains no image", dataset=folder)
    fails(r"y has no folder trainA and no trainB", dataset=make(tmp_path / "y", photos=["1.png"]))


def test_unknown_name_lists_names_and_layout():
    message = fails("--dataset=horse2zebr is neither", dataset="horse2zebr")
    assert "did you mean horse2zebra?" in message
    assert " ".join(registry.NAMES) in message and "trainA trainB" in message
    assert "did you mean" not in fails("neither", dataset="/no/where/at/all")


def test_folders_one_by_one(tmp_path):
    make(tmp_path, cats=["1.png", "2.jpg"], dogs=["1.png"], more=["1.png"])
    (tmp_path / "dogs.txt").write_text("dogs/1.png\nmore/1.png\ndogs/1.png\n")
    train = dict(train_a=f"{tmp_path}/cats/*.png", train_b=f"{tmp_path}/dogs.txt")
    dataset = open_(**train)
    assert (len(dataset.train["a"]), len(dataset.train["b"]), dataset.test) == (1, 3, {})
    dataset = open_(**train, test_a=f"{tmp_path}/more", test_b=f"{tmp_path}/cats")
    assert (len(dataset.test["a"]), len(dataset.test["b"])) == (1, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no images: give --dataset=NAME.*names: shapes"),
        ({"train_a": "x"}, "--train_b is missing"),
        ({"train_b": "x"}, "--train_a is missing"),
        ({"test_a": "x", "test_b": "x"}, "--train_a is missing"),
        ({"train_a": "x", "train_b": "x", "test_b": "x"}, "test images of a are missing"),
        ({"dataset": "shapes", "train_a": "x", "train_b": "x"}, "not both"),
        ({"dataset": "shapes", "test_a": "x"}, "not both"),
        ({"train_a": "nowhere", "train_b": "x"}, "no image found at nowhere"),
    ],
)
def test_contradictions(options, message):
    fails(message, **options)


def test_pairs_by_stem(tmp_path):
    folder = make(
        tmp_path,
        trainA=["x.png", "y.png", "z.jpg"],
        trainB=["z.png", "x.jpg", "y.bmp"],
        testA=["q.png"],
        testB=["q.jpg"],
    )
    dataset = open_(dataset=folder, paired=True)
    assert [path.rsplit("/", 1)[1] for path in dataset.train["a"].paths] == ["x.png", "y.png", "z.jpg"]
    assert [path.rsplit("/", 1)[1] for path in dataset.train["b"].paths] == ["x.jpg", "y.bmp", "z.png"]
    assert shown(dataset.train["b"])[1:] == [2, 0]
    assert len(dataset.test["a"]) == 1


def test_pairs_of_list_files_come_in_the_order_of_a(tmp_path):
    make(tmp_path, left=["x.png", "y.png", "z.png"], right=["x.png", "y.png", "z.png"])
    (tmp_path / "a.txt").write_text("left/y.png\nleft/z.png\nleft/x.png\n")
    dataset = open_(train_a=f"{tmp_path}/a.txt", train_b=f"{tmp_path}/right", paired=True)
    assert shown(dataset.train["a"]) == shown(dataset.train["b"]) == [1, 2, 0]


def test_image_without_a_partner_is_named(tmp_path):
    folder = make(tmp_path / "1", trainA=["x.png", "y.png"], trainB=["x.png"])
    fails(r"trainA/y\.png has no partner of the same name in .*trainB \(1 such", dataset=folder, paired=True)
    folder = make(tmp_path / "2", trainA=["x.png"], trainB=["w.png", "x.png"])
    fails(r"trainB/w\.png has no partner of the same name in .*trainA", dataset=folder, paired=True)
    folder = make(tmp_path / "3", trainA=["x.png", "x.jpg"], trainB=["x.png"])
    fails(r"x\.jpg and .*x\.png have the same name", dataset=folder, paired=True)


def names(source):
    return [source.name(i).rsplit("/", 1)[1] for i in range(len(source))]


def test_edges_need_photos_of_b_alone(tmp_path):
    folder = make(tmp_path / "one", trainB=["1.png", "2.png"], testB=["3.png"])
    dataset = open_(dataset=folder, edges=True, resize=16)
    assert list(dataset.train) == list(dataset.test) == ["a", "b"]
    assert names(dataset.train["a"]) == ["1.png (edges)", "2.png (edges)"]
    assert names(dataset.train["b"]) == ["1.png", "2.png"]
    assert (names(dataset.test["a"]), names(dataset.test["b"])) == (["3.png (edges)"], ["3.png"])
    assert dataset.train["a"][0].size == (16, 16)
    assert open_(dataset=make(tmp_path / "two", trainB=["1.png"]), edges=True).test == {}


def test_edges_of_a_pile_of_photos(tmp_path):
    pile = f"{make(tmp_path, pile=['1.png', '2.jpg'], more=['3.png'])}/pile"
    (tmp_path / "pile" / "notes.txt").touch()
    (tmp_path / "pile" / "subfolder").mkdir()
    for options in (dict(dataset=pile), dict(train_b=pile), dict(train_b=f"{pile}/*", paired=True)):
        dataset = open_(**options, edges=True)
        assert names(dataset.train["b"]) == ["1.png", "2.jpg"]
        assert names(dataset.train["a"]) == ["1.png (edges)", "2.jpg (edges)"]
        assert dataset.test == {}
    dataset = open_(train_b=pile, test_b=f"{tmp_path}/more", edges=True)
    assert (names(dataset.test["a"]), names(dataset.test["b"])) == (["3.png (edges)"], ["3.png"])


def test_edges_that_contradict_other_options(tmp_path):
    both = make(tmp_path / "both", trainA=["1.png"], trainB=["1.png"])
    fails(
        f"--edges makes domain a from the photos of b, but {both} has trainA: leave --edges out, or give "
        f"--train_b={both}/trainB instead of --dataset",
        dataset=both,
        edges=True,
    )
    fails(
        "has testA: leave --edges out", dataset=make(tmp_path / "x", trainB=["1.png"], testA=[]), edges=True
    )
    fails("has testB but no folder trainB", dataset=make(tmp_path / "y", testB=["1.png"]), edges=True)
    fails("z contains no image", dataset=make(tmp_path / "z", daisies=["1.png"]), edges=True)
    for flag in ("train_a", "test_a"):
        fails(
            f"leave out --{flag} or --edges", train_b=f"{both}/trainB", edges=True, **{flag: f"{both}/trainA"}
        )
    fails("--train_b is missing: --edges needs", test_b=f"{both}/trainB", edges=True)
    fails("not both", dataset=both, train_b=f"{both}/trainB", edges=True)
    fails("no images: give --dataset", edges=True)
    fails("--dataset=horse2zebr is neither", dataset="horse2zebr", edges=True)
    for name in ("shapes", "summer2winter", "edges2flowers", "edges2shoes"):
        fails(f"and {name} has a domain a: leave --edges out", dataset=name, edges=True)
    # Without --edges a folder needs both domains, as before.
    fails("has no folder trainA", dataset=make(tmp_path / "w", trainB=["1.png"]))


def test_which_folders_lack_a_domain_for_edges(tmp_path):
    assert registry.is_for_edges(make(tmp_path / "photos", trainB=["1.png"]))
    (tmp_path / "pile").mkdir()
    assert registry.is_for_edges(str(tmp_path / "pile"))
    assert not registry.is_for_edges(make(tmp_path / "sketches", testA=["1.png"], testB=["1.png"]))
    assert not registry.is_for_edges(str(tmp_path / "nowhere"))
    assert not registry.is_for_edges("shapes")
    edges = DataConfig(dataset="x", edges=True)
    assert registry.makes_edges(edges) and registry.makes_edges(DataConfig(dataset="edges2flowers"))
    assert not registry.makes_edges(DataConfig(dataset="edges2shoes"))
    assert not registry.makes_edges(DataConfig())


def test_registry_sets_without_pairs_say_so(tmp_path):
    for name in ("summer2winter", "cat2dog", "cat2dog_faces", "male2female"):
        fails(f"--paired: {name} has no pairs", dataset=name, paired=True, data_dir=str(tmp_path))


def test_importing_does_no_work():
    code = (
        "import sys, munit_tf.data.registry; "
        "print([m for m in ('tensorflow_datasets', 'tensorflow', 'tqdm', 'scipy') if m in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"


def test_shared_photos_if_they_are_there():
    folder = "/work/shared/data/summer2winter"
    try:
        dataset = open_(dataset=folder)
    except InputError as error:
        pytest.skip(f"no photos to try: {error}")
    image = np.asarray(dataset.train["a"][0])
    assert image.shape == (256, 256, 3) and image.std() > 10


def test_what_needs_no_download(tmp_path):
    def here(name):
        return registry.is_here(DataConfig(dataset=name, data_dir=str(tmp_path)))

    assert here("shapes") and here("/some/folder")
    assert not here("horse2zebra") and not here("edges2shoes")
    (tmp_path / "munit_tf" / "horse2zebra" / "3.0.0").mkdir(parents=True)
    (tmp_path / "munit_tf" / "edges2shoes").mkdir()
    assert here("horse2zebra") and here("edges2shoes") and not here("cat2dog")
    assert not here("edges2flowers") and not here("cat2dog_faces")
    (tmp_path / "munit_tf" / "edges2flowers" / "3.0.1").mkdir(parents=True)
    assert here("edges2flowers")
    # A newer version that TFDS has prepared is not written out yet.
    (tmp_path / registry.tfds.cycle_gan("horse2zebra").dataset / "4.0.0").mkdir(parents=True)
    (tmp_path / registry.tfds.cycle_gan("horse2zebra").dataset / "4.0.0" / "dataset_info.json").touch()
    assert not here("horse2zebra")
