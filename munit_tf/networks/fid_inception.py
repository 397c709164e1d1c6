"""The Inception-v3 of 2015, in whose features published FIDs are computed.

Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, as TensorFlow
published it on 2015-12-05. It differs from later versions: average pools do not count the border, the last
block has a max pool, and there are 1008 classes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Union

import numpy as np
import tensorflow as tf

from munit_tf.networks import pretrained

FILE = "fid_inception.npz"
SIZE = 299
FEATURES = 2048
CLASSES = 1008
_EPSILON = 1e-3  # Of batch norm.


class Convolution(NamedTuple):
    """A convolution without bias, batch norm and ReLU."""

    name: str
    filters: int
    height: int
    width: int
    stride: int = 1
    padding: str = "SAME"


# A sequence of layers. A list is a number of parallel sequences, whose results are concatenated.
_Layer = Union[Convolution, Callable[[tf.Tensor], tf.Tensor], list]
_Layers = Sequence[_Layer]


def _average(x):
    return tf.nn.avg_pool2d(x, 3, 1, "SAME")  # Does not count the border.


def _maximum(x):
    return tf.nn.max_pool2d(x, 3, 1, "SAME")


def _halve(x):
    return tf.nn.max_pool2d(x, 3, 2, "VALID")


def _block(name: str, *branches: Sequence) -> list[list[_Layer]]:
    """Parallel branches of pools, forks, and (name, filters, height, width, ...) of convolutions."""

    def layer(each):
        if isinstance(each, list):
            return [[layer(inner) for inner in branch] for branch in each]
        return each if callable(each) else Convolution(f"{name}.{each[0]}", *each[1:])

    return [[layer(each) for each in branch] for branch in branches]


def _a(name, pool_filters):
    return _block(
        name,
        [("branch1x1", 64, 1, 1)],
        [("branch5x5_1", 48, 1, 1), ("branch5x5_2", 64, 5, 5)],
        [("branch3x3dbl_1", 64, 1, 1), ("branch3x3dbl_2", 96, 3, 3), ("branch3x3dbl_3", 96, 3, 3)],
        [_average, ("branch_pool", pool_filters, 1, 1)],
    )


def _b(name):
    return _block(
        name,
        [("branch3x3", 384, 3, 3, 2, "VALID")],
        [
            ("branch3x3dbl_1", 64, 1, 1),
            ("branch3x3dbl_2", 96, 3, 3),
            ("branch3x3dbl_3", 96, 3, 3, 2, "VALID"),
        ],
        [_halve],
    )


def _c(name, filters):
    return _block(
        name,
        [("branch1x1", 192, 1, 1)],
        [("branch7x7_1", filters, 1, 1), ("branch7x7_2", filters, 1, 7), ("branch7x7_3", 192, 7, 1)],
        [
            ("branch7x7dbl_1", filters, 1, 1),
            ("branch7x7dbl_2", filters, 7, 1),
            ("branch7x7dbl_3", filters, 1, 7),
            ("branch7x7dbl_4", filters, 7, 1),
            ("branch7x7dbl_5", 192, 1, 7),
        ],
        [_average, ("branch_pool", 192, 1, 1)],
    )


def _d(name):
    return _block(
        name,
        [("branch3x3_1", 192, 1, 1), ("branch3x3_2", 320, 3, 3, 2, "VALID")],
        [
            ("branch7x7x3_1", 192, 1, 1),
            ("branch7x7x3_2", 192, 1, 7),
            ("branch7x7x3_3", 192, 7, 1),
            ("branch7x7x3_4", 192, 3, 3, 2, "VALID"),
        ],
        [_halve],
    )


def _e(name, pool):
    return _block(
        name,
        [("branch1x1", 320, 1, 1)],
        [("branch3x3_1", 384, 1, 1), [[("branch3x3_2a", 384, 1, 3)], [("branch3x3_2b", 384, 3, 1)]]],
        [
            ("branch3x3dbl_1", 448, 1, 1),
            ("branch3x3dbl_2", 384, 3, 3),
            [[("branch3x3dbl_3a", 384, 1, 3)], [("branch3x3dbl_3b", 384, 3, 1)]],
        ],
        [pool, ("branch_pool", 192, 1, 1)],
    )


_LAYERS: _Layers = (
    Convolution("Conv2d_1a_3x3", 32, 3, 3, 2, "VALID"),
    Convolution("Conv2d_2a_3x3", 32, 3, 3, 1, "VALID"),
    Convolution("Conv2d_2b_3x3", 64, 3, 3),
    _halve,
    Convolution("Conv2d_3b_1x1", 80, 1, 1),
    Convolution("Conv2d_4a_3x3", 192, 3, 3, 1, "VALID"),
    _halve,
    _a("Mixed_5b", 32),
    _a("Mixed_5c", 64),
    _a("Mixed_5d", 64),
    _b("Mixed_6a"),
    _c("Mixed_6b", 128),
    _c("Mixed_6c", 160),
    _c("Mixed_6d", 160),
    _c("Mixed_6e", 192),
    _d("Mixed_7a"),
    _e("Mixed_7b", _average),
    _e("Mixed_7c", _maximum),
)


def kernel_shapes() -> dict[str, tuple[int, int, int, int]]:
    """{name of a convolution: (height, width, C_in, C_out) of its kernel}, in the order of the network."""
    shapes: dict[str, tuple[int, int, int, int]] = {}

    def channels_after(layers: _Layers, channels: int) -> int:
        for layer in layers:
            if isinstance(layer, list):
                channels = sum(channels_after(branch, channels) for branch in layer)
            elif isinstance(layer, Convolution):
                shapes[layer.name] = (layer.height, layer.width, channels, layer.filters)
                channels = layer.filters
        return channels

    channels_after(_LAYERS, 3)
    return shapes


def from_pytorch(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights of FIDInception from those of pytorch-fid's module, {name in PyTorch: array}.

    Raises:
        KeyError: an array is missing.
        ValueError: an array has another number of axes.
    """
    arrays = {}
    for name in kernel_shapes():
        kernel = state[f"{name}.conv.weight"].transpose(2, 3, 1, 0).astype(np.float64)
        norm = ("weight", "bias", "running_mean", "running_var")
        gamma, beta, mean, variance = (state[f"{name}.bn.{key}"].astype(np.float64) for key in norm)
        scale = gamma / np.sqrt(variance + _EPSILON)
        arrays[f"{name}/kernel"] = (kernel * scale).astype(np.float32)
        arrays[f"{name}/bias"] = (beta - mean * scale).astype(np.float32)
    arrays["logits/kernel"] = np.ascontiguousarray(state["fc.weight"].T)
    return arrays


class FIDInception:
    """Images [N,299,299,3] in [-1, 1] -> (features [N,2048], logits [N,1008]).

    The logits lack the classes' biases, as those of the published Inception Score do (Salimans et al.,
    "Improved Techniques for Training GANs", NeurIPS 2016, the authors' code).

    Args:
        weights: for each name in `kernel_shapes()`, "NAME/kernel" of that shape and "NAME/bias" [C_out], with
            the batch norm in both; and "logits/kernel" [2048,1008].

    Raises:
        ValueError: an array is missing, or has another shape.
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        expected: dict[str, tuple[int, ...]] = {"logits/kernel": (FEATURES, CLASSES)}
        for name, shape in kernel_shapes().items():
            expected.update({f"{name}/kernel": shape, f"{name}/bias": shape[3:]})
        for name, wanted in expected.items():
            if name not in weights:
                raise ValueError(f"{name} is missing")
            if weights[name].shape != wanted:
                raise ValueError(f"{name} must have the shape {wanted}, not {weights[name].shape}")
        self._weights = {name: tf.constant(weights[name], tf.float32) for name in expected}

    def __call__(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Images [N,299,299,3] in [-1, 1] -> (features [N,2048], logits [N,1008])."""
        features = tf.reduce_mean(self._after(_LAYERS, images), [1, 2])
        return features, features @ self._weights["logits/kernel"]

    def _after(self, layers: _Layers, x: tf.Tensor) -> tf.Tensor:
        for layer in layers:
            if isinstance(layer, list):
                x = tf.concat([self._after(branch, x) for branch in layer], -1)
            elif isinstance(layer, Convolution):
                y = tf.nn.conv2d(x, self._weights[f"{layer.name}/kernel"], layer.stride, layer.padding)
                x = tf.nn.relu(tf.nn.bias_add(y, self._weights[f"{layer.name}/bias"]))
            else:
                x = layer(x)
        return x


def load(folder: str | os.PathLike) -> tuple[FIDInception, dict]:
    """FIDInception with the weights that `munit_tf.import_weights` has written.

    Args:
        folder: the folder with `fid_inception.npz`.

    Returns:
        (network, its `pretrained.provenance`).

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file holds something else.
    """
    path = os.path.join(folder, FILE)
    arrays = pretrained.read_npz(path)
    try:
        network = FIDInception(arrays)
    except ValueError as error:
        raise ValueError(f"{path} does not hold the weights of Inception-v3 for FID: {error}") from error
    return network, pretrained.provenance(path, arrays)
