"""Typed options: frozen dataclasses whose fields become flags."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterable
from typing import Any, Optional

from munit_tf.errors import InputError
from munit_tf.terminal import CONTROL_CHARACTERS, SURROGATES

_LONGEST_PATH = 4096  # In bytes, as is the next; Linux's own limits.


_LONGEST_NAME = 255


MOST_STEPS = 10**12


def option(
    default,
    help,
    *,
    minimum=None,
    maximum=None,
    choices=None,
    path=False,
    remote=False,
    required=False,
    may_change=False,
    recorded=True,
    memory=False,
):
    """A dataclass field that becomes a flag.

    Args:
        default: the value where the flag is not given.
        help: one line for `--help`; units included.
        minimum: least number allowed; every number has one.
        maximum: largest number allowed; every number has one. Of a tuple of numbers both hold for each.
        choices: the strings allowed.
        path: a file or folder on this machine; made absolute, so that a run folder stays usable
            from another working directory.
        remote: it may be a URI such as gs://bucket/run, too.
        required: the flag must be given; the default is None then.
        may_change: a resumed run may be given another value.
        recorded: whether it stands in `run.flags`.
        memory: a smaller number needs less memory; of a switch: switched on it needs less.
    """
    metadata = dict(
        help=help,
        minimum=minimum,
        maximum=maximum,
        choices=choices,
        path=path,
        remote=remote,
        required=required,
        may_change=may_change,
        recorded=recorded,
        memory=memory,
    )
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Config:
    """Options, checked when they are made.

    Raises:
        InputError: for a value of the wrong type or out of range, or a text that `text_problem` refuses; it
            names the flag.
    """

    def __post_init__(self):  # noqa: D105
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


class MethodConfig(Config):
    """A method's options.

    Attributes:
        size_multiple: height and width of images must be multiples of this, in pixels.
        smallest_input: the least height and width of images to translate or encode, in pixels.
        smallest_size: the least height and width of training images, in pixels.
    """

    def check_size(self, height, width):
        """Raises InputError where images of this size, in pixels, cannot be trained on."""
        multiple, least = self.size_multiple, self.smallest_size
        if height % multiple or width % multiple or min(height, width) < least:
            raise InputError(
                f"--image_size={height}x{width} does not fit the networks: height and width must be "
                f"multiples of {multiple} and at least {least} with these numbers of layers and scales"
            )

    def pooled_values(self, height: int, width: int) -> int:
        """How many values image pools hold, for images of this size in pixels."""
        del height, width
        return 0

    def check_run(self, data, train):
        """Raises InputError where the method cannot be trained with a DataConfig and a TrainConfig."""


def costly(*configs: Config) -> dict[str, str]:
    """{flag: "--name=value"} of all numbers that cost memory and are larger than their defaults."""
    found = {}
    for config in configs:
        for field in dataclasses.fields(config):
            value = getattr(config, field.name)
            if field.metadata["memory"] and not isinstance(value, bool) and _is_larger(value, field.default):
                found[f"--{field.name}"] = f"--{field.name}={to_text(value)}"
    return found


def one_of(names: Iterable[str]) -> str:
    """`a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def less_memory(*config_classes: type[Config]) -> str:
    """What to do for a command with these options to need less memory: `lower --a or --b, or add --c`."""
    fields = [each for cls in config_classes for each in dataclasses.fields(cls) if each.metadata["memory"]]
    lower = [f"--{field.name}" for field in fields if not isinstance(field.default, bool)]
    switches = [f"--{field.name}" for field in fields if isinstance(field.default, bool)]
    if not fields:
        return "close other programs, or take a machine with more"
    return f"lower {one_of(lower)}" + "".join(f", or add {switch}" for switch in switches)


def title(config_class):
    """What a group of options is about: the first line of its class' docstring."""
    return config_class.__doc__.split("\n")[0].rstrip(".")


def to_text(value):
    """An option's value as a flag has it."""
    if isinstance(value, tuple):
        return ("," if value and isinstance(value[0], str) else "x").join(map(to_text, value))
    if type(value) is int and value.bit_length() > 1000:  # Python refuses to write out longer ones.
        return f"(a number of {value.bit_length()} bits)"
    return str(value).lower() if isinstance(value, bool) else str(value)


def text_problem(text: str, path: bool = False) -> Optional[str]:
    """What is wrong with a text as an option's value, or None.

    What passes can be written to a flagfile and read back as it is.

    Args:
        text: the value.
        path: whether it is a path. The length of each name in it is limited, except in a URI.
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


def without_none(kind):
    """Optional[X] -> X; any other type as it is."""
    kinds = [each for each in typing.get_args(kind) if each is not type(None)]
    return kinds[0] if typing.get_origin(kind) is typing.Union else kind


def _is_larger(value: Any, default: Any) -> bool:
    if isinstance(value, tuple):
        return any(side > usual for side, usual in zip(value, default))
    return value is not None and value > (default or 0)


def _problem(value, kind, limits):
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
        return f"a {type(value).__name__} does not go here"
    if value == "":
        return "must not be empty"
    if kind is str and (problem := text_problem(value, limits["path"])):
        return problem
    if limits["choices"] and value not in limits["choices"]:
        return f"must be one of {', '.join(limits['choices'])}"
    if kind in (int, float) and not least <= value <= most:  # NaN is not, either.
        return f"must be a number from {least:.13g} to {most:.13g}"
    return None
