"""Conversion of weights of the authors' PyTorch implementation of MUNIT: names, layout, options.

A state is {name: array} of one of their files. A name consists of the domain and the key in the file:
`a/enc_content.model.0.conv.weight`, `b/cnns.0.1.conv.bias`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from munit_tf.errors import InputError

_UNUSED = (".running_mean", ".running_var", ".num_batches_tracked")
_NETWORKS = {"generator": {"enc_style", "enc_content", "dec", "mlp"}, "discriminator": {"cnns"}}
_MAX_KEYS_IN_MESSAGE = 4
State = dict[str, np.ndarray]


def official_name(name: str, num_downsample: int) -> str:
    """The authors' name of one of our weights.

    `generators/a/content_encoder/convs/0/conv/kernel` -> `a/enc_content.model.0.conv.weight`.
    """
    rules: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
        (r"^(generators|discriminators)/", ""),
        (r"content_encoder/", "enc_content/"),
        (r"/encoder/", "/enc/"),
        (r"(enc|enc_content)/convs/", r"\1.model."),
        (r"(enc|enc_content)/res_blocks/(\d+)/", rf"\1.model.{num_downsample + 1}.model.\2.model."),
        (r"style_encoder/convs/", "enc_style.model."),
        (r"style_encoder/head/", "enc_style.model.6."),
        (r"decoder/mlp/(\d)/", r"mlp.model.\1.fc."),
        (r"decoder/mlp_activations/(\d)/", r"mlp.model.\1.activation."),
        (r"decoder/res_blocks/(\d+)/", r"dec.model.0.model.\1.model."),
        # Each of these convolutions follows an upsampling layer, which has no weights.
        (r"decoder/convs/(\d+)/", lambda match: f"dec.model.{2 * int(match[1]) + 2}."),
        (r"decoder/to_image/", f"dec.model.{2 * num_downsample + 1}."),
        (r"scales/", "cnns."),
        (r"first/", "0."),
        (r"second/", "1."),
        (r"(kernel|slope)$", "weight"),
    ]
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    domain, _, key = name.partition("/")
    return f"{domain}/{key.replace('/', '.')}"


def assign(weights: dict[str, tf.Variable], state: State, num_downsample: int, source: str) -> None:
    """Sets our weights from the authors' weights.

    Args:
        weights: {our name: tf.Variable}, all weights of the generators, of the discriminators, or both.
        state: the authors' weights, exactly one for each of ours.
        num_downsample: number of stride-2 convolutions of the content encoder.
        source: origin of the state, for messages.

    Raises:
        InputError: names or shapes differ. No weight is set then.
    """
    ours = {official_name(name, num_downsample): variable for name, variable in weights.items()}
    problems = []
    for keys, what in ((ours.keys() - state.keys(), "missing"), (state.keys() - ours.keys(), "unexpected")):
        if keys:
            problems.append(f"{what}: {few(keys)}")
    for name in sorted(ours.keys() & state.keys()):
        expected = _official_shape(name, ours[name].shape)
        if state[name].shape != expected:
            problems.append(f"{name} has shape {state[name].shape} and not {expected}")
            break
    if problems:
        raise InputError(f"{source} does not fit MUNIT's weights: {'; '.join(problems)}")
    for name, variable in ours.items():
        variable.assign(_our_layout(state[name]).reshape(variable.shape))


def without_unused(state: State) -> State:
    """`state` without the running statistics, which old versions stored and no version used."""
    return {name: array for name, array in state.items() if not name.endswith(_UNUSED)}


def generator_options(state: State, source: str) -> dict[str, Any]:
    """Infers options of MUNIT, {name: value}, from the state of a generator.

    Args:
        state: the state, with or without running statistics.
        source: origin of the state, for messages.

    Raises:
        InputError: it is not a generator of MUNIT.
    """
    _check_networks(state, "generator", source)
    mlp_dim, style_dim = _shape(state, "a/mlp.model.0.fc.weight", 2, source)
    options = {
        "style_dim": style_dim,
        "gen_dim": _shape(state, "a/enc_content.model.0.conv.weight", 4, source)[0],
        "mlp_dim": mlp_dim,
        "num_downsample": len(_indices(state, r"a/enc_content\.model\.(\d+)\.conv\.weight")) - 1,
        "num_res_blocks": len(_indices(state, r"a/dec\.model\.0\.model\.(\d+)\.")),
    }
    if _indices(state, r"a/.*\.(\d+)\.activation\.weight"):
        options["gen_activation"] = "prelu"
    return options


def discriminator_options(state: State, source: str) -> dict[str, Any]:
    """Infers options of MUNIT from the state of a discriminator; see `generator_options`."""
    _check_networks(state, "discriminator", source)
    if any(name.endswith(".weight_bar") for name in state):
        raise InputError(
            f"{source} has spectral norm in all convolutions except the first and last; --dis_norm=spectral "
            "is for all convolutions, so the weights do not fit: import without --discriminator"
        )
    options = {
        "dis_dim": _shape(state, "a/cnns.0.0.conv.weight", 4, source)[0],
        "num_dis_layers": len(_indices(state, r"a/cnns\.0\.(\d+)\.conv\.weight")),
        "num_scales": len(_indices(state, r"a/cnns\.(\d+)\.")),
    }
    if _indices(state, r"a/cnns\.0\.(\d+)\.norm\.gamma"):
        options["dis_norm"] = "layer"
    elif _indices(state, r"a/cnns\.0\.(\d+)\.norm\.running_mean"):
        options["dis_norm"] = "instance"
    if _indices(state, r"a/cnns\.0\.(\d+)\.activation\.weight"):
        options["dis_activation"] = "prelu"
    return options


def few(keys: Iterable[str]) -> str:
    """The first keys in alphabetical order and the number of the others, as text."""
    keys = sorted(keys)
    more = len(keys) - _MAX_KEYS_IN_MESSAGE
    return ", ".join(keys[:_MAX_KEYS_IN_MESSAGE]) + (f" and {more} more" if more > 0 else "")


def _check_networks(state, kind, source):
    networks = {re.match(r"./([^.]*)", name)[1] for name in state}
    missing, extra = _NETWORKS[kind] - networks, networks - _NETWORKS[kind]
    problems = []
    if missing:
        problems.append(f"missing keys {few(f'{network}.*' for network in missing)}")
    if extra:
        problems.append(f"unexpected keys {few(f'{network}.*' for network in extra)}")
    if problems:
        raise InputError(f"{source} is not a {kind} of MUNIT: {'; '.join(problems)}")


def _shape(state, name, rank, source):
    if name not in state:
        raise InputError(f"{source} does not fit: it has no {name}")
    shape = state[name].shape
    if len(shape) != rank:
        raise InputError(f"{source} does not fit: {name} has shape {shape} and not {rank} dimensions")
    return shape


def _indices(state, pattern):
    return {match[1] for match in map(re.compile(pattern).match, state) if match}


def _official_shape(name, shape):
    """A weight's shape in PyTorch's order: (out, in, height, width), (out, in) or (channels,)."""
    shape = tuple(shape)
    if len(shape) == 4:
        return (*shape[:1:-1], *shape[:2])
    if len(shape) == 2:
        return (*shape[::-1], 1, 1) if "/enc_style." in name else shape[::-1]
    return shape or (1,)


def _our_layout(array):
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else np.transpose(array)
