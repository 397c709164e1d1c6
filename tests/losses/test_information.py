"""MILO and KL, against numbers worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from munit_tf.losses.information import kl_divergence, mutual_information_loss, reparametrize

LN_4 = 1.3862944


def gradients(function, *values):
    """(value, gradient of each) of a function of float64 tensors."""
    tensors = [tf.constant(value, tf.float64) for value in values]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        result = function(*tensors)
    return result.numpy(), [x.numpy() for x in tape.gradient(result, tensors)]


def test_milo_and_its_gradients():
    """One image, two dimensions: z - mean is 1 and -2, the variance 1 and 4.

    (1 / 2 + 0 + 4 / 8 + ln(4) / 2) / 2. By the mean: -(z - mean) / variance / 2, by z the opposite; by
    the log variance: (1 - (z - mean)^2 / variance) / 4, which is zero where the variance is the error's.
    """
    value, (by_style, by_mean, by_log_variance) = gradients(
        mutual_information_loss, [[3.0, -1.0]], [[2.0, 1.0]], [[0.0, LN_4]]
    )
    assert value == pytest.approx((1 + LN_4 / 2) / 2)
    np.testing.assert_allclose(by_style, [[0.5, -0.25]], rtol=1e-6)
    np.testing.assert_allclose(by_mean, [[-0.5, 0.25]], rtol=1e-6)
    np.testing.assert_allclose(by_log_variance, [[0, 0]], atol=1e-7)


def test_milo_is_a_mean_over_images_and_dimensions():
    """The same two dimensions in two images, one of them guessed right: (1/2 + 1/2 + ln(4)/2 + 0) / 4."""
    value, (_, by_mean, by_log_variance) = gradients(
        mutual_information_loss,
        [[3.0, -1.0], [0.0, 5.0]],
        [[2.0, 1.0], [0.0, 5.0]],
        [[0.0, LN_4], [0.0, 0.0]],
    )
    assert value == pytest.approx((1 + LN_4 / 2) / 4)
    np.testing.assert_allclose(by_mean, [[-0.25, 0.125], [0, 0]], rtol=1e-6)
    # Where the guess is right a smaller variance is better: 1 / 8 an element.
    np.testing.assert_allclose(by_log_variance, [[0, 0], [0.125, 0.125]], atol=1e-7)


def test_milo_may_be_negative():
    assert mutual_information_loss([[1.0]], [[1.0]], [[-4.0]]).numpy() == pytest.approx(-2)


def test_milo_falls_where_the_guess_is_right_and_rises_where_it_is_wrong():
    z, other = tf.constant([[1.0, -1.0]]), tf.constant([[-1.0, 1.0]])
    unsure, sure = tf.zeros([1, 2]), tf.fill([1, 2], -2.0)
    loss = mutual_information_loss
    assert loss(z, z, sure) < loss(z, z, unsure) < loss(z, other, unsure) < loss(z, other, sure)


def test_kl_and_its_gradients():
    """Two images: (1 + 0 + 4 + (4 - 1 - ln 4)) / 2 = 4 - ln(4) / 2 and 0, hence half of the first."""
    value, (by_mean, by_log_variance) = gradients(
        kl_divergence, [[1.0, 2.0], [0.0, 0.0]], [[0.0, LN_4], [0.0, 0.0]]
    )
    assert value == pytest.approx((4 - LN_4 / 2) / 2)
    np.testing.assert_allclose(by_mean, [[0.5, 1], [0, 0]])
    np.testing.assert_allclose(by_log_variance, [[0, 3 / 4], [0, 0]], rtol=1e-6, atol=1e-12)


def test_reparametrize_and_its_gradients():
    """1 + 2 * 0.5 and -1 + 1 * -3; by the log variance: std * epsilon / 2."""
    value, (by_mean, by_log_variance) = gradients(
        lambda mean, log_variance: tf.reduce_sum(reparametrize(mean, log_variance, [[0.5, -3.0]])),
        [[1.0, -1.0]],
        [[LN_4, 0.0]],
    )
    assert value == pytest.approx(2 - 4)
    np.testing.assert_allclose(by_mean, [[1, 1]])
    np.testing.assert_allclose(by_log_variance, [[0.5, -1.5]], rtol=1e-6)


@pytest.mark.parametrize("log_variance", [-1e30, -100.0, -6.0, 6.0, 100.0, 1e30])
def test_finite_for_any_log_variance(log_variance):
    """In float32, where exp(100) is not; beyond 6 it is as at 6."""
    bound = np.clip(log_variance, -6, 6)
    variable = tf.constant([[log_variance]])
    one = tf.ones([1, 1])
    for function, expected in (
        (lambda v: mutual_information_loss(one, 0 * one, v), np.exp(-bound) / 2 + bound / 2),
        (lambda v: kl_divergence(one, v), (np.exp(bound) - bound) / 2),
        (lambda v: tf.reduce_sum(reparametrize(one, v, one)), 1 + np.exp(bound / 2)),
    ):
        with tf.GradientTape() as tape:
            tape.watch(variable)
            value = function(variable)
        assert float(value) == pytest.approx(expected, rel=1e-6)
        assert np.isfinite(tape.gradient(value, variable)).all()


@pytest.mark.parametrize(
    "error, log_variance, expected",
    [
        # (1 - error^2 / variance) / 2, the variance at its bound: descending it leads out, so it is cut.
        (0.0, -7.0, 0.0),
        # The code was off by 1 where it was sure to exp(-3): the way back is open.
        (1.0, -7.0, (1 - np.exp(6)) / 2),
        (1.0, 7.0, (1 - np.exp(-6)) / 2),
        (np.exp(3) * 2, 7.0, 0.0),
    ],
)
def test_a_gradient_that_leads_back_into_the_range_passes(error, log_variance, expected):
    _, (_, _, by_log_variance) = gradients(mutual_information_loss, [[error]], [[0.0]], [[log_variance]])
    assert by_log_variance.item() == pytest.approx(expected)
