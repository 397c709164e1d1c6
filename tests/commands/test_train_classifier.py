"""The classifier's tool, on colors that anything can learn, and what it leaves on disk."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from munit_tf import train_classifier
from munit_tf.errors import InputError
from munit_tf.metrics import classifier
from munit_tf.networks.classifiers import build_classifier, named_weights

COLORS = {"blue": (60, 60, 200), "green": (60, 200, 60), "red": (200, 60, 60)}


def make_classes(folder, count=16, size=(24, 20)):
    """A subfolder of noisy images for each color."""
    random = np.random.default_rng(0)
    for name, color in COLORS.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            noise = random.integers(-40, 40, (size[1], size[0], 3))
            Image.fromarray((noise + color).astype(np.uint8)).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier")
    make_classes(folder / "data")
    train_classifier.train(
        train_classifier.ClassifierConfig(
            dataset=str(folder / "data"),
            output=str(folder / "trained"),
            backbone="small",
            image_size=16,
            batch_size=8,
            epochs=8,
            validation=0.25,
        )
    )
    return folder


def test_it_learns_and_is_loaded_again(trained):
    network = classifier.load(trained / "trained")
    assert network.classes == ("blue", "green", "red")
    description = json.loads((trained / "trained" / "classifier.json").read_text())
    assert description["validation_accuracy"] == 1
    images = np.stack([np.full((20, 24, 3), color) / 127.5 - 1 for color in COLORS.values()])
    features, probabilities = network(images.astype("float32"))
    assert features.shape == (3, 128)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-12)
    assert probabilities.argmax(axis=-1).tolist() == [0, 1, 2]


def test_it_is_one_file_of_plain_arrays_and_one_of_json(trained):
    assert sorted(path.name for path in (trained / "trained").iterdir()) == [
        "classifier.json",
        "weights.npz",
    ]
    with np.load(trained / "trained" / "weights.npz", allow_pickle=False) as arrays:
        assert {"000/kernel", "001/gamma", "001/moving_variance", "008/bias"} <= set(arrays)


def test_saved_weights_give_the_same_outputs(tmp_path):
    model = build_classifier("small", 4, 16)
    model.layers[2].moving_mean.assign(np.linspace(-1, 1, 32))
    classifier.save(tmp_path / "x", model, dict(backbone="small", classes=list("abcd"), image_size=16))
    images = np.random.default_rng(0).uniform(-1, 1, (2, 16, 16, 3)).astype("float32")
    logits = model(images, training=False)
    _, probabilities = classifier.load(tmp_path / "x")(images)
    np.testing.assert_allclose(probabilities, tf.nn.softmax(logits), rtol=1e-5)


def test_images_are_resized_to_the_classifiers_size(trained):
    """Twice as large, by repeated pixels, is the same image after an antialiased resize to a constant."""
    network = classifier.load(trained / "trained")
    small = np.full((1, 16, 16, 3), 0.25, "float32")
    large = np.full((1, 40, 64, 3), 0.25, "float32")
    np.testing.assert_allclose(network(small)[0], network(large)[0], atol=1e-5)


@pytest.mark.parametrize("damage", ["cut off", "another network", "no json", "nothing"])
def test_damaged_classifiers_are_one_line(trained, tmp_path, damage):
    weights = (trained / "trained" / "weights.npz").read_bytes()
    description = (trained / "trained" / "classifier.json").read_text()
    folder = tmp_path / "broken"
    if damage != "nothing":
        folder.mkdir()
        (folder / "weights.npz").write_bytes(weights[: len(weights) // 2] if damage == "cut off" else weights)
        text = {"another network": description.replace('"red"', '"red", "x"'), "no json": "{"}
        (folder / "classifier.json").write_text(text.get(damage, description))
    with pytest.raises(InputError) as caught:
        classifier.load(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


def test_bad_input_is_found_before_training(trained, tmp_path):
    good = dict(dataset=str(trained / "data"), output=str(tmp_path / "out"), backbone="small")
    (tmp_path / "one" / "class").mkdir(parents=True)
    for change, message in (
        (dict(output=str(trained / "trained")), "exists already"),
        (dict(dataset=str(tmp_path / "one")), "has 1 subfolders"),
        (dict(dataset="summer2wintre"), "did you mean summer2winter"),
        (dict(backbone="inception_v3", image_size=64), "too small for inception_v3: at least 75"),
        (dict(image_size=5000), "--image_size=5000: .* 4096"),
    ):
        with pytest.raises(InputError, match=message):
            train_classifier.train(train_classifier.ClassifierConfig(**{**good, **change}))
    assert not (tmp_path / "out").exists()


def test_a_broken_image_is_named(tmp_path):
    make_classes(tmp_path / "data", count=3)
    (tmp_path / "data" / "red" / "1.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="red/1.png is not an image"):
        train_classifier.train(
            train_classifier.ClassifierConfig(
                dataset=str(tmp_path / "data"),
                output=str(tmp_path / "out"),
                backbone="small",
                image_size=16,
                epochs=1,
            )
        )
    assert not (tmp_path / "out").exists()


def test_without_network_and_weights_nothing_is_trained(tmp_path, monkeypatch):
    """Never random weights in place of ImageNet's."""
    from munit_tf.networks import pretrained

    monkeypatch.setattr(pretrained, "INCEPTION_V3_URL", "http://127.0.0.1:9/weights.h5")
    make_classes(tmp_path / "data", count=3)
    config = train_classifier.ClassifierConfig(
        dataset=str(tmp_path / "data"), output=str(tmp_path / "out"), weights_dir=str(tmp_path / "none")
    )
    with pytest.raises(InputError, match="cannot reach 127.0.0.1 .*--backbone=small"):
        train_classifier.train(config)
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / pretrained.INCEPTION_V3_FILE).write_bytes(b"damaged")
    with pytest.raises(InputError, match="Inception-v3's weights in"):
        train_classifier.train(config)
    assert not (tmp_path / "out").exists()


def test_names_of_weights_do_not_depend_on_what_was_built_before():
    assert list(named_weights(build_classifier("small", 2, 16))) == list(
        named_weights(build_classifier("small", 2, 32))
    )
