"""The pages that `--help` prints: flags in groups, each with its default."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from munit_tf.config.options import DataConfig, TrainConfig
from munit_tf.config.schema import Config, MethodConfig, title, to_text

_FLAGFILE = "--flagfile", "file with one flag per line; flags on the command line take precedence"


def command_help(usage: str, config_class: type[Config]) -> str:
    """The text of `--help` of a command whose flags are the fields of one dataclass."""
    lines = [usage, f"\n{title(config_class)}"]
    for flag, text, default in _help_rows(config_class):
        lines += _two_columns(flag, f"{text} [{default}]" if default else text)
    lines += _two_columns(*_FLAGFILE)
    return "\n".join(lines)


def train_help(
    usage: str,
    methods: Mapping[str, type[MethodConfig]],
    datasets: Mapping[str, str],
    own: Sequence[type[Config]] = (),
) -> str:
    """The text of `--help` of munit_tf.train, or of another command that takes its flags.

    Args:
        usage: the text above the flags.
        methods: {name of a method: its config class}.
        datasets: {name: description}.
        own: config classes of the command's additional flags.
    """
    groups = [(title(cls), list(_help_rows(cls))) for cls in (*own, DataConfig, TrainConfig)]
    groups[-1][1][0] = ("--method", f"one of {', '.join(methods)}", "munit")
    rows: dict[str, tuple[str, dict[str, str]]] = {}
    for name, config_class in methods.items():
        for flag, text, default in _help_rows(config_class):
            rows.setdefault(flag, (text, {}))[1][name] = default
    method_rows = []
    for flag, (text, defaults) in rows.items():
        method_rows.append((flag, text, _by_method(defaults, methods)))
    groups.append(("Method (default by method)", method_rows))
    lines = [usage]
    for heading, group in groups:
        lines.append(f"\n{heading}")
        for flag, text, default in group:
            text = f"{text} [{default}]" if default else text
            lines += _two_columns(flag, text)
    lines.append("\nOther")
    lines += _two_columns(*_FLAGFILE)
    lines.append("\nData sets")
    for name, description in datasets.items():
        lines += _two_columns(name, description)
    return "\n".join(lines)


def _by_method(defaults: dict[str, str], methods: Mapping[str, type[MethodConfig]]) -> str:
    """`0.5` if all methods have the same default, else for example `munit unit 64, cyclegan 32`."""
    if len(defaults) == len(methods) and len(set(defaults.values())) == 1:
        return next(iter(defaults.values()))
    names: dict[str, list[str]] = {}
    for name, default in defaults.items():
        names.setdefault(default, []).append(name)
    return ", ".join(f"{' '.join(group)} {default}" for default, group in names.items() if default)


def _help_rows(config_class: type[Config]) -> Iterator[tuple[str, str, str]]:
    for field in dataclasses.fields(config_class):
        text = field.metadata["help"]
        if field.metadata["choices"] and not all(choice in text for choice in field.metadata["choices"]):
            text = f"{text}: {', '.join(field.metadata['choices'])}"
        if field.metadata["required"]:
            text += " (required)"
        yield f"--{field.name}", text, "" if field.default is None else to_text(field.default)


def _two_columns(flag: str, text: str) -> list[str]:
    indent = " " * 32
    body = textwrap.wrap(text, 68) or [""]
    lines = [indent + line for line in body]
    if len(flag) > 28:
        return [f"  {flag}", *lines]
    return [f"  {flag:<30}{body[0]}", *lines[1:]]
