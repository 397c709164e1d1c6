"""Image classifiers: a small one for small data sets, and Inception-v3."""

from __future__ import annotations

import os
from collections.abc import Mapping

import keras
import numpy as np

BACKBONES = ("small", "inception_v3")
DEFAULT_SIZES = {"small": 64, "inception_v3": 299}
SMALLEST_SIZES = {"small": 16, "inception_v3": 75}
LARGEST_SIZE = 4096
_SMALL_CHANNELS = (32, 64, 128, 128)


def build_classifier(
    backbone: str, num_classes: int, image_size: int, weights: str | os.PathLike | None = None
) -> keras.Model:
    """Builds a keras.Model: images [N,S,S,3] in [-1, 1] -> logits [N,num_classes].

    FID and KID compare the input of its last layer, see `features_of`: 128 features per image for
    "small", 2048 for "inception_v3".

    Args:
        backbone: one of BACKBONES.
        num_classes: number of classes.
        image_size: S, in pixels; from SMALLEST_SIZES to LARGEST_SIZE.
        weights: for "inception_v3", a file with the weights of `keras.applications` without top. None:
            random weights.
    """
    shape = (image_size, image_size, 3)
    if backbone == "inception_v3":
        base = keras.applications.InceptionV3(
            include_top=False, pooling="avg", weights=weights, input_shape=shape
        )
        images, features = base.input, base.output
    else:
        images = x = keras.Input(shape)
        for channels in _SMALL_CHANNELS:
            x = keras.layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
            x = keras.layers.BatchNormalization(momentum=0.9)(x)
            x = keras.layers.MaxPooling2D()(keras.layers.ReLU()(x))
        features = keras.layers.GlobalAveragePooling2D()(x)
    logits = keras.layers.Dense(num_classes)(keras.layers.Dropout(0.3)(features))
    return keras.Model(images, logits)


def features_of(model: keras.Model) -> keras.Model:
    """A keras.Model: images -> (features [N,D], logits) of a classifier."""
    return keras.Model(model.input, [model.layers[-2].input, model.output])


def named_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """A classifier's weights, {name: array}.

    A name consists of the layer's index among the layers with weights and the name of the weight.
    """
    named = {}
    for name, variable in _variables(model):
        named[name] = variable.numpy()
    return named


def set_named_weights(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Sets all of a classifier's weights from {name: array}.

    Raises:
        ValueError: a name is missing or unexpected, or a shape or type differs. No weight is set then.
    """
    variables = dict(_variables(model))
    if wrong := sorted(variables.keys() ^ arrays.keys()):
        raise ValueError(f"the weights do not fit the network: {wrong[0]}")
    for name, variable in variables.items():
        array = arrays[name]
        if tuple(variable.shape) != array.shape or array.dtype.kind != "f":
            raise ValueError(f"the weights do not fit the network: {name} is {array.dtype} {array.shape}")
    for name, variable in variables.items():
        variable.assign(arrays[name])


def _variables(model):
    # Keras numbers layer names across the process, so the names differ between two models.
    layers = [layer for layer in model.layers if layer.weights]
    for i, layer in enumerate(layers):
        for variable in layer.weights:
            yield f"{i:03d}/{variable.name.split('/')[-1].split(':')[0]}", variable
