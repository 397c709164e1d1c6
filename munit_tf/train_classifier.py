"""Trains a classifier for `python -m munit_tf.evaluate`: IS, CIS, accuracy, and features for FID and KID."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import sys
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Optional

from munit_tf import machine
from munit_tf.cli.command_line import run_command
from munit_tf.config.options import DataConfig
from munit_tf.config.schema import Config, option
from munit_tf.errors import InputError
from munit_tf.storage.paths import absolute
from munit_tf.terminal import say

# Set before TensorFlow is imported: shows only its fatal messages.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

USAGE = """\
Trains an image classifier for the metrics of `python -m munit_tf.evaluate` that need one.

  python -m munit_tf.train_classifier --dataset=photos --output=classifiers/photos
  python -m munit_tf.train_classifier --dataset=shapes --backbone=small --output=classifiers/shapes

For a data set with trainA and trainB, the classes are a and b (for accuracy). For a folder with one subfolder
of images per class, they are the subfolders (for IS and CIS, as for MUNIT's kinds of animals)."""

# Batches in memory at the same time: one in use and two that are being loaded.
_BATCHES = 3
Item = tuple[Any, int, int]  # (source, index of the image in it, label).

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class ClassifierConfig(Config):
    """Classifier training."""

    dataset: str = option(
        None,
        "name of a data set or folder with trainA trainB, for classes a and b; or folder with one subfolder "
        "per class",
        required=True,
    )
    output: str = option(None, "output folder, which must not exist", path=True, required=True)
    data_dir: Optional[str] = option(None, "folder for downloads (default: ~/tensorflow_datasets)", path=True)
    backbone: str = option(
        "inception_v3",
        "inception_v3: fine-tune Keras' ImageNet weights; small: train a small network from scratch, for "
        "small data sets",
        choices=("inception_v3", "small"),
    )
    from_scratch: bool = option(False, "train inception_v3 from random weights instead of ImageNet weights")
    weights_dir: str = option(
        os.path.join("~", ".keras", "models"),
        "folder of Keras' weights; they are downloaded if missing",
        path=True,
    )
    image_size: Optional[int] = option(
        None,
        "height and width of the images, in pixels (default: 299; 64 for small)",
        minimum=16,
        maximum=4096,
        memory=True,
    )
    validation: float = option(
        0.1, "fraction of each class' images used for validation", minimum=0.01, maximum=0.5
    )
    batch_size: int = option(32, "images in one step", minimum=1, maximum=65_536, memory=True)
    epochs: int = option(60, "maximum number of epochs", minimum=1, maximum=1_000_000)
    patience: int = option(
        8, "stop after this many epochs without a lower validation loss", minimum=1, maximum=1_000_000
    )
    learning_rate: Optional[float] = option(
        None,
        "of Adam (default: 1e-4 for fine-tuning, 1e-3 from scratch)",
        minimum=1e-9,
        maximum=1e9,
    )
    seed: int = option(0, "random seed of weights, order and augmentation", minimum=0, maximum=2**32 - 1)


def train(config: ClassifierConfig) -> None:
    """Trains and saves a classifier; prints its accuracies.

    Raises:
        InputError: a problem that the user can fix.
    """
    import keras

    from munit_tf.distribution import devices
    from munit_tf.metrics import classifier
    from munit_tf.networks.classifiers import DEFAULT_SIZES, SMALLEST_SIZES

    classifier.check_free(config.output)
    size = config.image_size or DEFAULT_SIZES[config.backbone]
    if size < SMALLEST_SIZES[config.backbone]:
        least = SMALLEST_SIZES[config.backbone]
        raise InputError(f"--image_size={size} is too small for {config.backbone}: at least {least} needed")
    machine.require(
        _BATCHES * config.batch_size * size**2 * 3 * 4,
        f"--batch_size={config.batch_size} at {size} pixels: loading images needs",
        "lower --batch_size or --image_size",
        host=True,
    )
    devices.set_up_gpus()
    classes, test = _open(config, size)
    training, validation = _split(classes, config)
    keras.utils.set_random_seed(config.seed)
    model, pretrained = _build(config, len(classes), size)
    counts = ", ".join(f"{name} {len(source)}" for name, source in classes.items())
    say(f"{config.backbone} at {size} pixels; images: {counts}", file=sys.stderr)
    scores = _fit(model, training, validation, size, config, pretrained)
    if test:
        items = [(source, i, label) for label, source in enumerate(test) for i in range(len(source))]
        scores["test_accuracy"] = _evaluate(model, items, size, config)
    description = {
        "backbone": config.backbone,
        "classes": list(classes),
        "image_size": size,
        "images": {name: len(source) for name, source in classes.items()},
        **scores,
        "settings": {
            field.name: getattr(config, field.name)
            for field in dataclasses.fields(config)
            if field.name not in ("output", "data_dir", "weights_dir")
        },
    }
    classifier.save(config.output, model, description)
    for name, value in scores.items():
        print(f"{name}: {value:.4g}")
    say(f"classifier: {os.path.relpath(config.output)}")


def _open(config: ClassifierConfig, size: int) -> tuple[dict[str, Any], Optional[list[Any]]]:
    """({class: source of training images}, sources of test images in the order of the classes or None)."""
    from munit_tf.data import registry
    from munit_tf.data.sources import list_images

    folder = pathlib.Path(absolute(config.dataset))
    if config.dataset in registry.NAMES or not os.path.isdir(folder) or os.path.isdir(folder / "trainA"):
        dataset = registry.open_dataset(
            DataConfig(dataset=config.dataset, data_dir=config.data_dir, resize=_loaded_size(size))
        )
        return dataset.train, [dataset.test[domain] for domain in dataset.train] if dataset.test else None
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != ".")
    if len(names) < 2:
        raise InputError(f"{folder} has {len(names)} subfolders: it must have one per class, and two or more")
    return {name: list_images(str(folder / name)) for name in names}, None


def _split(classes: dict[str, Any], config: ClassifierConfig) -> tuple[list[Item], list[Item]]:
    """Splits the images into items for training and for validation."""
    import numpy as np

    training: list[Item] = []
    validation: list[Item] = []
    for label, (name, source) in enumerate(classes.items()):
        if len(source) < 2:
            raise InputError(
                f"class {name} has fewer than two images: one is for training, one for validation"
            )
        order = np.random.default_rng([config.seed, label]).permutation(len(source)).tolist()
        held_out = max(1, round(config.validation * len(source)))
        validation += [(source, i, label) for i in order[:held_out]]
        training += [(source, i, label) for i in order[held_out:]]
    return training, validation


def _build(config: ClassifierConfig, num_classes: int, size: int) -> tuple[keras.Model, bool]:
    """(the network, whether it has pretrained weights)."""
    from munit_tf.data import downloads
    from munit_tf.networks import pretrained
    from munit_tf.networks.classifiers import build_classifier

    if config.backbone == "small" or config.from_scratch:
        return build_classifier(config.backbone, num_classes, size), False
    if not pretrained.has_inception_v3(config.weights_dir):
        downloads.check_reachable(
            pretrained.INCEPTION_V3_URL,
            "Inception-v3's weights",
            f"put {pretrained.INCEPTION_V3_FILE} into --weights_dir, or use --backbone=small",
        )
    try:
        path = pretrained.fetch_inception_v3(config.weights_dir)
        return build_classifier(config.backbone, num_classes, size, path), True
    except Exception as error:  # Keras raises various types, for downloads and for wrong files.
        if machine.is_shortage(error):
            raise
        reason = " ".join(str(error).split())
        raise InputError(f"Inception-v3's weights in {config.weights_dir}: {reason}") from error


def _fit(
    model: keras.Model,
    training: list[Item],
    validation: list[Item],
    size: int,
    config: ClassifierConfig,
    pretrained: bool,
) -> dict[str, Any]:
    """Trains until the validation loss stops falling and restores the best weights; returns scores."""
    import keras

    from munit_tf.data import pipeline

    model.compile(
        optimizer=keras.optimizers.Adam(config.learning_rate or (1e-4 if pretrained else 1e-3)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    with tempfile.TemporaryDirectory() as folder, pipeline.input_errors():
        best = os.path.join(folder, "best.weights.h5")
        history = model.fit(
            _batches(training, size, config, augment=True),
            steps_per_epoch=-(-len(training) // config.batch_size),
            validation_data=_batches(validation, size, config, augment=False),
            epochs=config.epochs,
            verbose=1 if sys.stdout.isatty() else 2,
            callbacks=[
                keras.callbacks.TerminateOnNaN(),
                keras.callbacks.ModelCheckpoint(
                    best, monitor="val_loss", save_best_only=True, save_weights_only=True
                ),
                keras.callbacks.EarlyStopping(monitor="val_loss", patience=config.patience),
            ],
        ).history
        if not os.path.exists(best):
            raise InputError("training diverged in the first epoch: give a smaller --learning_rate")
        model.load_weights(best)
    return {
        "epochs": len(history["loss"]),
        "validation_accuracy": _evaluate(model, validation, size, config),
    }


def _evaluate(model: keras.Model, items: list[Item], size: int, config: ClassifierConfig) -> float:
    from munit_tf.data import pipeline

    with pipeline.input_errors():
        return float(model.evaluate(_batches(items, size, config, augment=False), verbose=0)[1])


def _batches(items: list[Item], size: int, config: ClassifierConfig, augment: bool) -> tf.data.Dataset:
    """(images [N,size,size,3] in [-1, 1], labels [N]); endless, shuffled and augmented if `augment`."""
    import tensorflow as tf

    from munit_tf.data import pipeline

    loaded = _loaded_size(size) if augment else size
    labels = tf.constant([label for _, _, label in items])

    def load(position):
        source, index, _ = items[int(position)]
        return pipeline.to_array(pipeline.resize_shorter(source[index], loaded))

    @tf.autograph.experimental.do_not_convert  # Conversion takes half a second.
    def example(step, position):
        image = tf.ensure_shape(tf.numpy_function(load, [position], tf.float32), (None, None, 3))
        if augment:
            image = _augmented(image, size, tf.stack([tf.constant(config.seed, tf.int64), step]))
        else:
            image = tf.image.resize_with_crop_or_pad(image, size, size)
        return tf.ensure_shape(image, (size, size, 3)), labels[position]

    positions = tf.data.Dataset.range(len(items))
    if augment:
        positions = positions.shuffle(len(items), seed=config.seed).repeat()
    return (
        positions.enumerate()
        .map(example, num_parallel_calls=os.cpu_count(), deterministic=True)
        .batch(config.batch_size)
        .prefetch(2)
    )


def _augmented(image: tf.Tensor, size: int, seed: tf.Tensor) -> tf.Tensor:
    """Crops, flips, and changes brightness and contrast at random."""
    import tensorflow as tf

    seeds = [tf.random.experimental.stateless_fold_in(seed, i) for i in range(4)]
    image = tf.image.stateless_random_crop(image, (size, size, 3), seeds[0])
    image = tf.image.stateless_random_flip_left_right(image, seeds[1])
    image = tf.image.stateless_random_brightness(image, 0.1, seeds[2])
    image = tf.image.stateless_random_contrast(image, 0.9, 1.1, seeds[3])
    return tf.clip_by_value(image, -1, 1)


def _loaded_size(size: int) -> int:
    """The shorter side of images before they are cropped to `size`, in pixels."""
    return size * 9 // 8


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    return run_command("munit_tf.train_classifier", USAGE, ClassifierConfig, train, argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
