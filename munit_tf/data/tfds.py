"""TensorFlow Datasets as folders of image files.

The record files of TFDS have no random access. So the images are extracted once, to the folders trainA trainB
testA testB: encoded as they are, or a part of each.
"""

from __future__ import annotations

import dataclasses
import io
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
        folder: (split, index of the record in the split, record) -> one of FOLDERS, or None to leave the
            record out.
        box: (record, width, height of its image) -> (left, top, right, bottom) of the part to extract, in
            pixels. None extracts each encoded image as it is.
        version: the lowest version of the data set that has what `folder` and `box` need.
    """

    dataset: str
    url: str
    splits: tuple[str, ...]
    folder: Callable[[str, int, dict[str, Any]], Optional[str]]
    box: Optional[Callable[[dict[str, Any], int, int], tuple[int, int, int, int]]] = None
    version: str = "0.0.0"


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

# TFDS has a training split only; its records 0, 10, 20, ... are test images. Domain a is made of b's edges.
FLOWERS = Recipe(
    dataset="tf_flowers",
    url="http://download.tensorflow.org",
    splits=("train",),
    folder=lambda split, index, record: "trainB" if index % 10 else "testB",
)

_HEAD_MARGIN = 1.3


def _pet_folder(split: str, index: int, record: dict[str, Any]) -> Optional[str]:
    """Records 0, 10, 20, ... are test images. Species 0 is cat. A missing box is stored as zeros."""
    top, left, bottom, right = record["head_bbox"]
    if not (top < bottom and left < right):
        return None
    return ("train" if index % 10 else "test") + "AB"[record["species"]]


def _head_square(record: dict[str, Any], width: int, height: int) -> tuple[int, int, int, int]:
    """The square around a head, a little larger than its box; moved or made smaller to fit in the image."""
    top, left, bottom, right = (float(edge) for edge in record["head_bbox"])  # Fractions of the image.
    longer = max((bottom - top) * height, (right - left) * width)
    side = min(max(1, round(_HEAD_MARGIN * longer)), width, height)
    x = min(max(0, round((left + right) / 2 * width - side / 2)), width - side)
    y = min(max(0, round((top + bottom) / 2 * height - side / 2)), height - side)
    return x, y, x + side, y + side


# Only the split `train` has boxes. Records without one are left out.
PET_HEADS = Recipe(
    dataset="oxford_iiit_pet",
    url="https://thor.robots.ox.ac.uk",
    splits=("train",),
    folder=_pet_folder,
    box=_head_square,
    version="4.0.0",
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
    prepared = _prepared(recipe, data_dir)
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
        prepared = _prepared(recipe, data_dir) or _download(recipe, data_dir)
        relative = f"{name}/{prepared.name}"
        with downloads.atomic_folder(root, relative) as folder:
            if folder:
                _write_out(prepared, recipe, folder)
    return root / relative


def is_here(name: str, recipe: Recipe, config: DataConfig) -> bool:
    """Whether `prepare` needs neither to download nor to extract images."""
    data_dir = downloads.data_dir(config)
    return bool(_written(name, _prepared(recipe, data_dir), data_dir / "munit_tf"))


def _prepared(recipe: Recipe, data_dir: pathlib.Path) -> Optional[pathlib.Path]:
    """The folder of the newest records that TFDS prepared and the recipe can read, or None."""
    newest = _newest_version(data_dir / recipe.dataset, "dataset_info.json")
    return newest if newest and _numbers(newest.name) >= _numbers(recipe.version) else None


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
    return max(versions, key=lambda path: _numbers(path.name), default=None)


def _numbers(version: str) -> list[int]:
    """The numbers of a version: those of "4.0.1" are [4, 0, 1]."""
    return [int(number) for number in version.split(".")]


def _download(recipe: Recipe, data_dir: pathlib.Path) -> pathlib.Path:
    """Downloads and prepares a data set with TFDS; returns the folder of its records."""
    import tensorflow_datasets

    dataset = recipe.dataset
    unfinished = set(data_dir.glob("downloads/*.tmp.*"))
    try:
        builder = tensorflow_datasets.builder(dataset, data_dir=data_dir)
        _check_version(builder, recipe)
        builder.download_and_prepare()
    except InputError:
        raise
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


def _check_version(builder: Any, recipe: Recipe) -> None:
    """Raises InputError, before anything is downloaded, if TFDS is too old for the recipe."""
    import tensorflow_datasets

    if _numbers(str(builder.version)) < _numbers(recipe.version):
        raise InputError(
            f"version {recipe.version} of {recipe.dataset} is needed, but TFDS "
            f"{tensorflow_datasets.__version__} prepares {builder.version}: install a later "
            "tensorflow-datasets, which needs Python 3.10 or later"
        )


def _write_out(prepared: pathlib.Path, recipe: Recipe, folder: pathlib.Path) -> None:
    """Writes each record's image, or the recipe's part of it, to the domain's folder in `folder`."""
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
        features = builder.info.features
        images = [name for name in features if isinstance(features[name], tensorflow_datasets.features.Image)]
        for split in recipe.splits:
            records = builder.as_dataset(
                split=split,
                decoders={name: tensorflow_datasets.decode.SkipDecoding() for name in images},
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
                domain = recipe.folder(split, index, record)
                if domain:
                    yield domain, _cut_out(record, recipe)
    # The errors of TFDS and its dependencies have no common base class.
    except Exception as error:
        raise InputError(
            f"{prepared} cannot be read ({_reason(error)}): remove it, or choose another --data_dir"
        ) from error


def _cut_out(record: dict[str, Any], recipe: Recipe) -> bytes:
    """The record's encoded image, or the recipe's part of it; unchanged if it cannot be decoded."""
    data = record["image"]
    if not recipe.box:
        return data
    try:
        image = decoding.decode(data, "", upright=False)  # Boxes are those of the image as stored.
    except decoding.UnreadableImage:
        return data  # The error is reported when the file is read.
    part = io.BytesIO()
    image.crop(recipe.box(record, *image.size)).save(part, "JPEG", quality=95, subsampling=0)
    return part.getvalue()


def _reason(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]
