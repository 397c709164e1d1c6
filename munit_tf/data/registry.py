"""Known data sets and folders of images, as a `Dataset` of sources."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import os
import pathlib
from typing import Callable, Optional

from munit_tf.config.options import DataConfig
from munit_tf.data import archives, tfds
from munit_tf.data.edges import Edges
from munit_tf.data.readable_images import skip_unreadable
from munit_tf.data.shapes import Shapes
from munit_tf.data.sources import ImageFiles, Source, list_images
from munit_tf.errors import InputError
from munit_tf.storage.paths import absolute

LAYOUT = "trainA trainB (and both testA testB or neither)"


@dataclasses.dataclass(frozen=True)
class Dataset:
    """The images of a data set.

    Attributes:
        train: {"a": source, "b": source}.
        test: the same, or {} if test images are missing.
    """

    train: dict[str, Source]
    test: dict[str, Source]


_Sources = tuple[dict[str, Source], dict[str, Source]]


@dataclasses.dataclass(frozen=True)
class Entry:
    """A data set in the registry.

    Attributes:
        a: the contents of domain a.
        b: the contents of domain b.
        origin: where the images come from.
        license: the terms of use, in a few words.
        load: (name, DataConfig) -> (train, test), the two dicts of `Dataset`; without "a" if `edges`.
        is_here: (name, DataConfig) -> whether `load` needs no download.
        edges: domain a consists of the edges of domain b's photos, which `open_dataset` computes.
        has_edges: domain a consists of edges that come with the data set.
        attribution: whom to credit, and where they are listed; "" if nobody is listed here.
    """

    a: str
    b: str
    origin: str
    license: str
    load: Callable[[str, DataConfig], _Sources]
    is_here: Callable[[str, DataConfig], bool] = lambda name, config: True
    edges: bool = False
    has_edges: bool = False
    attribution: str = ""


def open_dataset(config: DataConfig) -> Dataset:
    """Opens the data set that the options name, downloading it if necessary.

    Args:
        config: data options.

    Returns:
        The images. If `config.paired`, image i of a and image i of b belong together. If
        `config.unreadable` is "skip", unreadable images are replaced, see `readable_images`.

    Raises:
        InputError: the options contradict each other, images are missing or have no pair, or a download
            fails.
    """
    train, test = _open(config)
    if config.unreadable == "skip":
        train, test = (skip_unreadable(sources, config.paired) for sources in (train, test))
    if makes_edges(config):
        train, test = (_with_edges(photos, config.resize) for photos in (train, test))
    return Dataset(train, test)


def is_here(config: DataConfig) -> bool:
    """Whether `open_dataset` needs no download."""
    return config.dataset not in ENTRIES or ENTRIES[config.dataset].is_here(config.dataset, config)


def makes_edges(config: DataConfig) -> bool:
    """Whether domain a consists of the edges of domain b's photos."""
    return config.edges or (config.dataset in ENTRIES and ENTRIES[config.dataset].edges)


def has_edges(config: DataConfig) -> bool:
    """Whether domain a consists of edges, also if they come with the data set."""
    return makes_edges(config) or (config.dataset in ENTRIES and ENTRIES[config.dataset].has_edges)


def is_for_edges(dataset: str) -> bool:
    """Whether `--dataset` is a folder without images of domain a, which `--edges` can make."""
    folder = pathlib.Path(absolute(dataset))
    names = ("trainA", "testA")
    return dataset not in ENTRIES and folder.is_dir() and not any((folder / name).is_dir() for name in names)


def _open(config: DataConfig) -> _Sources:
    """The images that the options name; those of b alone if `makes_edges`."""
    folders = (config.train_a, config.train_b, config.test_a, config.test_b)
    if config.dataset and any(folders):
        raise InputError("give --dataset or --train_a --train_b (--test_a --test_b), not both")
    if config.dataset in ENTRIES:
        name: str = config.dataset
        if config.edges:
            raise InputError(f"--edges is for your own photos, and {name} has a domain a: leave --edges out")
        return ENTRIES[name].load(name, config)
    if not config.dataset and not any(folders):
        raise InputError(
            "no images: give --dataset=NAME, --dataset=FOLDER, or --train_a=... --train_b=... "
            f"(names: {' '.join(NAMES)})"
        )
    if config.edges:
        return _own_photos(config)
    return _from_folder(config) if config.dataset else _from_specs(*folders, paired=config.paired)


def _from_folder(config: DataConfig) -> _Sources:
    folder, existing = _opened_folder(config.dataset or "")
    required = tfds.FOLDERS if existing & set(tfds.FOLDERS[2:]) else tfds.FOLDERS[:2]
    missing = [name for name in required if name not in existing]
    if missing:
        raise InputError(f"{folder} has no folder {' and no '.join(missing)}: it must contain {LAYOUT}")
    train_a, train_b, test_a, test_b = (
        str(folder / name) if name in existing else None for name in tfds.FOLDERS
    )
    return _from_specs(train_a, train_b, test_a, test_b, paired=config.paired)


def _opened_folder(dataset: str) -> tuple[pathlib.Path, set[str]]:
    """The folder that `--dataset` names, and which of FOLDERS it contains."""
    folder = pathlib.Path(absolute(dataset))
    if not os.path.isdir(folder):
        close = difflib.get_close_matches(dataset, NAMES, n=1)
        raise InputError(
            f"--dataset={dataset} is neither a known name nor a folder"
            + (f"; did you mean {close[0]}?" if close else ";")
            + f" names: {' '.join(NAMES)}; a folder contains {LAYOUT}"
        )
    return folder, {name for name in tfds.FOLDERS if os.path.isdir(folder / name)}


def _own_photos(config: DataConfig) -> _Sources:
    """The photos for `--edges`, as domain b."""
    given = [flag for flag in ("train_a", "test_a") if getattr(config, flag)]
    if given:
        raise InputError(f"--edges makes domain a from the photos of b: leave out --{given[0]} or --edges")
    if config.dataset:
        return _photos_in_folder(config.dataset)
    if not config.train_b:
        raise InputError("--train_b is missing: --edges needs photos for training")
    return _photos(config.train_b, config.test_b)


def _photos_in_folder(dataset: str) -> _Sources:
    """The photos in trainB (and testB) of a folder, or, if it has neither, those in the folder itself."""
    folder, existing = _opened_folder(dataset)
    unused = sorted(existing & {"trainA", "testA"})
    if unused:
        raise InputError(
            f"--edges makes domain a from the photos of b, but {folder} has {unused[0]}: leave --edges out, "
            f"or give --train_b={folder / 'trainB'} instead of --dataset"
        )
    if not existing:
        return _photos(str(folder), None)
    if "trainB" not in existing:
        raise InputError(f"{folder} has testB but no folder trainB: with --edges it must contain both")
    return _photos(str(folder / "trainB"), str(folder / "testB") if "testB" in existing else None)


def _photos(train_b: str, test_b: Optional[str]) -> _Sources:
    return {"b": list_images(train_b)}, {"b": list_images(test_b)} if test_b else {}


def _with_edges(photos: dict[str, Source], resize: int) -> dict[str, Source]:
    """{"b": photos} -> {"a": their edges, "b": photos}; {} -> {}."""
    return {"a": Edges(photos["b"], resize), **photos} if photos else {}


def _from_specs(
    train_a: Optional[str],
    train_b: Optional[str],
    test_a: Optional[str],
    test_b: Optional[str],
    *,
    paired: bool,
) -> _Sources:
    if not (train_a and train_b):
        raise InputError(f"--train_{'b' if train_a else 'a'} is missing: training needs both domains")
    if bool(test_a) != bool(test_b):
        raise InputError(
            f"test images of {'b' if test_a else 'a'} are missing: give both domains' or neither's"
        )
    load = _pair_by_stem if paired else _unpaired
    return load(train_a, train_b), load(test_a, test_b) if test_a and test_b else {}


def _unpaired(spec_a: str, spec_b: str) -> dict[str, Source]:
    return {"a": list_images(spec_a), "b": list_images(spec_b)}


def _pair_by_stem(spec_a: str, spec_b: str) -> dict[str, Source]:
    a, b = _by_stem(spec_a), _by_stem(spec_b)
    alone = sorted(a.keys() ^ b.keys())
    if alone:
        mine, other = (a, spec_b) if alone[0] in a else (b, spec_a)
        raise InputError(
            f"--paired: {mine[alone[0]]} has no partner of the same name in {other} "
            f"({len(alone)} such files); rename or remove them"
        )
    return {"a": ImageFiles(list(a.values())), "b": ImageFiles([b[stem] for stem in a])}


def _by_stem(spec: str) -> dict[str, str]:
    paths: dict[str, str] = {}
    for path in list_images(spec).paths:
        stem = pathlib.PurePath(path).stem
        if stem in paths:
            raise InputError(f"--paired: {paths[stem]} and {path} have the same name; rename or remove one")
        paths[stem] = path
    return paths


def _load_shapes(name, config):
    return tuple(
        {domain: Shapes(domain, split, size=config.resize, paired=config.paired) for domain in "ab"}
        for split in ("train", "test")
    )


def _load_tfds(name: str, config: DataConfig, recipe: tfds.Recipe) -> _Sources:
    if config.paired:
        raise InputError(
            f"--paired: {name} has no pairs; leave it out, or use shapes, edges2shoes, "
            "edges2handbags, edges2flowers, cityscapes or your own folders"
        )
    folder = tfds.prepare(name, recipe, config)
    train_a, train_b, *test = (str(folder / split) for split in tfds.FOLDERS)
    test_a, test_b = test if all(any(os.scandir(path)) for path in test) else (None, None)
    return _from_specs(train_a, train_b, test_a, test_b, paired=False)


def _load_tfds_photos(name: str, config: DataConfig, recipe: tfds.Recipe) -> _Sources:
    """Domain b alone: the recipe puts nothing into trainA and testA."""
    folder = tfds.prepare(name, recipe, config)
    return _photos(str(folder / "trainB"), str(folder / "testB"))


def _load_archive(name, config):
    """Side-by-side pairs: a is the left half of each file, b is the right half."""
    folders = archives.prepare(name, config)
    files = {split: list_images(str(folders[split])).paths for split in ("train", "test")}
    return tuple(
        {"a": ImageFiles(files[split], half="left"), "b": ImageFiles(files[split], half="right")}
        for split in ("train", "test")
    )


def _tfds_entry(
    a: str, b: str, license: str, recipe: tfds.Recipe, *, edges: bool = False, attribution: str = ""
) -> Entry:
    load = functools.partial(_load_tfds_photos if edges else _load_tfds, recipe=recipe)

    def is_here(name: str, config: DataConfig) -> bool:
        return tfds.is_here(name, recipe, config)

    origin = f"TFDS {recipe.dataset}"
    return Entry(a, b, origin, license, load, is_here, edges, attribution=attribution)


def _archive_entry(a: str, b: str, license: str) -> Entry:
    return Entry(a, b, "pix2pix archive", license, _load_archive, archives.is_here, has_edges=a == "edges")


_FLICKR = "unclear (photographers on Flickr)"
_IMAGENET = "non-commercial (ImageNet)"
_PAINTINGS = "unclear (Wikiart, photographers on Flickr)"
_PET_AUTHORS = (
    "cut from the Oxford-IIIT Pet Dataset by O. M. Parkhi, A. Vedaldi, A. Zisserman and C. V. Jawahar, "
    "https://www.robots.ox.ac.uk/~vgg/data/pets/"
)
_FLOWER_AUTHORS = (
    "photos by the photographers listed in LICENSE.txt of "
    "http://download.tensorflow.org/example_images/flower_photos.tgz"
)

ENTRIES = {
    "shapes": Entry("outlines", "filled shapes", "drawn on the fly", "free", _load_shapes),
    "summer2winter": _tfds_entry("summer", "winter", _FLICKR, tfds.cycle_gan("summer2winter_yosemite")),
    "horse2zebra": _tfds_entry("horses", "zebras", _IMAGENET, tfds.cycle_gan("horse2zebra")),
    "apple2orange": _tfds_entry("apples", "oranges", _IMAGENET, tfds.cycle_gan("apple2orange")),
    "monet2photo": _tfds_entry("Monet", "photos", _PAINTINGS, tfds.cycle_gan("monet2photo")),
    "cezanne2photo": _tfds_entry("Cezanne", "photos", _PAINTINGS, tfds.cycle_gan("cezanne2photo")),
    "ukiyoe2photo": _tfds_entry("Ukiyo-e", "photos", _PAINTINGS, tfds.cycle_gan("ukiyoe2photo")),
    "vangogh2photo": _tfds_entry("van Gogh", "photos", _PAINTINGS, tfds.cycle_gan("vangogh2photo")),
    "maps": _tfds_entry("aerial photos", "maps", "unclear (Google Maps)", tfds.cycle_gan("maps")),
    "facades": _tfds_entry("photos", "labels", "unclear (CMP Facade Database)", tfds.cycle_gan("facades")),
    "iphone2dslr_flower": _tfds_entry(
        "phone photos", "camera photos", _FLICKR, tfds.cycle_gan("iphone2dslr_flower")
    ),
    "male2female": _tfds_entry("men", "women", "non-commercial (CelebA)", tfds.CELEB_A_BY_GENDER),
    "cat2dog": _tfds_entry("cats", "dogs", "unclear (Microsoft, Petfinder)", tfds.CATS_VS_DOGS),
    "cat2dog_faces": _tfds_entry(
        "heads of cats", "heads of dogs", "CC BY-SA 4.0", tfds.PET_HEADS, attribution=_PET_AUTHORS
    ),
    "edges2flowers": _tfds_entry(
        "edges", "photos", "CC BY 2.0", tfds.FLOWERS, edges=True, attribution=_FLOWER_AUTHORS
    ),
    "edges2shoes": _archive_entry("edges", "photos", "non-commercial (UT Zappos50K)"),
    "edges2handbags": _archive_entry("edges", "photos", "unclear (Amazon)"),
    "cityscapes": _archive_entry("photos", "labels", "non-commercial (Cityscapes)"),
}
NAMES = tuple(ENTRIES)


def descriptions() -> dict[str, str]:
    """{name: contents, origin, license and attribution of the data set, in one line}."""
    return {
        name: f"{entry.a} (a), {entry.b} (b); {entry.origin}; {entry.license}"
        + (f"; {entry.attribution}" if entry.attribution else "")
        for name, entry in ENTRIES.items()
    }
