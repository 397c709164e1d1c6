"""Losses, against numbers worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from munit_tf.losses.adversarial import classification_loss, discriminator_loss, generator_loss
from munit_tf.losses.information import kl_divergence_of_unit_variance
from munit_tf.losses.mode_seeking import mode_seeking_loss
from munit_tf.losses.perceptual import domain_invariant_perceptual_loss
from munit_tf.losses.reconstruction import mean_absolute_error

# Two scales: a map of two logits and a map of one.
REAL = [tf.constant([2.0, 0.0], shape=(1, 1, 2, 1)), tf.constant([-1.0], shape=(1, 1, 1, 1))]
FAKE = [tf.constant([0.5, -3.0], shape=(1, 1, 2, 1)), tf.constant([1.0], shape=(1, 1, 1, 1))]


@pytest.mark.parametrize(
    "kind, of_discriminator, of_generator",
    [
        # real: (1 + 1) / 2 + 4; fake: (0.25 + 9) / 2 + 1; generator: (0.25 + 16) / 2 + 0.
        ("lsgan", 5 + 5.625, 8.125),
        # softplus of -2, 0 and 1 (real), 0.5, -3 and 1 (fake), -0.5, 3 and -1 (generator).
        (
            "nsgan",
            (0.1269280 + 0.6931472) / 2 + 1.3132617 + (0.9740770 + 0.0485874) / 2 + 1.3132617,
            (0.4740770 + 3.0485874) / 2 + 0.3132617,
        ),
        # real: (0 + 1) / 2 + 2; fake: (1.5 + 0) / 2 + 2; generator: -(0.5 - 3) / 2 - 1.
        ("hinge", 2.5 + 2.75, 0.25),
    ],
)
def test_adversarial(kind, of_discriminator, of_generator):
    assert float(discriminator_loss(kind, REAL, FAKE)) == pytest.approx(of_discriminator, rel=1e-6)
    assert float(generator_loss(kind, FAKE)) == pytest.approx(of_generator, rel=1e-6)


def test_mean_absolute_error():
    assert float(mean_absolute_error(tf.constant([1.0, -2.0]), tf.constant([0.5, 1.0]))) == pytest.approx(
        1.75
    )


def test_perceptual_loss_by_hand():
    """Normalised, 1 and 3 are -1 and 1 (to 5e-6), and 5 and 1 are 1 and -1."""
    x = tf.constant([1.0, 3.0], shape=(1, 1, 2, 1))
    y = tf.constant([5.0, 1.0], shape=(1, 1, 2, 1))
    assert float(domain_invariant_perceptual_loss(x, y)) == pytest.approx(4, rel=1e-4)


def test_perceptual_loss_does_not_see_scale_and_offset_of_a_channel():
    x = tf.constant(np.random.default_rng(0).standard_normal((2, 4, 4, 3)))
    assert float(domain_invariant_perceptual_loss(x, x * [2.0, 3.0, 4.0] + [1.0, 2.0, 3.0])) < 1e-9


@pytest.mark.parametrize(
    "label, expected",
    [
        # softplus of 0.5, -3 and 1; the same less half of the logits; less the logits.
        (0.0, (0.9740770 + 0.0485874) / 2 + 1.3132617),
        (0.5, (0.7240770 + 1.5485874) / 2 + 0.8132617),
        (1.0, (0.4740770 + 3.0485874) / 2 + 0.3132617),
    ],
)
def test_classification(label, expected):
    assert float(classification_loss(FAKE, label)) == pytest.approx(expected, rel=1e-6)


def test_kl_of_unit_variance_is_the_mean_square():
    assert float(kl_divergence_of_unit_variance(tf.constant([[1.0, -2.0], [3.0, 0.0]]))) == pytest.approx(3.5)


def test_mode_seeking_is_the_inverse_of_images_over_styles():
    """Styles 2 apart and images 0.5: 4; styles 1 apart and images 0.25: 4; images that are alike: 1e5."""
    images = tf.zeros([2, 1, 2, 3])
    others = tf.constant([0.5, 0.25], shape=(2, 1, 1, 1)) + images
    styles, other_styles = tf.zeros([2, 2]), tf.constant([[1.0, -3.0], [1.0, 1.0]])
    assert float(mode_seeking_loss(images, others, styles, other_styles)) == pytest.approx(4, rel=1e-3)
    assert float(mode_seeking_loss(images, images, styles, other_styles)) == pytest.approx(1e5, rel=1e-3)
