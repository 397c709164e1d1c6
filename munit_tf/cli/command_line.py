"""Command lines: defines absl flags from the option dataclasses and parses them back into these."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import os
import pathlib
import sys
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, Optional

from absl import flags

from munit_tf import machine
from munit_tf.cli import flagfiles
from munit_tf.cli.help import command_help, train_help
from munit_tf.config.options import RECIPES, DataConfig, Options, TrainConfig
from munit_tf.config.schema import Config, MethodConfig, less_memory, text_problem, to_text, without_none
from munit_tf.errors import InputError
from munit_tf.storage.paths import RemotePath, absolute, is_remote, to_path
from munit_tf.terminal import say, shortened

ConfigType = typing.TypeVar("ConfigType", bound=Config)

SHIPPED_FLAGS = (pathlib.Path(__file__).parent.parent / "flags").resolve()


Methods = Mapping[str, type[MethodConfig]]


def parse(
    argv: Sequence[str],
    methods: Methods,
    dataset_names: Collection[str] = (),
    known: Optional[Mapping[str, Any]] = None,
) -> tuple[Options, list[pathlib.Path]]:
    """Parses a command line into options.

    Args:
        argv: the arguments after the program's name.
        methods: {name of a method: its config class}.
        dataset_names: data sets whose flagfile in `flags/` applies if `argv` names no flagfile.
        known: {name: value} of the method's options that trained weights determine; a shipped
            flagfile does not change them.

    Returns:
        (Options, paths of the shipped flagfiles that were applied: the data set's, then the recipe's).

    Raises:
        InputError: an unknown flag, a value out of range, a flag of another method, or a value that
            differs from `known`; or the folder of shipped flagfiles is missing.
    """
    files, rest = _split_flagfiles(argv)
    given = _contents(files) + rest
    values = _parse_values(given, methods)
    known = known or {}
    for name, value in known.items():
        if values[name].value not in (None, value):
            wrong = f"--{name}={to_text(values[name].value)}"
            raise InputError(f"{wrong} does not fit: the weights have {name} {to_text(value)}")
    shipped: list[pathlib.Path] = []
    if not files and values["dataset"].value in dataset_names:
        if not SHIPPED_FLAGS.is_dir():
            raise InputError(
                f"--dataset={values.dataset}: the folder with its settings, {SHIPPED_FLAGS}, is missing: "
                "reinstall munit_tf, or name a --flagfile"
            )
        prefix = "" if values.method == "munit" else f"{values.method}_"
        path = SHIPPED_FLAGS / f"{prefix}{values.dataset}.flags"
        if path.exists():
            shipped.append(path)
    if values["recipe"].value and any(pathlib.PurePath(name).name == "run.flags" for name in files):
        raise InputError(
            "--recipe has no effect with a run.flags, which sets every flag: leave out one of them"
        )
    if values["recipe"].value in RECIPES:
        shipped.append(SHIPPED_FLAGS / "recipes" / f"{values.recipe}.flags")
    if shipped:
        values = _parse_values([*_contents(map(str, shipped)), *given], methods)
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


def say_shipped(paths: Iterable[pathlib.Path]) -> None:
    """Says on standard error which shipped flagfiles are used."""
    for path in paths:
        say(f"using {os.path.relpath(path)}", file=sys.stderr)


def read_flagfile(path: str | os.PathLike | RemotePath, methods: Methods) -> Options:
    """Reads Options from a flagfile, for example a run folder's `run.flags`.

    Raises:
        InputError: the file cannot be read, or holds invalid flags.
    """
    return _to_options(_parse_values(flagfiles.read(str(path)), methods), methods)


class Outcome:
    """The result of a command.

    Attributes:
        status: the exit status.
    """

    status: int = 0


@contextlib.contextmanager
def errors_reported(program: str, *config_classes: type[Config]) -> Iterator[Outcome]:
    """Reports a command's errors: an InputError as one line with status 2, Ctrl-C with status 130.

    Args:
        program: the command's name in messages.
        *config_classes: the Configs whose options the message suggests when memory runs out.

    Yields:
        The Outcome; the block may set its status.
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


def run_command(
    program: str,
    usage: str,
    config_class: type[ConfigType],
    job: Callable[[ConfigType], Optional[int]],
    argv: Sequence[str],
) -> int:
    """Runs a command whose flags are the fields of one dataclass.

    Args:
        program: the command's name in messages, for example "munit_tf.translate".
        usage: the text above the flags in `--help`.
        config_class: the class of the flags.
        job: takes the config; returns the exit status, or None for 0.
        argv: the arguments after the program's name.

    Returns:
        The exit status.
    """
    if wants_help(argv):
        print(command_help(usage, config_class))
        return 0
    with errors_reported(program, config_class) as outcome:
        outcome.status = job(parse_command(argv, config_class)) or 0
    return outcome.status


def run_training_command(
    program: str,
    usage: str,
    config_class: type[ConfigType],
    job: Callable[[ConfigType, Options], Optional[int]],
    argv: Sequence[str],
    methods: Methods,
    datasets: Mapping[str, str],
) -> int:
    """Runs a command that takes munit_tf.train's flags in addition to those of one dataclass.

    Args:
        program: the command's name in messages.
        usage: the text above the flags in `--help`.
        config_class: the class of the additional flags.
        job: takes the config and the Options; returns the exit status, or None for 0.
        argv: the arguments after the program's name.
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
        say_shipped(shipped)
        outcome.status = job(config, options) or 0
    return outcome.status


def wants_help(argv: Sequence[str]) -> bool:
    """Whether a command line asks for help."""
    return bool({"--help", "-h", "-help", "--helpfull"} & set(argv))


def parse_command(argv: Sequence[str], config_class: type[ConfigType]) -> ConfigType:
    """Parses a command line whose flags are the fields of one dataclass.

    Raises:
        InputError: an unknown flag, a value out of range, or a required flag that is missing.
    """
    values = _define_all(config_class)
    files, rest = _split_flagfiles(argv)
    _parse_all_into(values, _contents(files) + rest)
    return _make(config_class, values)


def parse_some(argv: Sequence[str], config_class: type[ConfigType]) -> tuple[ConfigType, list[str]]:
    """Parses the flags of one dataclass; returns (the config, the other arguments in order).

    Raises:
        InputError: a value out of range, or a required flag that is missing.
    """
    values = _define_all(config_class)
    values.set_gnu_getopt(True)  # Continues after an argument that is none of these flags.
    files, rest = _split_flagfiles(argv)
    others = _parse_into(values, rest)
    return _make(config_class, values), [f"--flagfile={name}" for name in files] + others


class _Flags(flags.FlagValues):
    """Flags whose parser opens no flagfiles: `flagfiles` reads them."""

    def read_flags_from_files(self, argv: Sequence[str], force_gnu: bool = True) -> list[str]:
        return list(argv)


class _SizeParser(flags.ArgumentParser):
    """`256` or `192x256` -> (height, width)."""

    syntactic_help = "256 or 192x256 (height x width)"

    def parse(self, argument: str | tuple[int, int]) -> tuple[int, ...]:
        parts = argument if isinstance(argument, tuple) else str(argument).lower().split("x")
        try:
            sides = tuple(int(part) for part in parts)
        except ValueError:
            sides = ()
        if len(sides) not in (1, 2) or min(sides) < 1:
            raise ValueError(f"must be {self.syntactic_help}")
        return sides if len(sides) == 2 else sides * 2


def _define_all(config_class: type[Config]) -> _Flags:
    values = _Flags()
    for field in dataclasses.fields(config_class):
        _define(values, field, config_class, field.default)
    return values


def _define(values: _Flags, field: dataclasses.Field, config_class: type[Config], default: Any) -> None:
    """Defines one flag; the config class checks its limits."""
    kind = without_none(typing.get_type_hints(config_class)[field.name])
    if kind == tuple[str, ...] and default is not None:
        default = list(default)
    common = dict(name=field.name, default=default, help=field.metadata["help"], flag_values=values)
    if kind is tuple:
        flags.DEFINE(_SizeParser(), **common)
    else:
        definitions: dict[Any, Callable[..., Any]] = {
            bool: flags.DEFINE_bool,
            int: flags.DEFINE_integer,
            float: flags.DEFINE_float,
            str: flags.DEFINE_string,
            tuple[str, ...]: flags.DEFINE_list,
        }
        definitions[kind](**common)


def _parse_values(argv: list[str], methods: Methods) -> _Flags:
    values = _Flags()
    config_classes: tuple[type[Config], ...] = (DataConfig, TrainConfig)
    for config_class in config_classes:
        for field in dataclasses.fields(config_class):
            if field.name == "method":
                flags.DEFINE_enum("method", "munit", list(methods), "", flag_values=values)
            else:
                _define(values, field, config_class, field.default)
    for config_class in methods.values():
        for field in dataclasses.fields(config_class):
            if field.name not in values:
                _define(values, field, config_class, None)
    _parse_all_into(values, argv)
    return values


def _parse_all_into(values: _Flags, arguments: list[str]) -> None:
    """Sets flags; raises InputError for an argument that is not a flag."""
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
        if _name(argument) == "undefok":  # With it absl ignores unknown flags.
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
    """The name in an argument that looks like a flag; "" for any other argument."""
    return argument.lstrip("-").partition("=")[0] if argument.startswith("-") else ""


def _unknown(argument: str, values: _Flags) -> InputError:
    # absl's own search for similar names takes minutes for a name of several megabytes.
    similar = difflib.get_close_matches(_name(argument), list(values))
    hint = f". Did you mean: {', '.join(similar)} ?" if similar else ""
    return InputError(f"Unknown command line flag '{_name(argument)}'{hint} (--help lists the flags)")


def _to_options(values: _Flags, methods: Methods) -> Options:
    method = values.method
    own = {field.name for field in dataclasses.fields(methods[method])}
    for other, config_class in methods.items():
        for field in dataclasses.fields(config_class):
            if field.name not in own and values[field.name].value is not None:
                raise InputError(f"--{field.name} is a flag of --method={other}, not of --method={method}")
    data, train = _make(DataConfig, values), _make(TrainConfig, values)
    if train.output is None:
        name = pathlib.Path(data.dataset).name if data.dataset else "images"
        train = dataclasses.replace(train, output=os.path.abspath(f"runs/{name}-{method}"))
    given = {
        field.name: _value(values, field)
        for field in dataclasses.fields(methods[method])
        if values[field.name].value is not None
    }
    return Options(data=data, train=train, model=methods[method](**given))


def _make(config_class: type[ConfigType], values: _Flags) -> ConfigType:
    return config_class(**{field.name: _value(values, field) for field in dataclasses.fields(config_class)})


def _value(values: _Flags, field: dataclasses.Field) -> Any:
    value = values[field.name].value
    if isinstance(value, list):
        return tuple(_path(field, each) for each in value)
    return _path(field, value)


def _path(field: dataclasses.Field, value: Any) -> Any:
    """The value of a flag, made absolute if it is a path."""
    if not field.metadata["path"] or not value or value in field.metadata["names"]:
        return value
    if is_remote(value) and not field.metadata["remote"]:
        raise InputError(f"--{field.name}={value}: files must be on this machine")
    return _absolute(field.name, value)


def _absolute(name: str, value: str) -> str:
    try:
        return absolute(value)
    except InputError as error:
        raise InputError(f"--{name}={error}") from None


def _split_flagfiles(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Splits `argv` into (the names of its flagfiles, the rest).

    The last of two values wins. Flagfiles are read first, so they never override the command line.
    """
    files: list[str] = []
    rest: list[str] = []
    arguments = iter(argv)
    for argument in arguments:
        name = flagfiles.name_in(argument)
        if name is None:
            rest.append(argument)
        else:
            files.append(name if "=" in argument else next(arguments, ""))
    return files, rest


def _contents(files: Iterable[str]) -> list[str]:
    return [argument for name in files for argument in flagfiles.read(name)]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).removeprefix("ERROR:: ").split())
