"""Command lines: absl flags made from the dataclasses of options, and back into them."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import os
import pathlib
import sys
import typing
from collections.abc import Iterator

from absl import flags

from munit_tf import machine
from munit_tf.cli import flagfiles
from munit_tf.cli.help import command_help, train_help
from munit_tf.config.options import DataConfig, Options, TrainConfig
from munit_tf.config.schema import Config, less_memory, text_problem, to_text, without_none
from munit_tf.errors import InputError
from munit_tf.storage.paths import absolute, is_remote, to_path
from munit_tf.terminal import say, shortened

SHIPPED_FLAGS = (pathlib.Path(__file__).parent.parent / "flags").resolve()


def parse(argv, methods, dataset_names=(), known=()):
    """The options that a command line gives.

    Args:
        argv: list of str, the arguments after the program's name.
        methods: {name of a method: its config class}.
        dataset_names: data sets whose flagfile in `flags/` applies where `argv` names no flagfile.
        known: {name: value} of options of the method that trained weights have settled; a shipped
            flagfile does not change them.

    Returns:
        (Options, path of the shipped flagfile that was applied, or None).

    Raises:
        InputError: on an unknown flag, a value out of range, a flag of another method, or one that
            differs from what is known; or where the folder of shipped flagfiles is missing.
    """
    files, rest = _split_flagfiles(argv)
    values = _parse_values(_contents(files) + rest, methods)
    known = dict(known)
    for name, value in known.items():
        if values[name].value not in (None, value):
            given = to_text(values[name].value)
            raise InputError(f"--{name}={given} does not fit: the weights have {name} {to_text(value)}")
    shipped = None
    if not files and values["dataset"].value in dataset_names:
        if not SHIPPED_FLAGS.is_dir():
            raise InputError(
                f"--dataset={values['dataset'].value}: its settings are in {SHIPPED_FLAGS}, which is absent: "
                "install munit_tf from a checkout with pip install --editable, or name a --flagfile"
            )
        prefix = "" if values["method"].value == "munit" else values["method"].value + "_"
        path = SHIPPED_FLAGS / f"{prefix}{values['dataset'].value}.flags"
        if path.exists():
            shipped = path
            values = _parse_values(flagfiles.read(str(path)) + rest, methods)
    for name, value in known.items():
        values[name].value = value
    if files and values["output"].value and not any(a.lstrip("-").startswith("output") for a in rest):
        last = to_path(absolute(files[-1]))
        if last.name == "run.flags":
            values["output"].value = str(last.parent)  # The run folder may have been moved.
    dataset = values["dataset"].value
    if dataset and dataset not in dataset_names and not is_remote(dataset):
        folder = _absolute("dataset", dataset)
        if os.path.isdir(folder):
            values["dataset"].value = folder
    return _to_options(values, methods), shipped


def read_flagfile(path, methods):
    """The Options in the flagfile at `path`, as a run folder's `run.flags`."""
    return _to_options(_parse_values(flagfiles.read(str(path)), methods), methods)


class Outcome:
    """How a command ends.

    Attributes:
        status: the exit status.
    """

    status = 0


@contextlib.contextmanager
def errors_reported(program: str, *config_classes: type[Config]) -> Iterator[Outcome]:
    """Runs a command's block: an InputError in it becomes one line and status 2, Ctrl-C status 130.

    Args:
        program: its name in messages.
        *config_classes: the Configs whose options a message names where memory runs out.

    Yields:
        The Outcome, whose status the block may set.
    """
    outcome = Outcome()
    try:
        with machine.enough(less_memory(*config_classes)):
            yield outcome
    except InputError as error:
        say(f"{program}: {shortened(str(error))}", file=sys.stderr)
        outcome.status = 2
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        outcome.status = 130


def run_command(program, usage, config_class, job, argv):
    """A whole command whose flags are one dataclass' fields.

    Args:
        program: its name in messages, such as "munit_tf.translate".
        usage: the text above the flags in `--help`.
        config_class: a Config.
        job: called with the config; what it returns is the exit status, None for 0.
        argv: list of str, the arguments after the program's name.

    Returns:
        The exit status.
    """
    if wants_help(argv):
        print(command_help(usage, config_class))
        return 0
    with errors_reported(program, config_class) as outcome:
        outcome.status = job(parse_command(argv, config_class)) or 0
    return outcome.status


def run_training_command(program, usage, config_class, job, argv, methods, datasets):
    """A whole command that takes munit_tf.train's flags, and those of one dataclass besides.

    Args:
        program: its name in messages.
        usage: the text above the flags in `--help`.
        config_class: a Config.
        job: called with the config and the Options; what it returns is the exit status, None for 0.
        argv: list of str, the arguments after the program's name.
        methods: {name of a method: its config class}.
        datasets: {name: description}.

    Returns:
        The exit status.
    """
    if wants_help(argv):
        print(train_help(usage, methods, datasets, own=[config_class]))
        return 0

    with errors_reported(program, config_class, DataConfig, TrainConfig) as outcome:
        config, rest = parse_some(argv, config_class)
        options, shipped = parse(rest, methods, datasets)
        if shipped:
            say(f"using {os.path.relpath(shipped)}", file=sys.stderr)
        outcome.status = job(config, options) or 0
    return outcome.status


def wants_help(argv):
    """Whether a command line asks for help."""
    return bool({"--help", "-h", "-help", "--helpfull"} & set(argv))


def parse_command(argv, config_class):
    """The config that a command line gives, where all flags are one dataclass' fields.

    Raises:
        InputError: on an unknown flag, a value out of range, or a required flag that is missing.
    """
    values = _define_all(config_class)
    files, rest = _split_flagfiles(argv)
    _parse_all_into(values, _contents(files) + rest)
    return _make(config_class, values)


def parse_some(argv, config_class):
    """(the config that some flags of a command line give, the other arguments in their order).

    Raises:
        InputError: on a value out of range, or a required flag that is missing.
    """
    values = _define_all(config_class)
    values.set_gnu_getopt(True)  # Flags may follow an argument that is none of these flags.
    files, rest = _split_flagfiles(argv)
    others = _parse_into(values, rest)
    return _make(config_class, values), [f"--flagfile={name}" for name in files] + others


class _Flags(flags.FlagValues):
    """Flags whose parser opens no flagfiles, which `flagfiles` reads instead."""

    def read_flags_from_files(self, argv, force_gnu=True):
        return list(argv)


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


def _define_all(config_class):
    values = _Flags()
    for field in dataclasses.fields(config_class):
        _define(values, field, config_class, field.default)
    return values


def _define(values, field, config_class, default):
    """Defines one flag; the config class checks its limits."""
    kind = without_none(typing.get_type_hints(config_class)[field.name])
    if kind == tuple[str, ...] and default is not None:
        default = list(default)
    common = dict(name=field.name, default=default, help=field.metadata["help"], flag_values=values)
    if kind is tuple:
        flags.DEFINE(_SizeParser(), **common)
    else:
        define = {
            bool: flags.DEFINE_bool,
            int: flags.DEFINE_integer,
            float: flags.DEFINE_float,
            str: flags.DEFINE_string,
            tuple[str, ...]: flags.DEFINE_list,
        }[kind]
        define(**common)


def _parse_values(argv, methods):
    values = _Flags()
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
    _parse_all_into(values, argv)
    return values


def _parse_all_into(values: _Flags, arguments: list[str]) -> None:
    """Sets flags; raises InputError for an argument that is not one of them."""
    others = [argument for argument in _parse_into(values, arguments) if argument != "--"]
    if others and _name(others[0]):
        raise _unknown(others[0], values)
    if others:
        raise InputError(
            f"unexpected argument {others[0]!r}: flags are written --name=value (--help lists them)"
        )


def _parse_into(values: _Flags, arguments: list[str]) -> list[str]:
    """Sets flags; returns the other arguments."""
    for argument in arguments:
        if _name(argument) == "undefok":  # absl would then ignore unknown flags.
            raise _unknown(argument, values)
    try:
        others = values(["munit_tf", *arguments], known_only=True)[1:]
    except (flags.Error, ValueError) as error:
        raise InputError(f"{_one_line(error)} (--help lists the flags)") from None
    for name in values:
        value = values[name].value
        for text in value if isinstance(value, list) else [value]:
            problem = text_problem(text) if isinstance(text, str) else None
            if problem:
                raise InputError(f"--{name}={text}: {problem}")
    return others


def _name(argument: str) -> str:
    """The name of a flag, known or not; "" for any other argument."""
    return argument.lstrip("-").partition("=")[0] if argument.startswith("-") else ""


def _unknown(argument, values):
    # absl's own comparison takes minutes for a name of megabytes.
    alike = difflib.get_close_matches(_name(argument), list(values))
    hint = f". Did you mean: {', '.join(alike)} ?" if alike else ""
    return InputError(f"Unknown command line flag '{_name(argument)}'{hint} (--help lists the flags)")


def _to_options(values, methods):
    method = values["method"].value
    own = {field.name for field in dataclasses.fields(methods[method])}
    for other, config_class in methods.items():
        for field in dataclasses.fields(config_class):
            if field.name not in own and values[field.name].value is not None:
                raise InputError(f"--{field.name} is not a flag of --method={method}; {other} has it")
    data, train = (_make(config_class, values) for config_class in (DataConfig, TrainConfig))
    if train.output is None:
        name = pathlib.Path(data.dataset).name if data.dataset else "images"
        train = dataclasses.replace(train, output=os.path.abspath(f"runs/{name}-{method}"))
    given = {
        field.name: _value(values, field)
        for field in dataclasses.fields(methods[method])
        if values[field.name].value is not None
    }
    return Options(data=data, train=train, model=methods[method](**given))


def _make(config_class, values):
    return config_class(**{field.name: _value(values, field) for field in dataclasses.fields(config_class)})


def _value(values, field):
    value = values[field.name].value
    if isinstance(value, list):
        return tuple(_path(field, each) for each in value)
    return _path(field, value)


def _path(field, value):
    """A flag's value, or the absolute path where it is a path."""
    if not field.metadata["path"] or not value:
        return value
    if is_remote(value) and not field.metadata["remote"]:
        raise InputError(f"--{field.name}={value}: files must be on this machine")
    return _absolute(field.name, value)


def _absolute(name, value):
    try:
        return absolute(value)
    except InputError as error:
        raise InputError(f"--{name}={error}") from None


def _split_flagfiles(argv):
    """`argv` as (the names of its flagfiles, the rest).

    The last of two values wins; read first, a flagfile never overrides the command line.
    """
    files, rest, arguments = [], [], iter(argv)
    for argument in arguments:
        name = flagfiles.name_in(argument)
        if name is None:
            rest.append(argument)
        else:
            files.append(name if "=" in argument else next(arguments, ""))
    return files, rest


def _contents(files):
    return [argument for name in files for argument in flagfiles.read(name)]


def _one_line(error):
    return " ".join(str(error).removeprefix("ERROR:: ").split())
