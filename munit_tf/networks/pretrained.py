"""Networks with published weights. The loaders never fall back to random weights."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from munit_tf.storage import json_files

_CAFFE_MEAN_BGR = (103.939, 116.779, 123.680)
# Convolutions between two pools. The authors' VGG-16 has no pool between conv4_3 and conv5_1.
_VGG16_BLOCKS = (2, 2, 3, 6)
_VGG16_CONVS = 13
_VGG16_STOCK_BLOCKS = (2, 2, 3, 3, 3)

INCEPTION_V3_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
INCEPTION_V3_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/" + INCEPTION_V3_FILE
)
_INCEPTION_V3_MD5 = "bcbd6486424b2319ff4ef7d526e38f63"
INCEPTION_V3_SIZE = 299


class VGG16Relu5:
    """relu5_3 of the VGG-16 that MUNIT's authors use: [N,H,W,3] in [-1, 1] -> [N,H/8,W/8,512].

    It has three pools before that layer, one less than the standard network, whose weights it uses.

    Args:
        weights: 13 pairs (kernel [3,3,C_in,C_out], bias [C_out]), in order, for Caffe's image format:
            BGR in 0..255 minus the mean.
    """

    def __init__(self, weights: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        if len(weights) != _VGG16_CONVS:
            raise ValueError(f"VGG-16 has {_VGG16_CONVS} convolutions before relu5_3; got {len(weights)}")
        self._weights = [(tf.constant(kernel), tf.constant(bias)) for kernel, bias in weights]

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Images [N,H,W,3] in [-1, 1] -> features [N,H/8,W/8,512], of the images' type."""
        x = (images[..., ::-1] + 1) * 127.5 - tf.constant(_CAFFE_MEAN_BGR, images.dtype)
        weights = iter(self._weights)
        for block, num_convs in enumerate(_VGG16_BLOCKS):
            x = tf.nn.max_pool2d(x, 2, 2, "VALID") if block else x
            for _ in range(num_convs):
                kernel, bias = next(weights)
                x = tf.nn.conv2d(x, tf.cast(kernel, x.dtype), 1, "SAME")
                x = tf.nn.relu(x + tf.cast(bias, x.dtype))
        return x


def load_vgg16(path: str | os.PathLike | None = None) -> VGG16Relu5:
    """VGG16Relu5 with the ImageNet weights of `keras.applications`.

    Args:
        path: the file `vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5`, or None to download it.

    Raises:
        FileNotFoundError: the file does not exist.
        Exception: any error of Keras, if the file holds something else or the download fails.
    """
    if path and not os.path.isfile(path):
        raise FileNotFoundError(f"there is no file {path}")
    model = keras.applications.VGG16(include_top=False, weights=path or "imagenet")
    convs = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    return VGG16Relu5([layer.get_weights() for layer in convs])


class AlexNetFeatures:
    """The five feature maps of torchvision's AlexNet, each after its ReLU.

    Args:
        weights: 5 pairs (kernel [k,k,C_in,C_out], bias [C_out]), in order.
    """

    channels = (64, 192, 384, 256, 256)
    _STRIDES = (4, 1, 1, 1, 1)
    _PADDINGS = (2, 2, 1, 1, 1)
    _POOLED = (1, 2)

    def __init__(self, weights: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        _check_channels(weights, self.channels, "AlexNet")
        self._weights = [(tf.constant(kernel), tf.constant(bias)) for kernel, bias in weights]

    def __call__(self, x: tf.Tensor) -> list[tf.Tensor]:
        """[N,H,W,3], H and W at least 31 -> five maps [N,h,w,C], the first with h = (H - 7) // 4 + 1."""
        maps = []
        for i, (kernel, bias) in enumerate(self._weights):
            if i in self._POOLED:
                x = tf.nn.max_pool2d(x, 3, 2, "VALID")
            pad = [self._PADDINGS[i]] * 2
            x = tf.nn.conv2d(
                x, tf.cast(kernel, x.dtype), self._STRIDES[i], padding=[[0, 0], pad, pad, [0, 0]]
            )
            x = tf.nn.relu(x + tf.cast(bias, x.dtype))
            maps.append(x)
        return maps


class VGG16Features:
    """relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3 of torchvision's VGG-16, with all its pools.

    Args:
        weights: 13 pairs (kernel [3,3,C_in,C_out], bias [C_out]), in order.
    """

    channels = (64, 128, 256, 512, 512)

    def __init__(self, weights: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        per_conv = [c for c, convs in zip(self.channels, _VGG16_STOCK_BLOCKS) for _ in range(convs)]
        _check_channels(weights, per_conv, "VGG-16")
        self._weights = [(tf.constant(kernel), tf.constant(bias)) for kernel, bias in weights]

    def __call__(self, x: tf.Tensor) -> list[tf.Tensor]:
        """[N,H,W,3], H and W at least 16 -> five maps [N,h,w,C], the first of full size."""
        weights, maps = iter(self._weights), []
        for block, num_convs in enumerate(_VGG16_STOCK_BLOCKS):
            x = tf.nn.max_pool2d(x, 2, 2, "VALID") if block else x
            for _ in range(num_convs):
                kernel, bias = next(weights)
                x = tf.nn.relu(tf.nn.conv2d(x, tf.cast(kernel, x.dtype), 1, "SAME") + tf.cast(bias, x.dtype))
            maps.append(x)
        return maps


FEATURES: dict[str, type[AlexNetFeatures] | type[VGG16Features]] = {
    "alexnet": AlexNetFeatures,
    "vgg16": VGG16Features,
}


def load_taps(
    network: str, folder: str | os.PathLike
) -> tuple[AlexNetFeatures | VGG16Features, dict[str, Any]]:
    """`AlexNetFeatures` or `VGG16Features` with weights that `munit_tf.import_weights` has written.

    Args:
        network: "alexnet" or "vgg16".
        folder: the folder with `NETWORK.npz`.

    Returns:
        (network, its `provenance`).

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file holds something else.
    """
    path = os.path.join(folder, f"{network}.npz")
    arrays = read_npz(path)
    convs = sum(name.endswith("/kernel") for name in arrays)
    try:
        taps = FEATURES[network]([(arrays[f"{i}/kernel"], arrays[f"{i}/bias"]) for i in range(convs)])
    except KeyError as error:
        raise ValueError(f"{path} does not hold {network}'s weights: {error} is missing") from None
    except ValueError as error:
        raise ValueError(f"{path} does not hold {network}'s weights: {error}") from error
    return taps, provenance(path, arrays)


def load_lpips_linear(
    network: str, version: str, folder: str | os.PathLike
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """The linear weights of LPIPS, five arrays [C], from `lpips.npz` of `munit_tf.import_weights`.

    Args:
        network: "alexnet" or "vgg16".
        version: "0.0" or "0.1".
        folder: the folder with `lpips.npz`.

    Returns:
        (list of arrays, their `provenance`).

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file holds something else.
    """
    path = os.path.join(folder, "lpips.npz")
    arrays = read_npz(path)
    names = [f"{network}/{version}/{i}" for i in range(5)]
    actual = [(arrays[name].shape, arrays[name].dtype.kind) for name in names if name in arrays]
    if actual != [((c,), "f") for c in FEATURES[network].channels]:
        raise ValueError(f"{path} does not hold LPIPS {version} for {network}")
    return [arrays[name] for name in names], provenance(path, arrays)


def has_inception_v3(folder: str | os.PathLike) -> bool:
    """Whether `fetch_inception_v3` finds its file in `folder` and does not download it."""
    return os.path.isfile(os.path.join(folder, INCEPTION_V3_FILE))


def fetch_inception_v3(folder: str | os.PathLike) -> str:
    """The path of the Inception-v3 weights of `keras.applications`, without top.

    The file is downloaded if it is not in `folder`. The download has a long timeout: check first that
    INCEPTION_V3_URL is reachable.

    Raises:
        Exception: any error of Keras, if the download fails.
    """
    if has_inception_v3(folder):
        return os.path.join(folder, INCEPTION_V3_FILE)
    return keras.utils.get_file(
        INCEPTION_V3_FILE,
        INCEPTION_V3_URL,
        cache_subdir=os.path.abspath(folder),
        file_hash=_INCEPTION_V3_MD5,
    )


def load_inception_v3(path: str | os.PathLike) -> keras.Model:
    """Inception-v3 without top, with weights from a file: [N,299,299,3] in [-1, 1] -> [N,2048].

    Args:
        path: the path that `fetch_inception_v3` returns.

    Raises:
        ValueError: the file holds something else.
    """
    try:
        return keras.applications.InceptionV3(include_top=False, pooling="avg", weights=path)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} does not hold Keras' Inception-v3 without top: {reason}") from error


def provenance(path: str | os.PathLike, arrays: Mapping[str, np.ndarray] | None = None) -> dict[str, Any]:
    """The origin of a file of weights: {"file", "sha256"}.

    If `arrays`, its content, has an entry "source", the result also has "source", {name: sha256} of the
    files that it was made from.

    Raises:
        ValueError: the "source" is not JSON.
    """
    result = {"file": os.path.basename(path), "sha256": sha256(path)}
    if arrays and "source" in arrays:
        try:
            result["source"] = json_files.parse(str(arrays["source"]))
        except ValueError as error:
            raise ValueError(
                f"{path} is damaged, its source is not JSON: import it again with munit_tf.import_weights"
            ) from error
    return result


def sha256(path: str | os.PathLike) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def read_npz(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The arrays of a file that `munit_tf.import_weights` has written.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is damaged.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"there is no file {path}: create it with munit_tf.import_weights (its --help says how)"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except Exception as error:  # zipfile, zlib and NumPy raise many types for a damaged file.
        raise ValueError(f"{path} cannot be read: import it again with munit_tf.import_weights") from error


def _check_channels(weights, channels, name):
    expected = [((c_in, c_out), (c_out,), "ff") for c_in, c_out in zip((3, *channels), channels)]
    actual = [(kernel.shape[2:], bias.shape, kernel.dtype.kind + bias.dtype.kind) for kernel, bias in weights]
    if actual != expected:
        raise ValueError(f"they are not {name}'s {len(channels)} convolutions")
