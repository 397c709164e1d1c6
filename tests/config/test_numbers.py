"""Numbers without sense: every number of a command, a tool and a method has a range."""

from __future__ import annotations

import dataclasses
import importlib
import math
import pathlib
import re
import typing
from typing import Any

import pytest

import munit_tf
from munit_tf.config.schema import Config, without_none
from munit_tf.errors import InputError

_ROOT = pathlib.Path(__file__).parent.parent.parent
_SENSELESS = (10**30, -(10**30), 10**5000, -(10**5000), 1e308, math.inf, -math.inf, math.nan)


def config_classes() -> list[type[Config]]:
    """All that the package and the tools define."""
    found = []
    for path in sorted([*_ROOT.glob("munit_tf/**/*.py"), *_ROOT.glob("tools/*.py")]):
        names = re.findall(r"^class (\w+)\(.*Config\):", path.read_text(), re.MULTILINE)
        if names:
            module = ".".join(path.relative_to(_ROOT).with_suffix("").parts).removeprefix("tools.")
            found += [getattr(importlib.import_module(module), name) for name in names]
    return found


def numbers(config_class: type[Config]) -> dict[str, dataclasses.Field]:
    """Its fields that hold numbers."""
    kinds = typing.get_type_hints(config_class)
    fields = dataclasses.fields(config_class)
    return {field.name: field for field in fields if without_none(kinds[field.name]) in (int, float, tuple)}


def make(config_class: type[Config], name: str, value: Any) -> Config:
    """A config with one value given, and with what else must be."""
    required = {
        field.name: (field.metadata["choices"] or ["x"])[0]
        for field in dataclasses.fields(config_class)
        if field.metadata["required"]
    }
    return config_class(**{**required, name: value})


def test_the_classes_are_found():
    names = {config_class.__name__ for config_class in config_classes()}
    assert {"DataConfig", "MUNITConfig", "BenchmarkConfig", "EvaluateConfig", "ClientConfig"} <= names
    assert len(names) >= 20


@pytest.mark.parametrize("config_class", config_classes())
def test_every_number_has_a_range_and_its_default_lies_in_it(config_class):
    for name, field in numbers(config_class).items():
        least, most = field.metadata["minimum"], field.metadata["maximum"]
        assert least is not None and most is not None, f"{config_class.__name__}.{name} has no range"
        assert -(10**18) <= least < most <= 2**63 - 1, name
        for value in field.default if isinstance(field.default, tuple) else [field.default]:
            assert value is None or least <= value <= most, name


@pytest.mark.parametrize("value", _SENSELESS, ids=range(len(_SENSELESS)))
@pytest.mark.parametrize("config_class", config_classes())
def test_numbers_without_sense_are_refused(config_class, value):
    for name, field in numbers(config_class).items():
        given = (value, 16) if isinstance(field.default, tuple) else value
        with pytest.raises(InputError, match=f"^--{name}=") as caught:
            make(config_class, name, given)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "name, value",
    [
        ("steps", 10**12),
        ("batch_size", 4096),
        ("keep_checkpoints", 10**9),
        ("resize", 8192),
        ("image_size", (64, 16_384)),
        ("learning_rate_half_life_steps", 10**12),
        ("learning_rate", 1e-320),
        ("cycle_weight", 10**6),
        ("gen_dim", 4096),
        ("num_res_blocks", 64),
        ("style_dim", 4096),
    ],
)
def test_unusual_numbers_are_taken(name, value):
    classes = [
        each for each in config_classes() if each.__name__ in ("DataConfig", "TrainConfig", "MUNITConfig")
    ]
    (config_class,) = [each for each in classes if name in numbers(each)]
    assert getattr(make(config_class, name, value), name) == value


@pytest.mark.parametrize("method", munit_tf.METHODS)
@pytest.mark.parametrize("value", [10**30, 10**18, -(10**30)])
def test_create_refuses_them(method, value):
    for name in numbers(munit_tf.METHODS[method].config_class):
        with pytest.raises(InputError, match=f"^--{name}="):
            munit_tf.create(method, **{name: value})
