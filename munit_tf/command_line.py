"""Command lines: absl flags made from the dataclasses of options, and back into them."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import textwrap
import typing

from absl import flags

from munit_tf.config import DataConfig, InputError, Options, TrainConfig, title, to_text

SHIPPED_FLAGS = pathlib.Path(__file__).resolve().parent.parent / "flags"


def parse(argv, methods, dataset_names=()):
    """The options that a command line gives.

    Args:
        argv: list of str, the arguments after the program's name.
        methods: {name of a method: its config class}.
        dataset_names: data sets whose flagfile in `flags/` applies where `argv` names no flagfile.

    Returns:
        (Options, path of the shipped flagfile that was applied, or None).

    Raises:
        InputError: on an unknown flag, a value out of range, or a flag of another method.
    """
    files, rest = _split_flagfiles(argv)
    values = _parse_values(files + rest, methods)
    shipped = None
    if not files and values["dataset"].value in dataset_names:
        prefix = "" if values["method"].value == "munit" else values["method"].value + "_"
        path = SHIPPED_FLAGS / f"{prefix}{values['dataset'].value}.flags"
        if path.exists():
            shipped = path
            values = _parse_values([f"--flagfile={path}"] + rest, methods)
    if files and values["output"].value and not any(a.lstrip("-").startswith("output") for a in rest):
        last = pathlib.Path(files[-1].partition("=")[2])
        if last.name == "run.flags":
            values["output"].value = str(last.parent)  # The run folder may have been moved.
    dataset = values["dataset"].value
    if dataset and dataset not in dataset_names and os.path.isdir(os.path.expanduser(dataset)):
        values["dataset"].value = os.path.abspath(os.path.expanduser(dataset))
    return _to_options(values, methods), shipped


def read_flagfile(path, methods):
    """The Options in the flagfile at `path`, as a run folder's `run.flags`."""
    return _to_options(_parse_values([f"--flagfile={path}"], methods), methods)


def help_text(usage, methods, datasets):
    """The text of `--help`: `usage`, each flag with its default, {name: description} of data sets."""
    groups = [(title(cls), list(_help_rows(cls))) for cls in (DataConfig, TrainConfig)]
    groups[1][1][0] = ("--method", f"one of {', '.join(methods)}", "munit")
    rows = {}
    for name, config_class in methods.items():
        for flag, text, default in _help_rows(config_class):
            rows.setdefault(flag, (text, {}))[1][name] = default
    method_rows = []
    for flag, (text, defaults) in rows.items():
        listed = ", ".join(f"{name} {default}" for name, default in defaults.items() if default)
        method_rows.append((flag, text, listed))
    groups.append(("The method's own (default by method)", method_rows))
    lines = [usage]
    for heading, group in groups:
        lines.append(f"\n{heading}")
        for flag, text, default in group:
            text = f"{text} [{default}]" if default else text
            lines += _two_columns(flag, text)
    lines.append("\nOther")
    lines += _two_columns("--flagfile", "file with one flag a line; a flag outside it wins")
    lines.append("\nData sets")
    for name, description in datasets.items():
        lines += _two_columns(name, description)
    return "\n".join(lines)


class _SizeParser(flags.ArgumentParser):
    """`256` or `192x256` -> (height, width)."""

    syntactic_help = "256 or 192x256 (height x width)"

    def parse(self, argument):
        parts = argument if isinstance(argument, tuple) else str(argument).lower().split("x")
        try:
            sides = tuple(int(part) for part in parts)
        except ValueError:
            sides = ()
        if len(sides) not in (1, 2) or min(sides) < 1:
            raise ValueError(f"must be {self.syntactic_help}")
        return sides if len(sides) == 2 else sides * 2


def _define(values, field, config_class, default):
    """Defines one flag; the config class checks its limits."""
    kind = typing.get_type_hints(config_class)[field.name]
    common = dict(name=field.name, default=default, help=field.metadata["help"], flag_values=values)
    if kind is tuple:
        flags.DEFINE(_SizeParser(), **common)
    else:
        {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float}.get(
            kind, flags.DEFINE_string
        )(**common)


def _parse_values(argv, methods):
    values = flags.FlagValues()
    for config_class in (DataConfig, TrainConfig):
        for field in dataclasses.fields(config_class):
            if field.name == "method":
                flags.DEFINE_enum("method", field.default, list(methods), "", flag_values=values)
            else:
                _define(values, field, config_class, field.default)
    for config_class in methods.values():
        for field in dataclasses.fields(config_class):
            if field.name not in values:
                _define(values, field, config_class, None)
    try:
        extra = values(["munit_tf"] + list(argv))[1:]
    except flags.Error as error:
        raise InputError(f"{_one_line(error)} (--help lists the flags)") from None
    if extra:
        raise InputError(
            f"unexpected argument {extra[0]!r}: flags are written --name=value (--help lists them)"
        )
    return values


def _to_options(values, methods):
    method = values["method"].value
    own = {field.name for field in dataclasses.fields(methods[method])}
    for other, config_class in methods.items():
        for field in dataclasses.fields(config_class):
            if field.name not in own and values[field.name].value is not None:
                raise InputError(f"--{field.name} is not a flag of --method={method}; {other} has it")
    data, train = (
        config_class(**{field.name: _value(values, field) for field in dataclasses.fields(config_class)})
        for config_class in (DataConfig, TrainConfig)
    )
    if train.output is None:
        name = pathlib.Path(data.dataset).name if data.dataset else "images"
        train = dataclasses.replace(train, output=os.path.abspath(f"runs/{name}-{method}"))
    given = {
        field.name: _value(values, field)
        for field in dataclasses.fields(methods[method])
        if values[field.name].value is not None
    }
    return Options(data=data, train=train, model=methods[method](**given))


def _value(values, field):
    value = values[field.name].value
    if not field.metadata["path"] or not value:
        return value
    if "://" in value:
        raise InputError(f"--{field.name}={value}: files must be on this machine")
    return os.path.abspath(os.path.expanduser(value))


def _split_flagfiles(argv):
    """`argv` as (its --flagfile arguments, the rest).

    By absl alone the last of two values wins; read first, a flagfile never overrides the command line.
    """
    files, rest, arguments = [], [], iter(argv)
    for argument in arguments:
        if argument in ("--flagfile", "-flagfile"):
            files.append(f"--flagfile={next(arguments, '')}")
        elif argument.startswith(("--flagfile=", "-flagfile=")):
            files.append(f"--flagfile={argument.partition('=')[2]}")
        else:
            rest.append(argument)
    if "--flagfile=" in files:
        raise InputError("--flagfile needs the name of a file")
    return files, rest


def _one_line(error):
    return " ".join(str(error).removeprefix("ERROR:: ").split())


def _help_rows(config_class):
    for field in dataclasses.fields(config_class):
        text = field.metadata["help"]
        if field.metadata["choices"] and not all(choice in text for choice in field.metadata["choices"]):
            text = f"{text}: {', '.join(field.metadata['choices'])}"
        yield f"--{field.name}", text, "" if field.default is None else to_text(field.default)


def _two_columns(flag, text):
    indent = " " * 32
    body = textwrap.wrap(text, 68) or [""]
    lines = [indent + line for line in body]
    if len(flag) > 28:
        return [f"  {flag}", *lines]
    return [f"  {flag:<30}{body[0]}", *lines[1:]]
