"""TensorFlow Datasets as folders of image files.

TFDS' record files have no random access, so the records are written out once, undecoded, to
trainA trainB testA testB.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shutil
from collections.abc import Iterator
from typing import Callable

from munit_tf.data import decoding, downloads
from munit_tf.errors import InputError
from munit_tf.terminal import escaped

FOLDERS = ("trainA", "trainB", "testA", "testB")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a TFDS data set is split into domains.

    Attributes:
        dataset: TFDS' name of it, with its config.
        url: the server from which TFDS fetches it.
        splits: the TFDS splits to read.
        folder: (split, index of the record in the split, record) -> one of FOLDERS.
    """

    dataset: str
    url: str
    splits: tuple
    folder: Callable


def cycle_gan(config_name):
    """The recipe for `cycle_gan/CONFIG_NAME`: its splits are the folders."""
    return Recipe(
        dataset=f"cycle_gan/{config_name}",
        url="https://efrosgans.eecs.berkeley.edu",
        splits=FOLDERS,
        folder=lambda split, index, record: split,
    )


# The validation split is left alone.
CELEB_A_BY_GENDER = Recipe(
    dataset="celeb_a",
    url="https://drive.google.com",
    splits=("train", "test"),
    folder=lambda split, index, record: split + ("A" if record["attributes"]["Male"] else "B"),
)

# TFDS has a training split only; records 0, 10, 20, ... of it are for testing. Label 0 is cat.
CATS_VS_DOGS = Recipe(
    dataset="cats_vs_dogs",
    url="https://download.microsoft.com",
    splits=("train",),
    folder=lambda split, index, record: ("train" if index % 10 else "test") + "AB"[record["label"]],
)


def prepare(name, recipe, config):
    """The folder with trainA trainB testA testB, prepared and written out first where needed.

    Args:
        name: the data set's name in our registry, under which it is written out.
        recipe: Recipe.
        config: DataConfig.

    Returns:
        pathlib.Path.

    Raises:
        InputError: if TFDS has not prepared the set and it cannot be downloaded, its records are
            damaged, or the folder cannot be written: then nothing half-written is left; or a folder
            written out earlier is damaged.
    """
    data_dir = downloads.data_dir(config)
    root = data_dir / "munit_tf"
    records = data_dir / recipe.dataset
    prepared = _newest_version(records, "dataset_info.json")
    written = _written(name, prepared, root)
    if written:
        downloads.check_whole(written, FOLDERS)
        return written
    if not prepared:
        hint = (
            "use --dataset=shapes (no download), --dataset=FOLDER with trainA trainB testA testB, "
            f"or --data_dir with a copy of {recipe.dataset} that TFDS prepared"
        )
        downloads.check_reachable(recipe.url, name, hint)
    with downloads.exclusive_builder(root):
        # Looked up again: another process may have prepared it while this one waited.
        prepared = _newest_version(records, "dataset_info.json") or _download(recipe.dataset, data_dir)
        relative = f"{name}/{prepared.name}"
        with downloads.atomic_folder(root, relative) as folder:
            if folder:
                _write_out(prepared, recipe, folder)
    return root / relative


def is_here(name, recipe, config):
    """Whether `prepare` needs neither a download nor time to write images out."""
    data_dir = downloads.data_dir(config)
    prepared = _newest_version(data_dir / recipe.dataset, "dataset_info.json")
    return bool(_written(name, prepared, data_dir / "munit_tf"))


def _written(name, prepared, root):
    """The folder that images of this data set were written out to, or None."""
    written = root / name / prepared.name if prepared else _newest_version(root / name)
    return written if written and written.is_dir() else None


def _newest_version(folder, must_hold="."):
    """The subfolder of the highest version with the file `must_hold`, or None."""
    versions = [
        path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if re.fullmatch(r"\d+\.\d+\.\d+", path.name) and (path / must_hold).exists()
    ]
    return max(versions, key=lambda path: [int(n) for n in path.name.split(".")], default=None)


def _download(dataset, data_dir):
    """Has TFDS download and prepare `dataset`; returns the folder of its records."""
    import tensorflow_datasets

    unfinished = set(data_dir.glob("downloads/*.tmp.*"))
    try:
        builder = tensorflow_datasets.builder(dataset, data_dir=data_dir)
        builder.download_and_prepare()
    # TFDS' errors and those of the libraries under it have no base class in common.
    except Exception as error:
        raise InputError(
            f"TFDS cannot prepare {dataset} in {data_dir}: {_reason(error)}; fix that and start "
            "again, or use --dataset=FOLDER with trainA trainB testA testB"
        ) from error
    finally:
        for leftover in set(data_dir.glob("downloads/*.tmp.*")) - unfinished:
            shutil.rmtree(leftover, ignore_errors=True)
    return pathlib.Path(builder.data_dir)


def _write_out(prepared, recipe, folder):
    """Writes each record's encoded image, as it is, to the domain's folder under `folder`."""
    counts = dict.fromkeys(FOLDERS, 0)
    for name in FOLDERS:
        (folder / name).mkdir()
    for domain, data in _images(prepared, recipe, folder.parent):
        path = folder / domain / f"{counts[domain]:08d}{decoding.suffix(data)}"
        path.write_bytes(data)
        counts[domain] += 1


def _images(prepared: pathlib.Path, recipe: Recipe, root: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    """Yields (one of FOLDERS, encoded image) of each record; raises InputError for damaged records."""
    import tensorflow_datasets
    from tqdm import tqdm

    try:
        builder = tensorflow_datasets.builder_from_directory(prepared)
        missing = [split for split in recipe.splits if split not in builder.info.splits]
        if missing:
            raise ValueError(f"it has no split {missing[0]}")
        for split in recipe.splits:
            records = builder.as_dataset(
                split=split,
                decoders={"image": tensorflow_datasets.decode.SkipDecoding()},
                # One shard after the other: a record's index means the same everywhere.
                read_config=tensorflow_datasets.ReadConfig(interleave_cycle_length=1, try_autocache=False),
                shuffle_files=False,
            )
            progress = tqdm(
                tensorflow_datasets.as_numpy(records),
                desc=escaped(f"writing {split} to {root}"),
                total=builder.info.splits[split].num_examples,
                unit=" images",
                disable=None,
            )
            for index, record in enumerate(progress):
                yield recipe.folder(split, index, record), record["image"]
    # TFDS' errors and those of the libraries under it have no base class in common.
    except Exception as error:
        raise InputError(
            f"{prepared} cannot be read ({_reason(error)}): remove it, or choose another --data_dir"
        ) from error


def _reason(error):
    return (" ".join(str(error).split()) or type(error).__name__)[:300]
