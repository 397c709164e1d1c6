"""Paths on this machine, and URIs such as gs://bucket/run for TensorFlow's file systems.

A str that begins with file:/ is the URI of a path on this machine (RFC 8089) and is always treated as that
path: file:///x%20y, file://localhost/x%20y and file:/x%20y are "/x y". Percent-encoding is decoded in file
URIs only; ? and # are part of the name. A relative folder named "file:" must be written as ./file:.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import re
import shutil
import urllib.parse
from collections.abc import Iterator
from typing import Any

from munit_tf.errors import InputError

_FILE_URI = re.compile("file:/", re.IGNORECASE)


def is_remote(path: str | os.PathLike | RemotePath) -> bool:
    """Whether a path is a URI of another file system."""
    return isinstance(path, RemotePath) or (
        isinstance(path, str) and "://" in path and not _FILE_URI.match(path)
    )


def to_path(path: str | os.PathLike | RemotePath) -> pathlib.Path | RemotePath:
    """A pathlib.Path, or a RemotePath if `path` is a URI of another file system.

    Raises:
        InputError: TensorFlow has no such file system, or a file URI names another machine.
    """
    return RemotePath(str(path)) if is_remote(path) else pathlib.Path(_local(path))


def absolute(path: str) -> str:
    """An absolute path without `~`, valid in any working directory; URIs of other file systems are unchanged.

    Raises:
        InputError: a file URI names another machine, or `~NAME` names an unknown user.
    """
    if is_remote(path):
        return path
    expanded = os.path.expanduser(_local(path))
    if expanded.startswith("~"):
        home = expanded.partition("/")[0]
        raise InputError(f"{path}: {home} is not a user's home folder; for a file of this name give ./{path}")
    return os.path.abspath(expanded)


def relative(path: str | os.PathLike | RemotePath) -> pathlib.Path | RemotePath:
    """`to_path(path)`, relative to the working directory, for messages."""
    return to_path(path if is_remote(path) else os.path.relpath(_local(path)))


def _local(path: Any) -> Any:
    """The path of a file URI; any other path is unchanged."""
    if not isinstance(path, str) or not _FILE_URI.match(path):
        return path
    rest = path[len("file:") :]
    if rest.startswith("//"):
        host, slash, rest = rest[2:].partition("/")
        if host.lower() not in ("", "localhost") or not slash:
            raise InputError(f"{path} is not a file on this machine: its URI would be file:///PATH")
    # Bytes that are not UTF-8 become surrogates, as in sys.argv.
    return "/" + urllib.parse.unquote(rest.lstrip("/"), errors="surrogateescape")


def is_special(path: str | os.PathLike) -> bool:
    """Whether a path on this machine is neither a file nor a folder, but a FIFO, a device or a socket.

    Opening a FIFO waits for another process, and moving a file to a device's path removes the device.
    """
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def remove_tree(path: pathlib.Path | RemotePath) -> None:
    """Removes a folder and its contents."""
    if isinstance(path, RemotePath):
        path.rmtree()
    else:
        shutil.rmtree(path)


class RemotePath:
    """The part of pathlib.Path's interface that run folders need, implemented with tf.io.gfile.

    A missing file is a FileNotFoundError, as in pathlib. All other failures, for example of the network or
    of permissions, are InputErrors, so that a file is not mistaken for missing or damaged.

    Args:
        uri: SCHEME://PATH.

    Raises:
        InputError: TensorFlow has no such file system.
    """

    def __init__(self, uri: str) -> None:
        import tensorflow as tf  # Commands that only parse flags do not need it.

        self._gfile = tf.io.gfile
        scheme, _, rest = uri.partition("://")
        if not (scheme and rest.strip("/")) or scheme not in self._gfile.get_registered_schemes():
            raise InputError(f"{uri} is on no file system that TensorFlow has here")
        self._uri = uri.rstrip("/")

    def __str__(self) -> str:  # noqa: D105
        return self._uri

    def __truediv__(self, name: str) -> RemotePath:  # noqa: D105
        return RemotePath(f"{self._uri}/{name}")

    @property
    def name(self) -> str:
        """The last component."""
        return self._uri.rpartition("/")[2]

    @property
    def parent(self) -> RemotePath:
        """The path without its last component."""
        return RemotePath(self._uri.rpartition("/")[0])

    def exists(self) -> bool:
        """Whether the file or folder exists."""
        with self.errors():
            return self._gfile.exists(self._uri)

    def is_dir(self) -> bool:
        """Whether the path is an existing folder."""
        with contextlib.suppress(FileNotFoundError), self.errors():
            return self._gfile.stat(self._uri).is_directory  # gfile.isdir returns False for any error.
        return False

    def is_file(self) -> bool:
        """Whether the path is an existing file."""
        return self.exists() and not self.is_dir()

    def iterdir(self) -> Iterator[RemotePath]:
        """The paths in the folder."""
        with self.errors():
            names = self._gfile.listdir(self._uri)
        return (self / name.rstrip("/") for name in names)

    def mkdir(self, parents: bool = True, exist_ok: bool = True) -> None:
        """Creates the folder and its parents; it may exist already."""
        if self._uri.startswith("gs://"):
            return  # It needs no folders, and makedirs never returns if the bucket does not exist.
        with self.errors():
            self._gfile.makedirs(self._uri)

    def unlink(self, missing_ok: bool = False) -> None:
        """Removes the file."""
        try:
            with self.errors():
                self._gfile.remove(self._uri)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def replace(self, target: RemotePath) -> None:
        """Renames the file; an existing target is replaced."""
        with self.errors():
            self._gfile.rename(self._uri, str(target), overwrite=True)

    def rmtree(self) -> None:
        """Removes the folder and its contents."""
        with self.errors():
            self._gfile.rmtree(self._uri)

    @contextlib.contextmanager
    def open(self, mode: str) -> Iterator[Any]:
        """Opens the file, as a tf.io.gfile.GFile."""
        with self.errors(), self._gfile.GFile(self._uri, mode) as file:
            yield file

    def read_bytes(self) -> bytes:
        """The contents of the file."""
        with self.open("rb") as file:
            return file.read()

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The decoded contents of the file."""
        return self.read_bytes().decode(encoding, errors)

    def write_bytes(self, data: bytes) -> None:
        """Writes the contents of the file."""
        with self.open("wb") as file:
            file.write(data)

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Converts TensorFlow's errors in the block to those of this class."""
        import tensorflow as tf

        try:
            yield
        except tf.errors.OpError as error:
            reason = " ".join(error.message.split())
            if isinstance(error, tf.errors.NotFoundError):
                missing = errno.ENOENT
                raise FileNotFoundError(missing, reason or os.strerror(missing), self._uri) from error
            raise InputError(f"{self._uri}: {reason}") from error
