"""Features of images in two networks named Inception-v3, for FID, KID and Inception Score."""

from __future__ import annotations

import contextlib
import os
import sys

import numpy as np
import tensorflow as tf

from munit_tf.data import downloads
from munit_tf.errors import InputError
from munit_tf.metrics import resizing
from munit_tf.networks import fid_inception, pretrained

RESIZINGS = {"pytorch-fid": resizing.pytorch_fid, "clean-fid": resizing.clean_fid}


class PublishedInception:
    """The network of published FIDs and Inception Scores, with its resizing.

    Args:
        folder: the folder with `fid_inception.npz` of `munit_tf.import_weights`.
        resizing: how images get the network's size: a name in RESIZINGS.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file holds something else.
    """

    classes = tuple(map(str, range(fid_inception.CLASSES)))
    image_size = fid_inception.SIZE

    def __init__(self, folder: str | os.PathLike, resizing: str) -> None:
        network, self.provenance = fid_inception.load(folder)
        self.resizing = resizing
        self._resize = RESIZINGS[resizing]

        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])], autograph=False)
        def run(images):
            features, logits = network(images)
            return features, tf.nn.softmax(tf.cast(logits, tf.float64))

        self._run = run

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(features [N,2048], probabilities [N,1008]) of images [N,H,W,3] in [-1, 1]."""
        features, probabilities = self._run(self._resize(images, self.image_size))
        return features.numpy(), probabilities.numpy()


class KerasInception:
    """Inception-v3 with Keras' ImageNet weights: images [N,H,W,3] in [-1, 1] -> (features [N,2048], None).

    Args:
        path: file of weights, see `networks.pretrained.load_inception_v3`.
    """

    classes: tuple[str, ...] = ()
    image_size = pretrained.INCEPTION_V3_SIZE

    def __init__(self, path: str | os.PathLike) -> None:
        network = pretrained.load_inception_v3(path)
        self.provenance = pretrained.provenance(path)

        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])], autograph=False)
        def run(images):
            return network(resizing.antialiased(images, self.image_size), training=False)

        self._run = run

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, None]:
        """(features [N,2048], None) of images [N,H,W,3] in [-1, 1]."""
        return self._run(images).numpy(), None


def load_keras_inception(weights_dir: str | os.PathLike, remedy: str) -> KerasInception:
    """KerasInception, whose weights are downloaded if they are not in a folder.

    Args:
        weights_dir: the folder.
        remedy: what to do if they are not there and cannot be downloaded, for the message.

    Raises:
        InputError: there is no connection, the download fails, or the file holds something else.
    """
    if not pretrained.has_inception_v3(weights_dir):
        downloads.check_reachable(pretrained.INCEPTION_V3_URL, "Inception-v3", remedy)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras prints its progress.
            path = pretrained.fetch_inception_v3(weights_dir)
    except Exception as error:  # Keras raises a plain Exception if the download fails.
        reason = " ".join(str(error).split())
        raise InputError(f"Inception-v3's weights cannot be downloaded: {reason}; {remedy}") from error
    try:
        return KerasInception(path)
    except ValueError as error:
        raise InputError(str(error)) from error
