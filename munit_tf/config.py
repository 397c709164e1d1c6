"""Typed options: frozen dataclasses, whose fields say all there is to say about an option."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterable
from typing import Any, Optional

from munit_tf.terminal import CONTROL_CHARACTERS, SURROGATES

_LONGEST_PATH = 4096  # In bytes, as is the next; Linux's own limits.
_LONGEST_NAME = 255
MOST_STEPS = 10**12


class InputError(ValueError):
    """Something that the user can mend; a command prints it as one line and ends with status 2."""


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


@dataclasses.dataclass(frozen=True)
class DataConfig(Config):
    """Images."""

    dataset: Optional[str] = option(None, "name of a data set, or a folder with trainA trainB testA testB")
    train_a: Optional[str] = option(
        None, "instead of --dataset: folder, glob or text file of paths", path=True
    )
    train_b: Optional[str] = option(None, "the same for domain b", path=True)
    test_a: Optional[str] = option(
        None, "test images of a: for sample grids (default: training images) and evaluation", path=True
    )
    test_b: Optional[str] = option(None, "the same for domain b", path=True)
    paired: bool = option(False, "pair images of a and b by file name, for supervised methods")
    data_dir: Optional[str] = option(
        None, "where downloads and prepared data go (default: ~/tensorflow_datasets)", path=True
    )
    mirror: Optional[str] = option(
        None,
        "address to fetch the pix2pix archives from, instead of their authors' server",
        may_change=True,
    )
    unreadable: str = option(
        "error",
        "images that cannot be decoded: error: training stops there and names it; skip: the next one that "
        "can takes its place, and each is named once",
        choices=("error", "skip"),
        may_change=True,
    )
    resize: int = option(
        256, "shorter side after resizing, in pixels", minimum=1, maximum=13_000, memory=True
    )
    image_size: tuple = option(
        (256, 256),
        "random crop after resizing, in pixels: 256 or 192x256 (height x width)",
        minimum=1,
        maximum=65_536,
        memory=True,
    )


@dataclasses.dataclass(frozen=True)
class TrainConfig(Config):
    """Training."""

    method: str = option("munit", "which method")
    steps: int = option(1_000_000, "train until this step", minimum=1, maximum=MOST_STEPS, may_change=True)
    batch_size: int = option(
        1, "images of each domain in one step, over all replicas", minimum=1, maximum=65_536, memory=True
    )
    seed: int = option(
        0,
        "of the initial weights, the order of images, crops, flips and styles",
        minimum=0,
        maximum=2**32 - 1,
    )
    output: Optional[str] = option(
        None,
        "run folder, also gs://BUCKET/FOLDER (default: runs/DATASET-METHOD)",
        path=True,
        remote=True,
        may_change=True,
    )
    resume: str = option(
        "auto",
        "auto: go on if the run folder has a checkpoint, else start; never: refuse a used folder; must: "
        "refuse a folder without a checkpoint",
        choices=("auto", "never", "must"),
        may_change=True,
        recorded=False,
    )
    strategy: str = option(
        "auto",
        "auto: all GPUs of this machine, else one device; mirrored: MirroredStrategy over all devices; "
        "multiworker: MultiWorkerMirroredStrategy over the machines in TF_CONFIG; none: one device",
        choices=("auto", "mirrored", "multiworker", "none"),
        may_change=True,
    )
    precision: str = option(
        "float32",
        "of the networks; float16 comes with loss scaling",
        choices=("float32", "bfloat16", "float16"),
    )
    jit_compile: bool = option(False, "compile the step with XLA")
    recompute: bool = option(
        False,
        "make results inside the networks again for the gradient: less memory for more time",
        may_change=True,
        memory=True,
    )
    log_every: int = option(
        100,
        "steps between lines of log.jsonl and TensorBoard points",
        minimum=1,
        maximum=MOST_STEPS,
        may_change=True,
    )
    sample_every: int = option(
        1000, "steps between sample grids", minimum=1, maximum=MOST_STEPS, may_change=True
    )
    checkpoint_every: int = option(
        5000, "steps between checkpoints", minimum=1, maximum=MOST_STEPS, may_change=True
    )
    keep_checkpoints: int = option(
        5, "how many of the newest checkpoints to keep", minimum=1, maximum=MOST_STEPS, may_change=True
    )
    on_nan: str = option(
        "stop",
        "when a loss or a weight is NaN or infinite; stop: end with an error; rollback: go on from the last "
        "checkpoint with other images and noise, at most twice from the same one",
        choices=("stop", "rollback"),
        may_change=True,
    )


@dataclasses.dataclass(frozen=True)
class Options:
    """All options of a run: the images, the training, and the method's own."""

    data: DataConfig
    train: TrainConfig
    model: Any

    def validate(self) -> None:
        """Checks what training depends on beyond each option's own range.

        Raises:
            InputError: options do not fit one another.
        """
        check_sizes(self.data.resize, self.data.image_size)
        self.model.check_run(self.data, self.train)
        self.model.check_size(*self.data.image_size)
        if self.train.strategy == "multiworker" and self.train.on_nan == "rollback":
            raise InputError("--on_nan=rollback is not available with --strategy=multiworker")

    def to_flagfile(self):
        """The text of a flagfile that repeats the run: `flagfiles.read` gives every value back as it is."""
        lines = ["# All options of this run. To repeat it: --flagfile=THIS_FILE --output=ANOTHER_FOLDER"]
        for config in (self.data, self.train, self.model):
            lines.append(f"\n# {title(type(config))}")
            for field in dataclasses.fields(config):
                value = getattr(config, field.name)
                if value is not None and field.metadata["recorded"]:
                    lines.append(f"--{field.name}={to_text(value)}")
        return "\n".join(lines) + "\n"

    def changed_since(self, old):
        """Names of the flags that differ from `old`'s and may not, in a run that is resumed.

        A run without images, whose weights were imported, may be given some.
        """
        names = []
        pairs = [(self.train, old.train), (self.model, old.model)]
        if old.data.dataset or old.data.train_a:
            pairs.insert(0, (self.data, old.data))
        for mine, theirs in pairs:
            if type(mine) is not type(theirs):
                return ["method"]
            for field in dataclasses.fields(mine):
                differs = getattr(mine, field.name) != getattr(theirs, field.name)
                if differs and not field.metadata["may_change"]:
                    names.append(field.name)
        return names


def check_sizes(resize: int, image_size: tuple[int, int]) -> None:
    """Refuses sizes that fit no image.

    The shorter side becomes `resize` and the longer one may be anything above. So only a crop whose two sides
    both exceed `resize` fits no image; other misfits depend on the image and are found there.

    Args:
        resize: the shorter side after resizing, in pixels.
        image_size: (height, width) of the crop, in pixels.

    Raises:
        InputError: no image can be cropped to the size.
    """
    height, width = image_size
    if min(resize, height, width) < 1:
        raise InputError(f"--resize={resize} --image_size={height}x{width}: sizes must be 1 pixel or more")
    if min(height, width) > resize:
        raise InputError(
            f"--image_size={height}x{width} does not fit in images whose shorter side is "
            f"--resize={resize}: set --resize to {min(height, width)} or more"
        )


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
