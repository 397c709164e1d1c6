"""Command lines: absl flags made from the dataclasses of options, and back into them."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import sys
import typing

from absl import flags

from munit_tf.config import DataConfig, InputError, Options, TrainConfig, to_text, without_none
from munit_tf.help_pages import command_help, train_help
from munit_tf.paths import absolute, is_remote, to_path

SHIPPED_FLAGS = pathlib.Path(__file__).resolve().parent.parent / "flags"


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
    values = _parse_values(files + rest, methods)
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
            values = _parse_values([f"--flagfile={path}"] + rest, methods)
    for name, value in known.items():
        values[name].value = value
    if files and values["output"].value and not any(a.lstrip("-").startswith("output") for a in rest):
        last = to_path(files[-1].partition("=")[2])
        if last.name == "run.flags":
            values["output"].value = str(last.parent)  # The run folder may have been moved.
    dataset = values["dataset"].value
    if dataset and dataset not in dataset_names and os.path.isdir(os.path.expanduser(dataset)):
        values["dataset"].value = os.path.abspath(os.path.expanduser(dataset))
    return _to_options(values, methods), shipped


def read_flagfile(path, methods):
    """The Options in the flagfile at `path`, as a run folder's `run.flags`."""
    return _to_options(_parse_values([f"--flagfile={path}"], methods), methods)


def run(program, job):
    """Calls `job` as a command: its status, or 2 and one line for an InputError, 130 for Ctrl-C."""
    try:
        return job() or 0
    except InputError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 130


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
    return run(program, lambda: job(parse_command(argv, config_class)))


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

    def parsed():
        config, rest = parse_some(argv, config_class)
        options, shipped = parse(rest, methods, datasets)
        if shipped:
            print(f"using {os.path.relpath(shipped)}", file=sys.stderr)
        return job(config, options)

    return run(program, parsed)


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
    _parse_into(values, files + rest)
    return _make(config_class, values)


def parse_some(argv, config_class):
    """(the config that some flags of a command line give, the other arguments in their order).

    Raises:
        InputError: on a value out of range, or a required flag that is missing.
    """
    values = _define_all(config_class)
    values.set_gnu_getopt(True)  # Flags may follow an argument that is none of these flags.
    files, rest = _split_flagfiles(argv)
    try:
        others = values(["munit_tf"] + rest, known_only=True)[1:]
    except flags.Error as error:
        raise InputError(f"{_one_line(error)} (--help lists the flags)") from None
    return _make(config_class, values), files + others


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
    values = flags.FlagValues()
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
    _parse_into(values, argv)
    return values


def _parse_into(values, argv):
    arguments = [each for argument in argv for each in _with_remote_file(argument)]
    try:
        extra = values(["munit_tf"] + arguments)[1:]
    except flags.Error as error:
        raise InputError(f"{_one_line(error)} (--help lists the flags)") from None
    if extra:
        raise InputError(
            f"unexpected argument {extra[0]!r}: flags are written --name=value (--help lists them)"
        )


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
        return tuple(value)
    if not field.metadata["path"] or not value:
        return value
    if is_remote(value) and not field.metadata["remote"]:
        raise InputError(f"--{field.name}={value}: files must be on this machine")
    return absolute(value)


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


def _with_remote_file(argument):
    """What absl makes of a flagfile, which it opens on this machine alone; else just the argument."""
    flag, _, path = argument.partition("=")
    if flag != "--flagfile" or not is_remote(path):
        return [argument]
    try:
        lines = [line.strip() for line in to_path(path).read_text().splitlines()]
    except FileNotFoundError:
        raise InputError(f"{argument}: there is no such file") from None
    return [line for line in lines if line and not line.startswith(("#", "//"))]


def _one_line(error):
    return " ".join(str(error).removeprefix("ERROR:: ").split())
