"""Converts a checkpoint of MUNIT's authors to a run folder: `python -m munit_tf.import_official --help`."""

import dataclasses
import os
import pathlib
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Optional

# Set before TensorFlow is imported: shows only its fatal messages.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from munit_tf.cli import command_line, help
from munit_tf.config.options import Options, check_sizes
from munit_tf.config.schema import MOST_STEPS, Config, option, to_text
from munit_tf.errors import InputError
from munit_tf.terminal import say

USAGE = """\
Converts a checkpoint of the authors' PyTorch implementation of MUNIT to a run folder.

  python -m munit_tf.import_official --generator=gen_01000000.pt --output=RUN
  python -m munit_tf.import_official --generator=gen_01000000.pt --discriminator=dis_01000000.pt \\
      --dataset=FOLDER --resize=256 --image_size=256 --cycle_weight=10 --output=RUN

The files determine the sizes of the networks. All other options (images and their size, padding,
activations, loss, loss weights, learning rate) are flags of munit_tf.train. PyTorch is required:
pip install 'torch>=2.6'"""
PROGRAM = "munit_tf.import_official"
_DEFAULT_STEP = "because neither --step nor a name like gen_01000000.pt gives it"
# Options that change the results and that a file may not determine.
_HIDDEN = {
    "generator": ("gen_activation", "gen_padding"),
    "discriminator": ("dis_norm", "dis_activation", "dis_padding", "gan_loss"),
}


@dataclasses.dataclass(frozen=True)
class ImportConfig(Config):
    """Files of the authors."""

    generator: str = option(None, "gen_*.pt, the file of both generators", path=True, required=True)
    discriminator: Optional[str] = option(
        None,
        "dis_*.pt, the file of both discriminators; without it they get random weights",
        path=True,
    )
    step: Optional[int] = option(
        None,
        "training steps taken, which the learning rate depends on (default: the number in a name like "
        "gen_01000000.pt, else 0)",
        minimum=0,
        maximum=MOST_STEPS,
    )


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    from munit_tf.data import registry
    from munit_tf.runs.run_folder import CONFIGS

    methods = {"munit": CONFIGS["munit"]}
    if command_line.wants_help(argv):
        print(help.train_help(USAGE, methods, registry.descriptions(), own=[ImportConfig]))
        return 0

    with command_line.errors_reported(PROGRAM, ImportConfig) as outcome:
        files, rest = command_line.parse_some(argv, ImportConfig)
        states, known_by_kind = _read(files)
        known = {name: value for values in known_by_kind.values() for name, value in values.items()}
        options, shipped = command_line.parse(rest, methods, registry.NAMES, known)
        command_line.say_shipped(shipped)
        step, step_origin = _step(files)
        _import(files, states, step, options)
        _report(known_by_kind, step, step_origin, options)
    return outcome.status


def _read(files: ImportConfig) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """(states, the options that they determine), dicts by "generator" and, if given, "discriminator"."""
    from munit_tf.models import pytorch_import

    states, known_by_kind = {}, {}
    for kind, options_of in (
        ("generator", pytorch_import.generator_options),
        ("discriminator", pytorch_import.discriminator_options),
    ):
        path = getattr(files, kind)
        if path:
            state = _load(path)
            known_by_kind[kind] = options_of(state, path)
            states[kind] = pytorch_import.without_unused(state)
    return states, known_by_kind


def _load(path: str) -> dict[str, Any]:
    """The state {"a/key": array} of one of the authors' files; see `munit_tf.models.pytorch_import`."""
    try:
        import torch
    except ImportError as error:
        raise InputError(f"PyTorch cannot be imported ({error}): pip install 'torch>=2.6'") from None
    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 6):
        raise InputError(
            f"PyTorch {torch.__version__} can execute code in a file (CVE-2025-32434): "
            "pip install 'torch>=2.6'"
        )
    from munit_tf.models import pytorch_import

    if not os.path.isfile(path):
        raise InputError(f"there is no file {path}")
    try:
        domains = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # The type depends on what is wrong with the file.
        reason = f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]
        raise InputError(f"{path} is not a checkpoint of weights ({reason})") from error
    if not isinstance(domains, dict):
        raise InputError(f"{path} holds a {type(domains).__name__}, not the authors' dict of a and b")
    if set(domains) != {"a", "b"}:
        keys = pytorch_import.few(map(str, domains))
        raise InputError(f"{path} is not the authors' dict of a and b: it has the keys {keys}")
    state = {}
    for domain, tensors in domains.items():
        if not isinstance(tensors, dict) or not all(map(torch.is_tensor, tensors.values())):
            raise InputError(f"{path} is not a checkpoint of weights: {domain} is not a dict of tensors")
        for key, tensor in tensors.items():
            state[f"{domain}/{key}"] = tensor.detach().float().numpy()
    return state


def _step(files: ImportConfig) -> tuple[int, str]:
    """(the step, its origin in words)."""
    if files.step is not None:
        return files.step, "from --step"
    steps: dict[int, str] = {}
    for path in filter(None, (files.generator, files.discriminator)):
        match = re.fullmatch(r"(?:gen|dis)_(\d+)\.pt", os.path.basename(path))
        if match:
            steps.setdefault(int(match[1]), os.path.basename(path))
    if len(steps) > 1:
        raise InputError(f"{' and '.join(steps.values())} have different steps: give --step")
    for step, name in steps.items():
        dataclasses.replace(files, step=step)  # Checks the range.
        return step, f"from the name {name}"
    return 0, _DEFAULT_STEP


def _import(files: ImportConfig, states: dict[str, Any], step: int, options: Options) -> None:
    """Writes the run folder."""
    import keras
    import tensorflow as tf

    from munit_tf.models import pytorch_import
    from munit_tf.runs import loading, run_folder
    from munit_tf.storage.paths import is_remote

    assert options.train.output is not None  # Set by command_line.parse.
    output: Any = run_folder.RunFolder(options.train.output).path
    if is_remote(output):
        raise InputError(f"--output={output}: files must be on this machine")
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise InputError(f"{output} is in use already: choose another --output")
    check_sizes(options.data.resize, options.data.image_size)
    options.model.check_size(*options.data.image_size)

    tf.config.set_visible_devices([], "GPU")
    keras.utils.set_random_seed(options.train.seed)
    # A checkpoint has no weights of the perceptual loss, and compiling it would download VGG-16.
    config = dataclasses.replace(options.model, perceptual_weight=0.0)
    model = loading.build_model(dataclasses.replace(options, model=config))
    for kind, state in states.items():
        weights = {name: weight for name, weight in model.named_weights().items() if name.startswith(kind)}
        pytorch_import.assign(weights, state, config.num_downsample, getattr(files, kind))
    model.compile()
    model.step.assign(step)

    loading.write_new_run(output, options, model.named_state())


def _report(known_by_kind: dict[str, dict[str, Any]], step: int, step_origin: str, options: Options) -> None:
    """Prints the options from the files, the other options, and how to continue."""
    for kind, hidden in _HIDDEN.items():
        if kind not in known_by_kind:
            print(f"{kind}: no file given, so its weights are random: use it only for further training")
            continue
        known = known_by_kind[kind]
        print(f"{kind}, from its file: {_flags(options, known)}")
        others = [name for name in hidden if name not in known]
        print(f"{kind}, by flag or default: {_flags(options, others)}")
    say(f"step: {step}, {step_origin}; Adam's moments start at 0")
    output = pathlib.Path(os.path.relpath(str(options.train.output)))
    say(f"run folder: {output}")
    flagfile = shlex.quote(f"--flagfile={output / 'run.flags'}")
    images = "" if options.data.dataset or options.data.train_b else " --dataset=..."
    longer = "" if options.train.steps > step else f", with --steps above {step}"
    say(f"to continue training: python -m munit_tf.train {flagfile} --resume=must{images}{longer}")


def _flags(options: Options, names: Iterable[str]) -> str:
    return " ".join(f"--{name}={to_text(getattr(options.model, name))}" for name in names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
