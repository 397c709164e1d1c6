"""TensorFlow Datasets as folders of image files.

The record files of TFDS have no random access. So the encoded images are extracted once, to the folders
trainA trainB testA testB.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shutil
from collections.abc import Iterator
from typing import Any, Callable, Optional

from munit_tf.config.options import DataConfig
from munit_tf.data import decoding, downloads
from munit_tf.errors import InputError
from munit_tf.terminal import escaped

FOLDERS = ("trainA", "trainB", "testA", "testB")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a TFDS data set is split into domains.

    Attributes:
        dataset: its name in TFDS, including the config.
        url: the server that TFDS downloads it from.
        splits: the TFDS splits to read.
        folder: (split, index of the record in the split, record) -> one of FOLDERS.
    """

    dataset: str
    url: str
    splits: tuple[str, ...]
    folder: Callable[[str, int, dict[str, Any]], str]


def cycle_gan(config_name: str) -> Recipe:
    """The recipe for `cycle_gan/CONFIG_NAME`: its splits are the folders."""
    return Recipe(
        dataset=f"cycle_gan/{config_name}",
        url="https://efrosgans.eecs.berkeley.edu",
        splits=FOLDERS,
        folder=lambda split, index, record: split,
    )


# The validation split is not used.
CELEB_A_BY_GENDER = Recipe(
    dataset="celeb_a",
    url="https://drive.google.com",
    splits=("train", "test"),
    folder=lambda split, index, record: split + ("A" if record["attributes"]["Male"] else "B"),
)

# TFDS has a training split only; its records 0, 10, 20, ... are test images. Label 0 is cat.
CATS_VS_DOGS = Recipe(
    dataset="cats_vs_dogs",
    url="https://download.microsoft.com",
    splits=("train",),
    folder=lambda split, index, record: ("train" if index % 10 else "test") + "AB"[record["label"]],
)


def prepare(name: str, recipe: Recipe, config: DataConfig) -> pathlib.Path:
    """Prepares and extracts a data set if necessary; returns the folder with trainA trainB testA testB.

    Args:
        name: the data set's name in our registry, also that of the extracted folder.
        recipe: how to split the data set into domains.
        config: data options.

    Returns:
        The folder.

    Raises:
        InputError: the data set is not prepared and cannot be downloaded, its records are damaged, or the
            folder cannot be written (no partial data remains); or a folder extracted earlier is damaged.
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


def is_here(name: str, recipe: Recipe, config: DataConfig) -> bool:
    """Whether `prepare` needs neither to download nor to extract images."""
    data_dir = downloads.data_dir(config)
    prepared = _newest_version(data_dir / recipe.dataset, "dataset_info.json")
    return bool(_written(name, prepared, data_dir / "munit_tf"))


def _written(name: str, prepared: Optional[pathlib.Path], root: pathlib.Path) -> Optional[pathlib.Path]:
    """The folder that the images of this data set were extracted to, or None."""
    written = root / name / prepared.name if prepared else _newest_version(root / name)
    return written if written and written.is_dir() else None


def _newest_version(folder: pathlib.Path, must_hold: str = ".") -> Optional[pathlib.Path]:
    """The subfolder of the highest version that contains the file `must_hold`, or None."""
    versions = [
        path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if re.fullmatch(r"\d+\.\d+\.\d+", path.name) and (path / must_hold).exists()
    ]
    return max(versions, key=lambda path: [int(n) for n in path.name.split(".")], default=None)


def _download(dataset: str, data_dir: pathlib.Path) -> pathlib.Path:
    """Downloads and prepares `dataset` with TFDS; returns the folder of its records."""
    import tensorflow_datasets

    unfinished = set(data_dir.glob("downloads/*.tmp.*"))
    try:
        builder = tensorflow_datasets.builder(dataset, data_dir=data_dir)
        builder.download_and_prepare()
    # The errors of TFDS and its dependencies have no common base class.
    except Exception as error:
        raise InputError(
            f"TFDS cannot prepare {dataset} in {data_dir}: {_reason(error)}; fix this and try "
            "again, or use --dataset=FOLDER with trainA trainB testA testB"
        ) from error
    finally:
        for leftover in set(data_dir.glob("downloads/*.tmp.*")) - unfinished:
            shutil.rmtree(leftover, ignore_errors=True)
    return pathlib.Path(builder.data_dir)


def _write_out(prepared: pathlib.Path, recipe: Recipe, folder: pathlib.Path) -> None:
    """Writes each record's encoded image unchanged to the domain's folder in `folder`."""
    counts = dict.fromkeys(FOLDERS, 0)
    for name in FOLDERS:
        (folder / name).mkdir()
    for domain, data in _images(prepared, recipe, folder.parent):
        path = folder / domain / f"{counts[domain]:08d}{decoding.suffix(data)}"
        path.write_bytes(data)
        counts[domain] += 1


def _images(prepared: pathlib.Path, recipe: Recipe, root: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    """Yields (one of FOLDERS, encoded image) for each record; raises InputError for damaged records."""
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
                # Shards in sequence, so that the index of a record is the same on every machine.
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
    # The errors of TFDS and its dependencies have no common base class.
    except Exception as error:
        raise InputError(
            f"{prepared} cannot be read ({_reason(error)}): remove it, or choose another --data_dir"
        ) from error


def _reason(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]
