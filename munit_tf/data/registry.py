"""Data sets by name, and folders of images, each as a `Dataset` of sources."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import os
import pathlib
from typing import Any, Callable

from munit_tf.data import archives, tfds
from munit_tf.data.readable_images import skip_unreadable
from munit_tf.data.shapes import Shapes
from munit_tf.data.sources import ImageFiles, list_images
from munit_tf.errors import InputError
from munit_tf.storage.paths import absolute

LAYOUT = "trainA trainB (and both testA testB or neither)"


@dataclasses.dataclass(frozen=True)
class Dataset:
    """The images of a data set.

    Attributes:
        train: {"a": source, "b": source}.
        test: the same, or {} for a data set without test images of both domains.
    """

    train: dict[str, Any]
    test: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Entry:
    """What a name in the registry stands for.

    Attributes:
        a: what domain a shows.
        b: what domain b shows.
        origin: where the images come from.
        licence: what may be done with them, in a word.
        load: (name, DataConfig) -> (train, test), the two dicts of `Dataset`.
        is_here: (name, DataConfig) -> whether `load` needs no download.
    """

    a: str
    b: str
    origin: str
    licence: str
    load: Callable
    is_here: Callable = lambda name, config: True


def open_dataset(config):
    """The images that a DataConfig asks for, downloaded first if need be.

    Args:
        config: DataConfig.

    Returns:
        Dataset. If `config.paired`, image i of a and image i of b belong together. If
        `config.unreadable` is "skip", no image of it is unreadable: see `skipping`.

    Raises:
        InputError: if the options contradict each other, images are missing or have no pair, or a
            download fails.
    """
    folders = (config.train_a, config.train_b, config.test_a, config.test_b)
    if config.dataset and any(folders):
        raise InputError("give --dataset or --train_a --train_b (--test_a --test_b), not both")
    if config.dataset in ENTRIES:
        train, test = ENTRIES[config.dataset].load(config.dataset, config)
    elif config.dataset:
        train, test = _from_folder(config)
    elif any(folders):
        train, test = _from_specs(*folders, paired=config.paired)
    else:
        raise InputError(
            "no images: give --dataset=NAME, --dataset=FOLDER, or --train_a=... --train_b=... "
            f"(names: {' '.join(NAMES)})"
        )
    if config.unreadable == "skip":
        train, test = (skip_unreadable(sources, config.paired) for sources in (train, test))
    return Dataset(train, test)


def is_here(config):
    """Whether `open_dataset` needs no download for a DataConfig."""
    return config.dataset not in ENTRIES or ENTRIES[config.dataset].is_here(config.dataset, config)


def _from_folder(config):
    folder = pathlib.Path(absolute(config.dataset))
    if not os.path.isdir(folder):
        close = difflib.get_close_matches(config.dataset, NAMES, n=1)
        raise InputError(
            f"--dataset={config.dataset} is neither a known name nor a folder"
            + (f"; did you mean {close[0]}?" if close else ";")
            + f" names: {' '.join(NAMES)}; a folder holds {LAYOUT}"
        )
    there = {name for name in tfds.FOLDERS if os.path.isdir(folder / name)}
    wanted = tfds.FOLDERS if there & set(tfds.FOLDERS[2:]) else tfds.FOLDERS[:2]
    missing = [name for name in wanted if name not in there]
    if missing:
        raise InputError(f"{folder} has no folder {' and no '.join(missing)}: it must hold {LAYOUT}")
    specs = [str(folder / name) if name in there else None for name in tfds.FOLDERS]
    return _from_specs(*specs, paired=config.paired)


def _from_specs(train_a, train_b, test_a, test_b, paired):
    if not (train_a and train_b):
        raise InputError(f"--train_{'b' if train_a else 'a'} is missing: training needs both domains")
    if bool(test_a) != bool(test_b):
        raise InputError(
            f"test images of {'b' if test_a else 'a'} are missing: give both domains' or neither's"
        )
    load = _pair_by_stem if paired else lambda a, b: {"a": list_images(a), "b": list_images(b)}
    return load(train_a, train_b), load(test_a, test_b) if test_a else {}


def _pair_by_stem(spec_a, spec_b):
    a, b = _by_stem(spec_a), _by_stem(spec_b)
    alone = sorted(a.keys() ^ b.keys())
    if alone:
        mine, other = (a, spec_b) if alone[0] in a else (b, spec_a)
        raise InputError(
            f"--paired: {mine[alone[0]]} has no partner of the same name in {other} "
            f"({len(alone)} such files); rename or remove them"
        )
    return {"a": ImageFiles(list(a.values())), "b": ImageFiles([b[stem] for stem in a])}


def _by_stem(spec):
    paths = {}
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


def _load_tfds(name, config, recipe):
    if config.paired:
        raise InputError(
            f"--paired: {name} has no pairs; leave it out, or use shapes, edges2shoes, "
            "edges2handbags, cityscapes or folders of your own"
        )
    folder = tfds.prepare(name, recipe, config)
    paths = [str(folder / split) for split in tfds.FOLDERS]
    if not all(any(os.scandir(path)) for path in paths[2:]):
        paths[2:] = None, None
    return _from_specs(*paths, paired=False)


def _load_archive(name, config):
    """Side-by-side pairs: a is the left half of each file, b the right half."""
    folders = archives.prepare(name, config)
    files = {split: list_images(str(folders[split])).paths for split in ("train", "test")}
    return tuple(
        {"a": ImageFiles(files[split], half="left"), "b": ImageFiles(files[split], half="right")}
        for split in ("train", "test")
    )


def _tfds_entry(a, b, licence, recipe):
    load = functools.partial(_load_tfds, recipe=recipe)

    def is_here(name, config):
        return tfds.is_here(name, recipe, config)

    return Entry(a, b, f"TFDS {recipe.dataset}", licence, load, is_here)


def _archive_entry(a, b, licence):
    return Entry(a, b, "pix2pix archive", licence, _load_archive, archives.is_here)


_FLICKR = "unclear (photographers on Flickr)"
_IMAGENET = "non-commercial (ImageNet)"
_PAINTINGS = "unclear (Wikiart, photographers on Flickr)"

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
    "edges2shoes": _archive_entry("edges", "photos", "non-commercial (UT Zappos50K)"),
    "edges2handbags": _archive_entry("edges", "photos", "unclear (Amazon)"),
    "cityscapes": _archive_entry("photos", "labels", "non-commercial (Cityscapes)"),
}
NAMES = tuple(ENTRIES)


def descriptions():
    """{name: one line that says what the data set shows, where it comes from, and its licence}."""
    return {
        name: f"{entry.a} (a), {entry.b} (b); {entry.origin}; {entry.licence}"
        for name, entry in ENTRIES.items()
    }
