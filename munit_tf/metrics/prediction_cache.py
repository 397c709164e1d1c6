"""Predictions of networks for real images, kept on disk between evaluations."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, Optional

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from munit_tf.errors import InputError
from munit_tf.metrics.classifier import Predictions
from munit_tf.metrics.sampling import Block, batches_of_indices
from munit_tf.storage.atomic import atomic_write


class PredictionCache:
    """Runs a network on all images of a set, or reads the result of an earlier run.

    A file's name is the hash of the pixels of all images, of the network's weights and resizing, and of what
    else changes the last bits: TensorFlow's version and the kind of device.

    Args:
        folder: the folder of the files, or None to keep nothing.
        warn: prints one line about a file that cannot be read or written.
    """

    def __init__(self, folder: Optional[str | os.PathLike], warn: Callable[[str], None]) -> None:
        self._folder = pathlib.Path(folder).expanduser() if folder else None
        self._warn = warn

    def predict(
        self, network: Any, load: Callable[[Sequence[int]], np.ndarray], count: int, batch_size: int
    ) -> tuple[np.ndarray, Optional[np.ndarray]]:
        """(features [N,D], probabilities [N,C] or None) of images 0, ..., count - 1.

        Args:
            network: as for `Predictions`.
            load: function of a list of indices -> images [N,H,W,3] in [-1, 1].
            count: number of images.
            batch_size: images per batch.
        """
        path = None
        if self._folder and network.provenance:
            path = self._folder / f"{_key(network, load, count, batch_size)}.npz"
            found = self._read(path, count)
            if found:
                return found
        meter = Predictions(network, 1)
        with tqdm(desc="real images", total=count, unit="image", disable=None) as bar:
            for indices in batches_of_indices(count, batch_size):
                meter.add(Block(np.array(indices), np.zeros(len(indices), int), None, load(indices)))
                bar.update(len(indices))
        result = meter.features(1), meter.probabilities(1)[:, 0] if network.classes else None
        if path:
            self._write(path, *result)
        return result

    def _read(self, path, count):
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as arrays:
                features, probabilities = arrays["features"], arrays.get("probabilities")
            if len(features) == count:
                return features, probabilities
        except Exception:  # zipfile, zlib and NumPy raise many types for a damaged file.
            pass
        self._warn(f"{path} is damaged: the features in it are computed again")
        return None

    def _write(self, path, features, probabilities):
        arrays = {"features": features}
        if probabilities is not None:
            arrays["probabilities"] = probabilities
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as file:
                np.savez(file, **arrays)
        except (OSError, InputError) as error:
            self._warn(f"features of real images cannot be kept (--nocache: do not try): {error}")


def _key(network, load, count, batch_size):
    digest = hashlib.sha256()
    identity = dict(
        network=type(network).__name__,
        weights=network.provenance["sha256"],
        resizing=getattr(network, "resizing", None),
        tensorflow=tf.__version__,
        gpu=bool(tf.config.get_visible_devices("GPU")),
        byteorder=sys.byteorder,
        count=count,
    )
    digest.update(json.dumps(identity, sort_keys=True).encode())
    for indices in batches_of_indices(count, batch_size):
        images = load(indices)
        if indices[0] == 0:
            digest.update(str(images.shape[1:]).encode())
        digest.update(np.ascontiguousarray(images).data)
    return digest.hexdigest()
