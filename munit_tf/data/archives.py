"""The pix2pix archives: tar.gz files with side-by-side pairs in train/ and val/."""

from __future__ import annotations

import http.client
import os
import pathlib
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from typing import Any

from munit_tf.config.options import DataConfig
from munit_tf.data import downloads, sources
from munit_tf.errors import InputError

SERVER = "http://efrosgans.eecs.berkeley.edu/pix2pix/datasets"
_SPLITS = {"train": "train", "test": "val"}
_SILENCE_S = 60
_CHUNK_BYTES = 1 << 20


def prepare(name: str, config: DataConfig) -> dict[str, pathlib.Path]:
    """Downloads and unpacks an archive if necessary; returns the folders of its splits.

    Args:
        name: the archive's name on the server, without suffix.
        config: data options; `mirror` replaces the server.

    Returns:
        {"train": folder, "test": folder}, each with side-by-side pairs.

    Raises:
        InputError: the archive cannot be downloaded, is truncated, damaged or unsafe, or the folder cannot
            be written (no partial data remains); or a folder unpacked earlier is damaged.
    """
    root = downloads.data_dir(config) / "munit_tf"
    if not is_here(name, config):
        url = f"{(config.mirror or SERVER).rstrip('/')}/{name}.tar.gz"
        hint = (
            "use --dataset=shapes (no download), --dataset=FOLDER with trainA trainB testA testB, "
            "or --mirror=URL of another server"
        )
        downloads.check_reachable(url, name, hint)
        with downloads.exclusive_builder(root), downloads.atomic_folder(root, name) as folder:
            if folder:
                archive = folder / "archive"
                _fetch(url, archive, name)
                _unpack(archive, folder, url)
                archive.unlink()
    downloads.check_whole(root / name, _SPLITS.values())
    return {split: root / name / folder for split, folder in _SPLITS.items()}


def is_here(name: str, config: DataConfig) -> bool:
    """Whether `prepare` needs no download."""
    return (downloads.data_dir(config) / "munit_tf" / name).is_dir()


def _fetch(url: str, path: pathlib.Path, name: str) -> None:
    from tqdm import tqdm

    with _open(url) as response, open(path, "wb") as file:
        length = response.headers.get("Content-Length")
        total = int(length) if length else None
        with tqdm(desc=f"fetching {name}", total=total, unit="B", unit_scale=True, disable=None) as progress:
            for chunk in _chunks(response):
                file.write(chunk)
                progress.update(len(chunk))
        received = file.tell()
    if total is not None and received != total:
        raise InputError(f"{url} was cut off after {received} of {total} bytes: try again")


def _open(url: str) -> Any:
    try:
        return urllib.request.urlopen(url, timeout=_SILENCE_S)
    except urllib.error.HTTPError as error:
        raise InputError(
            f"{url}: the server answers {error.code} {error.reason}; choose another with --mirror=URL"
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: invalid address.
        raise InputError(f"cannot fetch {url} ({error}): try again") from error


def _chunks(response: Any) -> Iterator[bytes]:
    """Yields the body in chunks; raises InputError if the connection fails."""
    while True:
        try:
            chunk = response.read(_CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise InputError(f"{response.url} was cut off ({error}): try again") from error
        if not chunk:
            return
        yield chunk


def _unpack(archive: pathlib.Path, folder: pathlib.Path, url: str) -> None:
    """Extracts the images of train/ and val/ to subfolders of `folder` with these names."""
    from tqdm import tqdm

    for split in _SPLITS.values():
        (folder / split).mkdir()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tqdm(tar, desc="unpacking", unit=" files", disable=None):
                path = pathlib.PurePosixPath(member.name)
                if path.is_absolute() or ".." in path.parts:
                    raise InputError(f"{url} contains the unsafe path {member.name}: do not use it")
                split = path.parent.name
                if member.isfile() and split in _SPLITS.values() and sources.is_image(path.name):
                    content: Any = tar.extractfile(member)
                    with open(folder / split / path.name, "wb") as file:
                        shutil.copyfileobj(content, file)
            # tarfile accepts an archive that ends between two members.
            unpacked: Any = tar.fileobj
            unpacked.seek(tar.offset)
            if unpacked.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("no end mark")
            while unpacked.read(_CHUNK_BYTES):  # gzip verifies its checksum at the end.
                pass
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # A disk error: gzip's own OSErrors have no errno.
        raise InputError(f"{url} is a damaged archive ({error}): try again") from error
    for split in _SPLITS.values():
        if not os.listdir(folder / split):
            raise InputError(f"{url} has no images in a folder {split}/: check --mirror")
