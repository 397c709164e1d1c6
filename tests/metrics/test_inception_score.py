"""IS, CIS and accuracy against a table worked out by hand."""

import numpy as np
import pytest

from munit_tf.errors import InputError
from munit_tf.metrics.inception_score import (
    accuracy,
    conditional_inception_score,
    inception_score,
    split_inception_score,
)

# Two inputs, two outputs each, two classes. The first input's outputs take both classes, the second's
# stay with the second one.
TABLE = np.array([[[1, 0], [0, 1]], [[0, 1], [0, 1]]], float)


def test_scores_by_hand():
    """All: p(class) = (1/4, 3/4): KL is log 4 once, log 4/3 three times. By input: log 2, log 2, 0, 0."""
    mean = (np.log(4) + 3 * np.log(4 / 3)) / 4
    assert inception_score(TABLE) == pytest.approx({"mean_kl": mean, "exp_mean_kl": np.exp(mean)})
    assert conditional_inception_score(TABLE) == pytest.approx(
        {"mean_kl": np.log(2) / 2, "exp_mean_kl": np.sqrt(2)}
    )


def test_soft_probabilities_by_hand():
    """(0.8, 0.2) and (0.4, 0.6), mean (0.6, 0.4)."""
    first = 0.8 * np.log(0.8 / 0.6) + 0.2 * np.log(0.2 / 0.4)
    second = 0.4 * np.log(0.4 / 0.6) + 0.6 * np.log(0.6 / 0.4)
    p = np.array([[[0.8, 0.2], [0.4, 0.6]]])
    assert inception_score(p)["mean_kl"] == pytest.approx((first + second) / 2)
    assert conditional_inception_score(p)["mean_kl"] == pytest.approx((first + second) / 2)


def test_diverse_inputs_without_diversity_given_one():
    """Each input has a class of its own: IS is the most there is, log 3; CIS is 0."""
    p = np.repeat(np.eye(3)[:, np.newaxis], 5, axis=1)
    assert inception_score(p)["mean_kl"] == pytest.approx(np.log(3))
    assert conditional_inception_score(p) == {"mean_kl": 0, "exp_mean_kl": 1}


def test_published_score_by_hand():
    """Three equally frequent classes are worth 3, outputs of one distribution 1."""
    assert split_inception_score(np.eye(3).repeat(4, 0), splits=1) == {
        "mean": pytest.approx(3),
        "std": pytest.approx(0),
    }
    assert split_inception_score(np.full((20, 5), 0.2)) == {"mean": pytest.approx(1), "std": pytest.approx(0)}
    # A part of one output is worth 1, whatever it is.
    assert split_inception_score(np.eye(3))["mean"] == pytest.approx(1)
    shuffled = split_inception_score(np.eye(2).repeat(50, 0), splits=2)
    assert shuffled["mean"] > 1.9 and shuffled["std"] > 0


def test_one_input_and_one_output():
    """For one input both are the same; for one output nothing differs."""
    assert inception_score(TABLE[:1]) == conditional_inception_score(TABLE[:1])
    assert conditional_inception_score(TABLE[:, :1])["mean_kl"] == 0


def test_accuracy():
    assert accuracy(TABLE, 1) == 0.75
    assert accuracy(TABLE, 0) == 0.25


@pytest.mark.parametrize(
    "p, message",
    [
        (np.array([[[0.5, np.nan]]]), "not finite"),
        (np.array([[[0.5, 0.4]]]), "add up to 1"),
        (np.array([[[1.5, -0.5]]]), "at least 0"),
        (np.zeros((0, 2, 2)), "no output"),
    ],
)
def test_bad_input(p, message):
    for score in (inception_score, conditional_inception_score):
        with pytest.raises(InputError, match=message):
            score(p)
