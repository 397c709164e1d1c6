"""The pix2pix archives: a tar.gz of folders train/ and val/ of side-by-side pairs."""

from __future__ import annotations

import http.client
import os
import pathlib
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib

from munit_tf.data import downloads, sources
from munit_tf.errors import InputError

SERVER = "http://efrosgans.eecs.berkeley.edu/pix2pix/datasets"
_SPLITS = {"train": "train", "test": "val"}
_SILENCE_S = 60
_CHUNK_BYTES = 1 << 20


def prepare(name, config):
    """The folders of an archive's splits, fetched and unpacked first if they are not there.

    Args:
        name: the archive's name on the server, without suffix.
        config: DataConfig; `mirror` replaces the server.

    Returns:
        {"train": pathlib.Path, "test": pathlib.Path}, each a folder of side-by-side pairs.

    Raises:
        InputError: if the archive cannot be fetched, is cut off, broken or unsafe, or the folder
            cannot be written: then nothing of it is left; or a folder unpacked earlier is damaged.
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


def is_here(name, config):
    """Whether `prepare` needs no download."""
    return (downloads.data_dir(config) / "munit_tf" / name).is_dir()


def _fetch(url, path, name):
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
        raise InputError(f"{url} was cut off after {received} of {total} bytes: start again")


def _open(url):
    try:
        return urllib.request.urlopen(url, timeout=_SILENCE_S)
    except urllib.error.HTTPError as error:
        raise InputError(
            f"{url}: the server answers {error.code} {error.reason}; name another with --mirror=URL"
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: of a bad address.
        raise InputError(f"cannot fetch {url} ({error}): start again") from error


def _chunks(response):
    """The body piece by piece; trouble with the server becomes an InputError of its own."""
    while True:
        try:
            chunk = response.read(_CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise InputError(f"{response.url} was cut off ({error}): start again") from error
        if not chunk:
            return
        yield chunk


def _unpack(archive, folder, url):
    """Writes the images of train/ and val/ to folders of those names in `folder`."""
    from tqdm import tqdm

    for split in _SPLITS.values():
        (folder / split).mkdir()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tqdm(tar, desc="unpacking", unit=" files", disable=None):
                path = pathlib.PurePosixPath(member.name)
                if path.is_absolute() or ".." in path.parts:
                    raise InputError(f"{url} holds the unsafe path {member.name}: do not use it")
                split = path.parent.name
                if member.isfile() and split in _SPLITS.values() and sources.is_image(path.name):
                    with open(folder / split / path.name, "wb") as file:
                        shutil.copyfileobj(tar.extractfile(member), file)
            # tarfile takes an archive that stops between two members for a whole one.
            tar.fileobj.seek(tar.offset)
            if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("no end mark")
            while tar.fileobj.read(_CHUNK_BYTES):  # To the end, where gzip's checksum is.
                pass
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # The disk's, not the archive's: gzip's own OSErrors have no number.
        raise InputError(f"{url} is a broken archive ({error}): start again") from error
    for split in _SPLITS.values():
        if not os.listdir(folder / split):
            raise InputError(f"{url} has no images in a folder {split}/: is --mirror right?")
