"""One direction's measures, on translators whose answers are known."""

import colorsys
import dataclasses
import types

import numpy as np
import pytest
import tensorflow as tf

from munit_tf.config.options import DataConfig
from munit_tf.data import registry
from munit_tf.errors import InputError
from munit_tf.evaluation.direction_evaluator import DirectionEvaluator
from munit_tf.evaluation.feature_networks import Unavailable
from munit_tf.evaluation.options import EvaluateConfig
from munit_tf.evaluation.translator_under_test import TranslatorUnderTest
from munit_tf.metrics.classifier import Classifier
from munit_tf.metrics.content import content_iou
from munit_tf.metrics.prediction_cache import PredictionCache
from munit_tf.networks.classifiers import build_classifier

SIZE = 32
DATA = DataConfig(dataset="shapes", resize=SIZE, image_size=(SIZE, SIZE))


# The options of the fake models, from which only the memory that they need is estimated.
SMALL = types.SimpleNamespace(gen_dim=1, num_res_blocks=1)


class Identity:
    """Changes nothing: a method without style, in one direction, that reconstructs nothing."""

    style_dim = 0
    has_style_encoder = has_content_code = False
    config = SMALL
    directions = ("a2b",)
    result_dtype = tf.float32

    def translate(self, images, direction, style=None, seed=0):
        return tf.identity(images)


class Painter:
    """The perfect filler of outlines: its style is a color, and it knows every outline's inside."""

    style_dim = 3
    has_style_encoder, has_content_code = True, False
    config = SMALL
    directions = ("a2b", "b2a")
    result_dtype = tf.float32

    def __init__(self, inputs):
        outlines = np.stack([np.asarray(inputs[i], np.float32) / 127.5 - 1 for i in range(len(inputs))])
        self._outlines = tf.constant(outlines)
        self._insides = tf.constant(np.stack([inputs.inside(i) for i in range(len(inputs))]))

    def prior_style(self, count, seed=0):
        hues = np.random.default_rng(seed).random(count)
        return tf.constant([colorsys.hsv_to_rgb(hue, 0.9, 0.95) for hue in hues], tf.float32)

    def encode_style(self, images, domain):
        darkest = tf.argmin(tf.reshape(tf.reduce_sum(images, -1), [tf.shape(images)[0], -1]), axis=1)
        return (tf.gather(tf.reshape(images, [-1, SIZE * SIZE, 3]), darkest, batch_dims=1) + 1) / 2

    def translate(self, images, direction, style=None, seed=0):
        paint = (2 * style - 1)[:, tf.newaxis, tf.newaxis]
        if direction == "b2a":
            return tf.where(tf.reduce_min(images, -1, keepdims=True) < 1, paint, 1.0)
        apart = tf.reduce_sum(tf.abs(images[:, tf.newaxis] - self._outlines), axis=[2, 3, 4])
        inside = tf.gather(self._insides, tf.argmin(apart, axis=1))[..., tf.newaxis]
        return tf.where(inside, paint, 1.0)


class Noisy:
    """Its styles are drawn and cannot be encoded; back from b it adds the code to the image."""

    style_dim = 3
    has_style_encoder = has_content_code = False
    config = SMALL
    directions = ("a2b", "b2a")
    result_dtype = tf.float32

    def prior_style(self, count, seed=0):
        return tf.fill([count, 3], 0.25)

    def translate(self, images, direction, style=None, seed=0):
        return images + (style[:, tf.newaxis, tf.newaxis] if direction == "b2a" else 0.0)


@pytest.fixture(scope="module")
def dataset():
    return registry.open_dataset(DATA)


@pytest.fixture(scope="module")
def networks():
    """A seeded classifier, and no LPIPS."""
    tf.keras.utils.set_random_seed(1)
    network = Classifier(build_classifier("small", 2, 16), ("a", "b"), 16)

    class Networks:
        features = classifier = domain_classifier = network
        cache = PredictionCache(None, print)

        @property
        def lpips(self):
            raise Unavailable("no weights here")

    return Networks()


def direction(model, dataset, networks, name="a2b", **options):
    config = EvaluateConfig(run="x", **{"num_inputs": 5, **options})
    subject = TranslatorUnderTest(model, dataset, DATA, name)
    return DirectionEvaluator(subject, getattr(dataset, config.fid_reference)["b"], networks, config)


def test_untranslated_images(dataset, networks):
    """FID, KID and accuracy are those of the inputs themselves."""
    scores = direction(Identity(), dataset, networks, num_inputs=100)
    found = scores.measure(["lpips", "fid", "kid", "is", "accuracy", "shapes"])
    assert found["fid"]["value"] == pytest.approx(found["fid"]["untranslated"])
    assert found["fid"]["value"] > 0
    assert (found["fid"]["generated_images"], found["fid"]["real_images"]) == (100, 100)
    assert found["kid"]["subset_size"] == 50
    assert found["is"]["outputs"] == 100
    # An outline that is left as it is counts as a filling where the classifier is wrong about it; of the
    # real images, half are these.
    accuracy = found["accuracy"]
    assert accuracy["real_images"] == 200
    filled = accuracy["real"] * 200 - (1 - accuracy["translations"]) * 100
    assert filled == pytest.approx(round(filled)) and 0 <= filled <= 100
    assert set(found["shapes"]) == {"content_iou", "outputs"}
    assert found["shapes"]["content_iou"] < 0.9
    assert scores.not_computed == {"lpips": "no weights here"}


def test_the_true_image_of_each_input(networks):
    """Outlines left as they are differ from their own fillings less than from others."""
    paired = dataclasses.replace(DATA, paired=True)
    images = registry.open_dataset(paired)
    subject = TranslatorUnderTest(Identity(), images, paired, "a2b")
    config = EvaluateConfig(run="x", num_inputs=30)
    found = DirectionEvaluator(subject, images.test["b"], networks, config).measure(["target_l1"])
    a, b = (
        np.stack([np.asarray(images.test[d][i], np.float64) for i in range(30)]) / 127.5 - 1 for d in "ab"
    )
    assert found["target_l1"]["mean"] == pytest.approx(np.abs(a - b).mean())
    assert found["target_l1"]["best"] == found["target_l1"]["mean"]  # There is one output of each.
    assert found["target_l1"]["mean"] < 0.95 * np.abs(a - np.roll(b, 1, axis=0)).mean()


def test_what_methods_lack(dataset):
    simple, painter = Identity(), Painter(dataset.test["a"])
    photos = types.SimpleNamespace(train=[], test={"a": [0], "b": [0]})
    for metric, model, data, name, reason in (
        ("l1", simple, dataset, "a2b", "no style"),
        ("cis", simple, dataset, "a2b", "no style"),
        ("style", simple, dataset, "a2b", "no style"),
        ("cycle", simple, dataset, "a2b", "one direction"),
        ("style", Noisy(), dataset, "a2b", "cannot encode"),
        ("reconstruction", painter, dataset, "a2b", "no decoder"),
        ("shapes", painter, photos, "a2b", "with --dataset=shapes"),
        ("target_l1", painter, dataset, "a2b", "--paired"),
        ("target_lpips", painter, dataset, "a2b", "--paired"),
        ("shapes", painter, dataset, "b2a", "a2b"),
    ):
        assert reason in TranslatorUnderTest(model, data, DATA, name).unavailable_reason(metric)
    small = TranslatorUnderTest(
        simple, dataset, DataConfig(dataset="shapes", resize=30, image_size=(30, 40)), "a2b"
    )
    assert "31 pixels or more; these are 30x40" in small.unavailable_reason("lpips")
    for metric in ("l1", "cis", "style", "cycle", "shapes", "fid", "lpips"):
        assert TranslatorUnderTest(painter, dataset, DATA, "a2b").unavailable_reason(metric) is None
    for metric in ("lpips", "fid", "kid", "is", "accuracy", "shapes"):
        assert TranslatorUnderTest(simple, dataset, DATA, "a2b").unavailable_reason(metric) is None


def test_what_to_fill_is_cropped_as_the_images_are():
    """Fillings themselves, of b, cover what the crop of `insides` says, to the pixels on the edge."""
    data = DataConfig(dataset="shapes", resize=44, image_size=(32, 40))
    subject = TranslatorUnderTest(Identity(), registry.open_dataset(data), data, "b2a")
    images = subject.loader(subject.inputs)(range(20))
    insides = subject.insides(range(20))
    assert insides.shape == (20, 32, 40)
    assert content_iou(images, insides).mean() > 0.95


def test_styles_that_cannot_be_encoded(dataset, networks):
    """The way back is with styles of the prior, and no reference can guide."""
    found = direction(Noisy(), dataset, networks).measure(["cycle", "shapes"])
    assert found["cycle"]["l1"] == pytest.approx(0.25)
    assert "hue_entropy" in found["shapes"] and "guided_hue_error" not in found["shapes"]


def test_a_perfect_painter(dataset, networks):
    """Its content is right to the pixel, its hues are the reference's, and 16 random hues fill six bins."""
    model = Painter(dataset.test["a"])
    found = direction(model, dataset, networks, num_inputs=12).measure(["shapes", "l1", "cycle"])
    assert found["shapes"]["content_iou"] == 1
    assert found["shapes"]["guided_hue_error"] == pytest.approx(0, abs=0.003)
    assert 1.3 < found["shapes"]["hue_entropy"] <= np.log(6)
    assert (found["shapes"]["outputs"], found["shapes"]["references"]) == (12 * 16, 12)
    assert found["l1"]["pairs"] == 12 * 19
    # The cycle ends with what was filled in the input's own style, the dark of its outline.
    dark = 2 * 30 / 255 - 1
    outlines = np.stack([np.asarray(dataset.test["a"][i]) / 127.5 - 1 for i in range(12)])
    insides = np.stack([dataset.test["a"].inside(i) for i in range(12)])[..., np.newaxis]
    difference = np.abs(np.where(insides, dark, 1) - outlines)
    assert found["cycle"]["l1"] == pytest.approx(difference.mean(), rel=1e-4)


@pytest.mark.parametrize(
    "protocol, pairs", [("munit", 19), ("bicyclegan", 19), ("stargan2", 45)], ids=lambda value: str(value)
)
def test_protocols_and_counts(dataset, networks, protocol, pairs):
    model = Painter(dataset.test["a"])
    scores = direction(model, dataset, networks, num_inputs=2, num_outputs=3, lpips_protocol=protocol)
    found = scores.measure(["l1", "is", "cis", "fid", "accuracy"])
    assert found["l1"]["pairs"] == 2 * pairs
    assert found["is"]["outputs"] == found["accuracy"]["outputs"] == found["fid"]["generated_images"] == 6
    assert (found["cis"]["inputs"], found["cis"]["outputs_per_input"]) == (2, 3)


def test_defaults_are_the_papers_numbers(dataset, networks):
    model = Painter(dataset.test["a"])
    found = direction(model, dataset, networks, num_inputs=2).measure(["cis", "fid"])
    assert found["cis"]["outputs_per_input"] == 100
    assert found["fid"]["generated_images"] == 20


def test_figures_depend_neither_on_the_batch_nor_on_the_company(dataset, networks):
    model = Painter(dataset.test["a"])
    alone = direction(model, dataset, networks, batch_size=3).measure(["fid"])
    together = direction(model, dataset, networks, batch_size=64).measure(["fid", "is", "l1", "shapes"])
    assert together["fid"]["value"] == pytest.approx(alone["fid"]["value"], rel=1e-4)
    other = direction(model, dataset, networks, seed=1).measure(["fid"])
    assert other["fid"]["value"] != pytest.approx(alone["fid"]["value"], rel=1e-4)


def test_training_images_as_reference(dataset, networks):
    found = direction(Identity(), dataset, networks, fid_reference="train", batch_size=100).measure(["fid"])
    assert found["fid"]["real_images"] == 2000


def test_one_test_image(dataset, networks):
    """FID needs two on each side: it says so; what can be told from one image is told."""
    one = types.SimpleNamespace(
        train=dataset.train, test={domain: [source[0]] for domain, source in dataset.test.items()}
    )
    scores = direction(Painter(dataset.test["a"]), one, networks)
    found = scores.measure(["fid", "kid", "cis", "is", "l1", "style"])
    assert set(found) == {"cis", "is", "l1"}
    assert found["cis"]["mean_kl"] == pytest.approx(found["is"]["mean_kl"])
    assert "two images or more" in scores.not_computed["fid"]
    assert "two images or more" in scores.not_computed["style"]


def test_a_model_that_has_diverged(dataset, networks):
    class Diverged(Identity):
        def translate(self, images, direction, style=None, seed=0):
            return images * float("nan")

    with pytest.raises(InputError, match="translations hold NaN"):
        direction(Diverged(), dataset, networks).measure(["fid"])
