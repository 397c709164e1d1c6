"""Converts published PyTorch weights to the files that `python -m munit_tf.evaluate` reads."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np

from munit_tf.cli.command_line import run_command
from munit_tf.config.schema import Config, option
from munit_tf.errors import InputError
from munit_tf.storage.atomic import atomic_write
from munit_tf.storage.paths import is_special
from munit_tf.terminal import say

# Set before TensorFlow is imported: shows only its fatal messages.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

USAGE = """\
Converts published weights to the files that `python -m munit_tf.evaluate` reads. For LPIPS: torchvision's
AlexNet or VGG-16, and the linear weights of the `lpips` package. For FID, KID and Inception Score: the
Inception-v3 of 2015. PyTorch is required: pip install torch.

  python -m munit_tf.import_weights --alexnet=alexnet-owt-7be5be79.pth --lpips=site-packages/lpips
  python -m munit_tf.import_weights --fid_inception=pt_inception-2015-12-05-6726825d.pth

Sources: https://download.pytorch.org/models/alexnet-owt-7be5be79.pth and .../vgg16-397923af.pth;
pip install --no-deps lpips==0.1.4;
https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth"""

# First hexadecimal digits of the SHA-256; torchvision's file names contain them.
KNOWN_SHA256 = {
    "alexnet": ("7be5be79", "4df8aa71"),
    "vgg16": ("397923af",),
    "fid_inception": ("6726825d",),
    "v0.0/alex.pth": ("18720f55",),
    "v0.0/vgg.pth": ("b9e42362",),
    "v0.1/alex.pth": ("df73285e",),
    "v0.1/vgg.pth": ("a78928a0",),
}
LAYERS = {
    "alexnet": (0, 3, 6, 8, 10),
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
}
_PACKAGE_NAMES = {"alexnet": "alex", "vgg16": "vgg"}
_VERSIONS = ("0.0", "0.1")


@dataclasses.dataclass(frozen=True)
class ImportConfig(Config):
    """Weights."""

    alexnet: Optional[str] = option(None, "torchvision's file alexnet-owt-7be5be79.pth", path=True)
    vgg16: Optional[str] = option(None, "torchvision's file vgg16-397923af.pth", path=True)
    lpips: Optional[str] = option(
        None, "folder of the installed `lpips` package, or its weights/, with v0.0 and v0.1", path=True
    )
    fid_inception: Optional[str] = option(
        None, "pytorch-fid's file pt_inception-2015-12-05-6726825d.pth", path=True
    )
    output: str = option(
        os.path.join("~", ".keras", "models"),
        "output folder (default: the one that evaluate reads)",
        path=True,
    )


def import_weights(config: ImportConfig) -> None:
    """Writes a file for each flag given.

    Raises:
        InputError: a file is missing, differs from the published one, or has other contents.
    """
    if not (config.alexnet or config.vgg16 or config.lpips or config.fid_inception):
        raise InputError(
            "nothing to do: give --alexnet, --vgg16, --lpips or --fid_inception (--help shows how)"
        )
    weights = {}
    for network in ("alexnet", "vgg16"):
        path = getattr(config, network)
        if path:
            weights[network] = _network(network, path)
    if config.lpips:
        weights["lpips"] = _linear(config.lpips)
    if config.fid_inception:
        weights["fid_inception"] = _fid_inception(config.fid_inception)
    for name, arrays in weights.items():
        say(f"wrote {_write(config.output, name, arrays)}")


def _network(network: str, path: str) -> dict[str, Any]:
    """{"0/kernel": [k,k,C_in,C_out], "0/bias": [C_out], ..., "source"} from torchvision's file."""
    from munit_tf.networks import pretrained

    digest = _known_sha256(path, network, f"torchvision's {network}")
    state, arrays = _load(path), {}
    for i, layer in enumerate(LAYERS[network]):
        try:
            kernel, bias = state[f"features.{layer}.weight"], state[f"features.{layer}.bias"]
            arrays[f"{i}/kernel"] = np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))
        except (KeyError, ValueError) as error:
            raise InputError(f"{path} is not {network}'s: no convolution features.{layer}") from error
        arrays[f"{i}/bias"] = bias
    try:
        pretrained.FEATURES[network]([(arrays[f"{i}/kernel"], arrays[f"{i}/bias"]) for i in range(i + 1)])
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    return {**arrays, "source": json.dumps({os.path.basename(path): digest})}


def _linear(package: str) -> dict[str, Any]:
    """{"alexnet/0.1/0": [C], ..., "source"} of every network and version in the package."""
    folder = pathlib.Path(package)
    folder = folder / "weights" if (folder / "weights").is_dir() else folder
    arrays, source = {}, {}
    for network, short in _PACKAGE_NAMES.items():
        for version in _VERSIONS:
            path = folder / f"v{version}" / f"{short}.pth"
            if not path.is_file():
                raise InputError(f"{folder} is not the lpips package's: it has no v{version}/{short}.pth")
            name = f"v{version}/{short}.pth"
            source[name] = _known_sha256(path, name, f"the lpips package's {name}")
            state = _load(path)
            for i in range(5):
                key = f"lin{i}.model.1.weight"
                if key not in state:
                    raise InputError(f"{path} does not hold LPIPS' linear weights: it has no {key}")
                arrays[f"{network}/{version}/{i}"] = state[key].reshape(-1)
    return {**arrays, "source": json.dumps(source)}


def _fid_inception(path: str) -> dict[str, Any]:
    """The weights of `networks.fid_inception.FIDInception`, and "source"."""
    from munit_tf.networks.fid_inception import FIDInception, from_pytorch

    digest = _known_sha256(path, "fid_inception", "pytorch-fid's Inception-v3")
    state = _load(path)
    try:
        arrays = from_pytorch(state)
        FIDInception(arrays)
    except KeyError as error:
        raise InputError(f"{path} is not pytorch-fid's Inception-v3: it has no {error.args[0]}") from error
    except ValueError as error:
        raise InputError(f"{path} is not pytorch-fid's Inception-v3: {error}") from error
    return {**arrays, "source": json.dumps({os.path.basename(path): digest})}


def _known_sha256(path: str | pathlib.Path, name: str, description: str) -> str:
    """The hexadecimal SHA-256 of a file; raises InputError unless it is the known one of this name."""
    digest, known = _sha256(path), KNOWN_SHA256[name]
    if not digest.startswith(known):
        raise InputError(
            f"{path} is not {description}: its SHA-256 begins with {digest[:8]}, not {' or '.join(known)}; "
            "download it again"
        )
    return digest


def _load(path: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Reads a PyTorch file as {name: array}; runs no code in it."""
    try:
        import torch
    except ImportError as error:
        raise InputError("PyTorch is required to read its files: pip install torch") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {name: value.numpy() for name, value in state.items()}
    except Exception as error:  # pickle, zipfile or torch raises it.
        raise InputError(f"{path} cannot be read as PyTorch weights: download it again") from error


def _sha256(path: str | pathlib.Path) -> str:
    from munit_tf.networks import pretrained

    if is_special(path):
        raise InputError(f"cannot read {path}: it is not a regular file")
    try:
        return pretrained.sha256(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _write(folder: str, name: str, arrays: dict[str, Any]) -> pathlib.Path:
    path = pathlib.Path(folder) / f"{name}.npz"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output={folder} cannot be written: {error.strerror}") from error
    with atomic_write(path) as file:
        np.savez(file, **arrays)
    return path


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    return run_command("munit_tf.import_weights", USAGE, ImportConfig, import_weights, argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
