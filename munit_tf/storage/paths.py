"""Paths on this machine, and URIs such as gs://bucket/run for TensorFlow's file systems.

A str that begins with file:/ is the URI of a path on this machine (RFC 8089), and stands for that path
everywhere: file:///x%20y, file://localhost/x%20y and file:/x%20y are "/x y". Percent-encoding is decoded in
file URIs only; ? and # are part of the name. A relative folder called "file:" must be given as ./file:.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import re
import shutil
import urllib.parse

from munit_tf.errors import InputError

_FILE_URI = re.compile("file:/", re.IGNORECASE)


def is_remote(path: str | os.PathLike | RemotePath) -> bool:
    """Whether a path is a URI of another file system than this machine's."""
    return isinstance(path, RemotePath) or (
        isinstance(path, str) and "://" in path and not _FILE_URI.match(path)
    )


def to_path(path: str | os.PathLike | RemotePath) -> pathlib.Path | RemotePath:
    """A pathlib.Path, or a RemotePath where `path` is a URI of another file system.

    Raises:
        InputError: it is on none of TensorFlow's file systems, or a file URI of another machine.
    """
    return RemotePath(str(path)) if is_remote(path) else pathlib.Path(_local(path))


def absolute(path: str) -> str:
    """A path as it stays right in another working directory: absolute, without `~`; other URIs as they are.

    Raises:
        InputError: a file URI of another machine, or the home folder of an unknown user.
    """
    if is_remote(path):
        return path
    expanded = os.path.expanduser(_local(path))
    if expanded.startswith("~"):
        home = expanded.partition("/")[0]
        raise InputError(f"{path}: {home} is not a user's home folder; for a file of this name give ./{path}")
    return os.path.abspath(expanded)


def relative(path: str | os.PathLike | RemotePath) -> pathlib.Path | RemotePath:
    """`to_path(path)`, from the working directory, as people like to read it."""
    return to_path(path if is_remote(path) else os.path.relpath(_local(path)))


def _local(path):
    """The path that a file URI stands for; any other path as it is."""
    if not isinstance(path, str) or not _FILE_URI.match(path):
        return path
    rest = path[len("file:") :]
    if rest.startswith("//"):
        host, slash, rest = rest[2:].partition("/")
        if host.lower() not in ("", "localhost") or not slash:
            raise InputError(f"{path} is not a file on this machine: its URI would be file:///PATH")
    # Bytes that are not UTF-8 become surrogates, as they do in the arguments of a command.
    return "/" + urllib.parse.unquote(rest.lstrip("/"), errors="surrogateescape")


def is_special(path: str | os.PathLike) -> bool:
    """Whether a path on this machine is neither a file nor a folder, but a FIFO, a device or a socket.

    To open a FIFO waits for another process, and a file that is moved to a device's place removes the device.
    """
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def remove_tree(path):
    """Removes a folder and all in it."""
    if is_remote(path):
        path.rmtree()
    else:
        shutil.rmtree(path)


class RemotePath:
    """What a run folder needs of pathlib.Path, by tf.io.gfile.

    A missing file is FileNotFoundError, as pathlib has it. All else that goes wrong, from the network to
    permissions, is InputError: it is no reason to take a file for missing or damaged.

    Args:
        uri: SCHEME://PATH.

    Raises:
        InputError: it is on none of TensorFlow's file systems.
    """

    def __init__(self, uri):
        import tensorflow as tf  # Here, for commands that only read their flags.

        self._gfile = tf.io.gfile
        scheme, _, rest = uri.partition("://")
        if not (scheme and rest.strip("/")) or scheme not in self._gfile.get_registered_schemes():
            raise InputError(f"{uri} is on no file system that TensorFlow has here")
        self._uri = uri.rstrip("/")

    def __str__(self):  # noqa: D105
        return self._uri

    def __truediv__(self, name):  # noqa: D105
        return RemotePath(f"{self._uri}/{name}")

    @property
    def name(self):
        """The last part."""
        return self._uri.rpartition("/")[2]

    @property
    def parent(self):
        """All but the last part."""
        return RemotePath(self._uri.rpartition("/")[0])

    def exists(self):
        """Whether there is such a file or folder."""
        with self.errors():
            return self._gfile.exists(self._uri)

    def is_dir(self):
        """Whether there is such a folder."""
        with contextlib.suppress(FileNotFoundError), self.errors():
            return self._gfile.stat(self._uri).is_directory  # gfile.isdir is False for any error.
        return False

    def is_file(self):
        """Whether there is such a file."""
        return self.exists() and not self.is_dir()

    def iterdir(self):
        """The paths in the folder."""
        with self.errors():
            names = self._gfile.listdir(self._uri)
        return (self / name.rstrip("/") for name in names)

    def mkdir(self, parents=True, exist_ok=True):
        """Makes the folder, and those above; it may exist."""
        if self._uri.startswith("gs://"):
            return  # There files make their folders, and makedirs never returns if there is no such bucket.
        with self.errors():
            self._gfile.makedirs(self._uri)

    def unlink(self, missing_ok=False):
        """Removes the file."""
        try:
            with self.errors():
                self._gfile.remove(self._uri)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def replace(self, target):
        """Renames the file; one that has the name already gives way."""
        with self.errors():
            self._gfile.rename(self._uri, str(target), overwrite=True)

    def rmtree(self):
        """Removes the folder and all in it."""
        with self.errors():
            self._gfile.rmtree(self._uri)

    @contextlib.contextmanager
    def open(self, mode):
        """The open file, a tf.io.gfile.GFile."""
        with self.errors(), self._gfile.GFile(self._uri, mode) as file:
            yield file

    def read_bytes(self):
        """What the file holds."""
        with self.open("rb") as file:
            return file.read()

    def read_text(self, encoding="utf-8", errors="strict"):
        """What the file holds, decoded."""
        return self.read_bytes().decode(encoding, errors)

    def write_bytes(self, data):
        """Makes the file hold this."""
        with self.open("wb") as file:
            file.write(data)

    @contextlib.contextmanager
    def errors(self):
        """Makes TensorFlow's errors in the block those of this class."""
        import tensorflow as tf

        try:
            yield
        except tf.errors.OpError as error:
            reason = " ".join(error.message.split())
            if isinstance(error, tf.errors.NotFoundError):
                missing = errno.ENOENT
                raise FileNotFoundError(missing, reason or os.strerror(missing), self._uri) from error
            raise InputError(f"{self._uri}: {reason}") from error
