"""The typed options of a run."""

from __future__ import annotations

import dataclasses
from typing import Any, Optional

from munit_tf.config.format_version import FORMAT
from munit_tf.config.schema import MOST_STEPS, Config, one_of, option, title, to_text
from munit_tf.errors import InputError

RECIPES = ("fast",)
# The models that are part of the package, as values of flags for run folders.
PRETRAINED = ("pretrained/edges2flowers",)
PRETRAINED_NAMES = (*PRETRAINED, *(name.rpartition("/")[2] for name in PRETRAINED))
# Values of --validate_with that are not folders.
RANDOM_FEATURES = "random"
INCEPTION_FEATURES = "inception"


@dataclasses.dataclass(frozen=True)
class DataConfig(Config):
    """Images."""

    dataset: Optional[str] = option(None, "name of a data set, or folder with trainA trainB testA testB")
    train_a: Optional[str] = option(
        None, "instead of --dataset: folder, glob or text file of paths", path=True
    )
    train_b: Optional[str] = option(None, "the same for domain b", path=True)
    test_a: Optional[str] = option(
        None, "test images of domain a, for sample grids (default: training images) and evaluation", path=True
    )
    test_b: Optional[str] = option(None, "the same for domain b", path=True)
    paired: bool = option(False, "pair images of a and b by file name, for supervised methods")
    edges: bool = option(
        False,
        "use the edges of domain b's photos as domain a, for sketches to photos; --dataset is a folder with "
        "trainB (and testB) or with the photos themselves, or give --train_b (--test_b) alone",
    )
    data_dir: Optional[str] = option(
        None, "where downloads and prepared data go (default: ~/tensorflow_datasets)", path=True
    )
    mirror: Optional[str] = option(
        None,
        "URL to fetch the pix2pix archives from, instead of the authors' server",
        may_change=True,
    )
    unreadable: str = option(
        "error",
        "images that cannot be decoded: error: stop training and name the image; skip: use the next image "
        "instead and name each skipped one once",
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
    recipe: Optional[str] = option(
        None,
        "flags that give good images of a few hundred photos sooner than the papers' settings, from "
        "flags/recipes/NAME.flags; other flags take precedence",
        choices=RECIPES,
        may_change=True,
        recorded=False,
    )
    steps: int = option(1_000_000, "train until this step", minimum=1, maximum=MOST_STEPS, may_change=True)
    batch_size: int = option(
        1, "images of each domain in one step, over all replicas", minimum=1, maximum=65_536, memory=True
    )
    seed: int = option(
        0,
        "random seed of the initial weights, the order of images, crops, flips and styles",
        minimum=0,
        maximum=2**32 - 1,
    )
    output: Optional[str] = option(
        None,
        "run folder or its URI, for example gs://BUCKET/FOLDER (default: runs/DATASET-METHOD)",
        path=True,
        remote=True,
        may_change=True,
    )
    init_from: Optional[str] = option(
        None,
        "another run folder: start with its weights, on other images or at another size; the networks must "
        f"be the same; or {one_of(PRETRAINED)}",
        path=True,
        names=PRETRAINED_NAMES,
        remote=True,
    )
    resume: str = option(
        "auto",
        "auto: resume if the run folder has a checkpoint, else start; never: refuse a used folder; must: "
        "refuse a folder without a checkpoint",
        choices=("auto", "never", "must"),
        may_change=True,
        recorded=False,
    )
    strategy: str = option(
        "auto",
        "auto: as many GPUs of this machine as the batch can be divided among, else one device; mirrored: "
        "MirroredStrategy over all devices; "
        "multiworker: MultiWorkerMirroredStrategy over the machines in TF_CONFIG; none: one device",
        choices=("auto", "mirrored", "multiworker", "none"),
        may_change=True,
    )
    precision: str = option(
        "float32",
        "precision of the networks; float16 uses loss scaling",
        choices=("float32", "bfloat16", "float16"),
    )
    tf32: bool = option(
        True,
        "multiply float32 numbers in TF32 (10 binary digits, not 23) on GPUs that support it: faster",
        may_change=True,
    )
    deterministic: bool = option(
        False,
        "on one GPU: repeat results bit for bit, as CPUs always do: slower",
        may_change=True,
    )
    jit_compile: bool = option(False, "compile the training step with XLA")
    recompute: bool = option(
        False,
        "recompute activations for the gradient (gradient checkpointing): less memory, more time",
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
    validate_every: int = option(
        0,
        "steps between validations on test images, which also keep the best checkpoint; 0: none",
        minimum=0,
        maximum=MOST_STEPS,
        may_change=True,
    )
    validate_with: str = option(
        RANDOM_FEATURES,
        "features for the KID of validations: random: of a fixed network with random weights; inception: "
        "Inception-v3 with the ImageNet weights of Keras; or the folder of a classifier of "
        "munit_tf.train_classifier",
        path=True,
        names=(RANDOM_FEATURES, INCEPTION_FEATURES),
    )
    on_nan: str = option(
        "stop",
        "what to do if a loss or weight is NaN or infinite; stop: end with an error; rollback: continue from "
        "the last checkpoint with other images and noise, at most twice from the same one",
        choices=("stop", "rollback"),
        may_change=True,
    )


@dataclasses.dataclass(frozen=True)
class ModelConfig(Config):
    """Trained model."""

    run: str = option(
        None,
        f"run folder of the model, or {one_of(PRETRAINED)}",
        path=True,
        names=PRETRAINED_NAMES,
        remote=True,
        required=True,
    )
    weights: str = option(
        "newest",
        "which checkpoint of the run: the newest, or the best one that --validate_every has found",
        choices=("newest", "best"),
    )
    averaged: bool = option(
        True, "use the moving average of the generators' weights, if the run has one (--ema_half_life)"
    )


@dataclasses.dataclass(frozen=True)
class Options:
    """All options of a run: data, training and method.

    Attributes:
        model: the method's config, a MethodConfig.
    """

    data: DataConfig
    train: TrainConfig
    model: Any

    def validate(self) -> None:
        """Checks the options against each other.

        Raises:
            InputError: options are incompatible.
        """
        check_sizes(self.data.resize, self.data.image_size)
        self.model.check_run(self.data, self.train)
        self.model.check_size(*self.data.image_size)
        if self.train.strategy == "multiworker" and self.train.on_nan == "rollback":
            raise InputError("--on_nan=rollback is not available with --strategy=multiworker")

    def to_flagfile(self) -> str:
        """The text of a flagfile that repeats the run; `flagfiles.read` restores every value exactly."""
        lines = [
            "# All options of this run. To repeat it: --flagfile=THIS_FILE --output=ANOTHER_FOLDER",
            f"# Format {FORMAT}.",
        ]
        for config in (self.data, self.train, self.model):
            lines.append(f"\n# {title(type(config))}")
            for field in dataclasses.fields(config):
                value = getattr(config, field.name)
                if value is not None and field.metadata["recorded"]:
                    lines.append(f"--{field.name}={to_text(value)}")
        return "\n".join(lines) + "\n"

    def changed_since(self, old: Options) -> list[str]:
        """Names of the flags that differ from `old` although a resumed run must not change them.

        A run with imported weights may have no images; they may be added.
        """
        names: list[str] = []
        pairs: list[tuple[Config, Config]] = [(self.train, old.train), (self.model, old.model)]
        if old.data.dataset or old.data.train_b:
            pairs.insert(0, (self.data, old.data))
        for mine, theirs in pairs:
            if type(mine) is not type(theirs):
                return ["method"]
            for field in dataclasses.fields(mine):
                differs = getattr(mine, field.name) != getattr(theirs, field.name)
                if differs and not field.metadata["may_change"]:
                    names.append(field.name)
        if not old.train.validate_every:  # No value to compare with.
            names = [name for name in names if name != "validate_with"]
        return names


def check_sizes(resize: int, image_size: tuple[int, int]) -> None:
    """Refuses sizes that fit no image.

    The shorter side is resized to `resize`; the longer side may have any length above that. So only a crop
    with both sides above `resize` fits no image. Whether another crop fits depends on the image, and is
    checked when the image is read.

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
