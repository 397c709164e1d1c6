"""Typed options: frozen dataclasses whose fields become flags."""

from __future__ import annotations

import abc
import dataclasses
import re
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from munit_tf.errors import InputError
from munit_tf.terminal import CONTROL_CHARACTERS, SURROGATES

# Linux's limits, in bytes.
_LONGEST_PATH = 4096
_LONGEST_NAME = 255
MOST_STEPS = 10**12


def option(
    default: Any,
    help: str,
    *,
    minimum: Optional[float] = None,
    maximum: Optional[float] = None,
    choices: Optional[tuple[str, ...]] = None,
    path: bool = False,
    names: tuple[str, ...] = (),
    remote: bool = False,
    required: bool = False,
    may_change: bool = False,
    recorded: bool = True,
    memory: bool = False,
) -> Any:
    """A dataclass field that becomes a flag.

    Args:
        default: the value if the flag is not given.
        help: one line for `--help`, with the unit.
        minimum: the smallest number allowed; required for numbers. For a tuple, of each number.
        maximum: the largest number allowed; required for numbers. For a tuple, of each number.
        choices: the strings allowed.
        path: a file or folder on this machine. It is made absolute, so that a run folder can be used
            from any working directory.
        names: with `path`: values that are names, not paths.
        remote: with `path`: a URI such as gs://bucket/run is also allowed.
        required: the flag must be given; `default` must be None.
        may_change: a resumed run may have another value.
        recorded: the value is written to `run.flags`.
        memory: whether the option affects memory: a smaller number, or True, needs less.
    """
    metadata = dict(
        help=help,
        minimum=minimum,
        maximum=maximum,
        choices=choices,
        path=path,
        names=names,
        remote=remote,
        required=required,
        may_change=may_change,
        recorded=recorded,
        memory=memory,
    )
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Config:
    """Options, checked by the constructor.

    Raises:
        InputError: a value has the wrong type or is out of range, or `text_problem` refuses a text; the
            message names the flag.
    """

    def __post_init__(self) -> None:  # noqa: D105
        kinds = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None and field.metadata["required"]:
                raise InputError(f"--{field.name} is missing: {field.metadata['help']}")
            if value is None and field.default is None:
                continue
            problem = _problem(value, without_none(kinds[field.name]), field.metadata)
            if problem:
                raise InputError(f"--{field.name}={to_text(value)}: {problem}")


class MethodConfig(Config, abc.ABC):
    """A method's options."""

    @property
    @abc.abstractmethod
    def size_multiple(self) -> int:
        """Height and width of images must be multiples of this, in pixels."""

    @property
    @abc.abstractmethod
    def smallest_input(self) -> int:
        """The smallest height and width of images to translate or encode, in pixels."""

    @property
    @abc.abstractmethod
    def smallest_size(self) -> int:
        """The smallest height and width of training images, in pixels."""

    def check_size(self, height: int, width: int) -> None:
        """Raises InputError if the networks cannot be trained on images of this size, in pixels."""
        multiple, least = self.size_multiple, self.smallest_size
        if height % multiple or width % multiple or min(height, width) < least:
            raise InputError(
                f"--image_size={height}x{width} does not fit the networks: height and width must be "
                f"multiples of {multiple} and at least {least} with these numbers of layers and scales"
            )

    def pooled_values(self, height: int, width: int) -> int:
        """The number of values in the image pools, for images of this size in pixels."""
        del height, width
        return 0

    def check_run(self, data: Any, train: Any) -> None:
        """Raises InputError if the method cannot be trained with this DataConfig and TrainConfig."""


def costly(*configs: Config) -> dict[str, str]:
    """{flag: "--name=value"} of the numbers that increase memory use and exceed their defaults."""
    flags = {}
    for config in configs:
        for field in dataclasses.fields(config):
            value = getattr(config, field.name)
            if field.metadata["memory"] and not isinstance(value, bool) and _is_larger(value, field.default):
                flags[f"--{field.name}"] = f"--{field.name}={to_text(value)}"
    return flags


def one_of(names: Iterable[str]) -> str:
    """Joins names as `a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def less_memory(*config_classes: type[Config]) -> str:
    """How a command with these options can use less memory: `lower --a or --b, or add --c`."""
    fields = [each for cls in config_classes for each in dataclasses.fields(cls) if each.metadata["memory"]]
    lower = [f"--{field.name}" for field in fields if not isinstance(field.default, bool)]
    switches = [f"--{field.name}" for field in fields if isinstance(field.default, bool)]
    if not fields:
        return "close other programs, or use a machine with more memory"
    return f"lower {one_of(lower)}" + "".join(f", or add {switch}" for switch in switches)


def title(config_class: type[Config]) -> str:
    """The heading of a group of options: the first line of its class docstring."""
    return (config_class.__doc__ or "").split("\n")[0].rstrip(".")


def to_text(value: Any) -> str:
    """An option's value as written in a flag."""
    if isinstance(value, tuple):
        return ("," if value and isinstance(value[0], str) else "x").join(map(to_text, value))
    if type(value) is int and value.bit_length() > 1000:  # Python refuses to convert longer ones to text.
        return f"(a number of {value.bit_length()} bits)"
    return str(value).lower() if isinstance(value, bool) else str(value)


def text_problem(text: str, path: bool = False) -> Optional[str]:
    """What is wrong with a text as an option's value, or None.

    A text without a problem can be written to a flagfile and read back unchanged.

    Args:
        text: the value.
        path: the text is a path, so the length of each name in it is limited, except in a URI.
    """
    if re.search(f"[{SURROGATES}]", text):
        return "must be UTF-8 text"
    if re.search(f"[{CONTROL_CHARACTERS}]", text):
        return "must not have line breaks or other control characters in it"
    if text != text.rstrip():
        return "must not end with a space"
    if len(text.encode()) > _LONGEST_PATH:
        return f"must have at most {_LONGEST_PATH} bytes"
    if path and "://" not in text and max(len(name.encode()) for name in text.split("/")) > _LONGEST_NAME:
        return f"a file's name must have at most {_LONGEST_NAME} bytes"
    return None


def without_none(kind: Any) -> Any:
    """Optional[X] -> X; any other type as it is."""
    kinds = [each for each in typing.get_args(kind) if each is not type(None)]
    return kinds[0] if typing.get_origin(kind) is typing.Union else kind


def _is_larger(value: Any, default: Any) -> bool:
    if isinstance(value, tuple):
        return any(side > default_side for side, default_side in zip(value, default))
    return value is not None and value > (default or 0)


def _problem(value: Any, kind: Any, limits: Mapping[str, Any]) -> Optional[str]:
    """What is wrong with an option's value, or None."""
    least, most = limits["minimum"], limits["maximum"]
    if kind is tuple:
        if not isinstance(value, tuple) or len(value) != 2 or any(type(side) is not int for side in value):
            return "must be a height and a width in pixels"
        fits = all(least <= side <= most for side in value)
        return None if fits else f"height and width must be from {least} to {most} pixels"
    if kind == tuple[str, ...]:
        if not isinstance(value, tuple) or not value:
            return "must not be empty"
        return next(filter(None, (_problem(each, str, limits) for each in value)), None)
    if isinstance(value, bool) != (kind is bool) or not isinstance(
        value, (int, float) if kind is float else kind
    ):
        return f"must be of type {kind.__name__}, not {type(value).__name__}"
    if value == "":
        return "must not be empty"
    if isinstance(value, str) and (problem := text_problem(value, limits["path"])):
        return problem
    if limits["choices"] and value not in limits["choices"]:
        return f"must be one of {', '.join(limits['choices'])}"
    if kind in (int, float) and not least <= value <= most:  # False for NaN.
        return f"must be a number from {least:.13g} to {most:.13g}"
    return None
