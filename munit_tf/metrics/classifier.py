"""Classifiers on disk, and what they and Inception-v3 say about images."""

import io
import json
import os
import pathlib
import shutil

import numpy as np
import tensorflow as tf

from munit_tf.errors import InputError
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

    Images are resized to its size first: bilinear, antialiased, both sides.

    Args:
        model: a keras.Model, `networks.classifiers.build_classifier`'s.
        classes: names, in the order of its outputs.
        image_size: in pixels.
        provenance: of its weights, for the record.
    """

    def __init__(self, model, classes, image_size, provenance=None):
        self.model = model
        self.classes = tuple(classes)
        self.image_size = image_size
        self.provenance = provenance
        network = features_of(model)

        def run(images):
            features, logits = network(resize(images, image_size), training=False)
            return features, tf.nn.softmax(tf.cast(logits, tf.float64))

        self._run = _traced(run)

    def __call__(self, images):
        """(features, probabilities) of images, two arrays."""
        features, probabilities = self._run(images)
        return features.numpy(), probabilities.numpy()


class InceptionV3Features:
    """Inception-v3 with Keras' ImageNet weights: images [N,H,W,3] in [-1, 1] -> (features [N,2048], None)."""

    classes = ()
    image_size = pretrained.INCEPTION_V3_SIZE

    def __init__(self, path):
        network = pretrained.load_inception_v3(path)
        self.provenance = pretrained.provenance(path)
        self._run = _traced(lambda images: network(resize(images, self.image_size), training=False))

    def __call__(self, images):
        """(features, None) of images."""
        return self._run(images).numpy(), None


class Predictions:
    """Collects what a network says about blocks of outputs; of images it keeps nothing.

    Args:
        network: a Classifier or InceptionV3Features.
        num_outputs: outputs of each input to look at.
    """

    def __init__(self, network, num_outputs):
        self.num_outputs = num_outputs
        self._network = network
        self._output_indices = []
        self._features = []
        self._probabilities = []

    def add(self, block):
        """Takes a `sampling.Block`."""
        wanted = block.output_indices < self.num_outputs
        if not wanted.any():
            return
        features, probabilities = self._network(block.outputs[wanted])
        self._output_indices.append(block.output_indices[wanted])
        self._features.append(features)
        self._probabilities.append(probabilities)

    def features(self, num_outputs):
        """[inputs * num_outputs, D], of the first `num_outputs` of each input."""
        return np.concatenate(self._features)[np.concatenate(self._output_indices) < num_outputs]

    def probabilities(self, num_outputs):
        """[inputs, num_outputs, C], of the first `num_outputs` of each input."""
        chosen = np.concatenate(self._output_indices) < num_outputs
        p = np.concatenate(self._probabilities)[chosen]
        return p.reshape(-1, num_outputs, p.shape[-1])


def resize(images, size):
    """Images [N,H,W,3] as [N,size,size,3]: bilinear, antialiased."""
    return tf.image.resize(images, [size, size], antialias=True)


def save(folder, model, description):
    """Writes a classifier's folder, whole or not at all: flat named weights and a JSON description.

    Args:
        folder: a path at which nothing is yet.
        model: `build_classifier`'s.
        description: dict with at least "backbone", "classes" and "image_size".

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


def check_free(folder):
    """Raises InputError where a classifier's folder exists already."""
    if os.path.lexists(folder):
        raise InputError(f"--output={folder} exists already: choose another, or remove it")


def load(folder):
    """The Classifier in a folder that `save` wrote.

    Raises:
        InputError: it is none, or is damaged.
    """
    folder = pathlib.Path(folder)
    if not (folder / _DESCRIPTION).is_file():
        raise InputError(
            f"{folder} is not a classifier's folder, it has no {_DESCRIPTION}: make one with "
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
    except Exception as error:  # Of zipfile, zlib, NumPy or Keras, whichever meets the damage.
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


def _traced(function):
    images = tf.TensorSpec([None, None, None, 3], tf.float32)
    return tf.function(function, input_signature=[images], autograph=False)


def _reason(error):
    return " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
