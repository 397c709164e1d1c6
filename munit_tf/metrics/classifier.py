"""Classifiers: storage, and predictions for images."""

from __future__ import annotations

import io
import json
import os
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from munit_tf import machine
from munit_tf.errors import InputError
from munit_tf.metrics import resizing
from munit_tf.metrics.inception import KerasInception, PublishedInception
from munit_tf.metrics.sampling import Block
from munit_tf.networks import pretrained
from munit_tf.networks.classifiers import (
    BACKBONES,
    LARGEST_SIZE,
    SMALLEST_SIZES,
    build_classifier,
    features_of,
    named_weights,
    set_named_weights,
)
from munit_tf.storage import json_files

_DESCRIPTION = "classifier.json"
_WEIGHTS = "weights.npz"


class Classifier:
    """A trained classifier: images [N,H,W,3] in [-1, 1] -> (features [N,D], probabilities [N,C]).

    Images are first resized to its input size: bilinear, antialiased, aspect ratio not kept.

    Args:
        model: a model of `networks.classifiers.build_classifier`.
        classes: names of the classes, in the order of the outputs.
        image_size: height and width of its input, in pixels.
        provenance: origin of its weights, for the record.
    """

    def __init__(
        self,
        model: keras.Model,
        classes: Sequence[str],
        image_size: int,
        provenance: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.classes = tuple(classes)
        self.image_size = image_size
        self.provenance = provenance
        network = features_of(model)

        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])], autograph=False)
        def run(images):
            features, logits = network(resizing.antialiased(images, image_size), training=False)
            return features, tf.nn.softmax(tf.cast(logits, tf.float64))

        self._run = run

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(features [N,D], probabilities [N,C]) of images [N,H,W,3] in [-1, 1]."""
        features, probabilities = self._run(images)
        return features.numpy(), probabilities.numpy()


class Predictions:
    """Collects the features and probabilities of blocks of outputs; does not keep the images.

    Args:
        network: the network to apply.
        num_outputs: number of outputs per input to use; further ones are ignored.
    """

    def __init__(self, network: Classifier | KerasInception | PublishedInception, num_outputs: int) -> None:
        self.num_outputs = num_outputs
        self._network = network
        self._output_indices: list[np.ndarray] = []
        self._features: list[np.ndarray] = []
        self._probabilities: list[Any] = []

    def add(self, block: Block) -> None:
        """Adds the predictions for a block."""
        selected = block.output_indices < self.num_outputs
        if not selected.any():
            return
        features, probabilities = self._network(block.outputs[selected])
        self._output_indices.append(block.output_indices[selected])
        self._features.append(features)
        self._probabilities.append(probabilities)

    def features(self, num_outputs: int) -> np.ndarray:
        """Features [inputs * num_outputs, D] of the first `num_outputs` outputs of each input."""
        return np.concatenate(self._features)[np.concatenate(self._output_indices) < num_outputs]

    def probabilities(self, num_outputs: int) -> np.ndarray:
        """Probabilities [inputs, num_outputs, C] of the first `num_outputs` outputs of each input."""
        chosen = np.concatenate(self._output_indices) < num_outputs
        p = np.concatenate(self._probabilities)[chosen]
        return p.reshape(-1, num_outputs, p.shape[-1])


def save(folder: str | os.PathLike, model: keras.Model, description: dict[str, Any]) -> None:
    """Writes a classifier's folder atomically: named weights and a JSON description.

    Args:
        folder: path of a folder that does not exist yet.
        model: a model of `build_classifier`.
        description: has at least "backbone", "classes" and "image_size".

    Raises:
        InputError: the folder exists or cannot be written.
    """
    folder = pathlib.Path(folder)
    building = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    check_free(folder)
    try:
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        np.savez(building / _WEIGHTS, **named_weights(model))
        (building / _DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        os.replace(building, folder)
    except OSError as error:
        raise InputError(f"--output={folder} cannot be written: {error.strerror}") from error


def check_free(folder: str | os.PathLike) -> None:
    """Raises InputError if the folder exists already."""
    if os.path.lexists(folder):
        raise InputError(f"--output={folder} exists already: choose another, or remove it")


def load(folder: str | os.PathLike) -> Classifier:
    """Loads the Classifier from a folder that `save` has written.

    Raises:
        InputError: the folder is not a classifier's, or is damaged.
    """
    folder = pathlib.Path(folder)
    if not (folder / _DESCRIPTION).is_file():
        raise InputError(
            f"{folder} is not a classifier's folder, it has no {_DESCRIPTION}: create one with "
            "munit_tf.train_classifier"
        )
    description = json_files.read(
        folder / _DESCRIPTION, _is_description, "train it again with munit_tf.train_classifier"
    )
    try:
        weights = (folder / _WEIGHTS).read_bytes()
        model = build_classifier(
            description["backbone"], len(description["classes"]), description["image_size"]
        )
        with np.load(io.BytesIO(weights), allow_pickle=False) as arrays:
            set_named_weights(model, dict(arrays))
    except Exception as error:  # zipfile, zlib, NumPy and Keras raise many types for a damaged file.
        if machine.is_shortage(error):
            raise
        raise InputError(
            f"classifier {folder} cannot be used ({_reason(error)}): train it again with "
            "munit_tf.train_classifier"
        ) from error
    provenance = {**pretrained.provenance(folder / _WEIGHTS), "description": description}
    return Classifier(model, description["classes"], description["image_size"], provenance)


def _is_description(value):
    if not isinstance(value, dict) or value.get("backbone") not in BACKBONES:
        return False
    classes, size = value.get("classes"), value.get("image_size")
    named = isinstance(classes, list) and classes and all(isinstance(name, str) for name in classes)
    return bool(named) and type(size) is int and SMALLEST_SIZES[value["backbone"]] <= size <= LARGEST_SIZE


def _reason(error):
    return " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
