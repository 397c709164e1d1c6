"""IS and CIS, from a classifier's probabilities."""

import numpy as np

from munit_tf.errors import InputError


def inception_score(probabilities):
    """IS: how far single outputs' classes are from those of all outputs.

    Salimans et al., "Improved Techniques for Training GANs", NeurIPS 2016: the mean over outputs of
    KL(p(class | output) || p(class)). That mean is what MUNIT's tables hold; its exp is what the
    authors' script prints and what others call IS.

    Args:
        probabilities: [..., C], of classes, over all outputs of all inputs.

    Returns:
        {"mean_kl", "exp_mean_kl"}.

    Raises:
        InputError: where these are not probabilities.
    """
    p = _checked(probabilities)
    return _result(_kl_from_mean(p.reshape(-1, p.shape[-1])))


def conditional_inception_score(probabilities):
    """CIS: how far single outputs' classes are from those of all outputs of the same input.

    MUNIT, section 5.2: the mean over inputs and outputs of KL(p(class | output) || p(class | input)).

    Args:
        probabilities: [inputs, outputs of each, C].

    Returns:
        {"mean_kl", "exp_mean_kl"}.

    Raises:
        InputError: where these are not probabilities.
    """
    p = _checked(probabilities)
    return _result(np.concatenate([_kl_from_mean(of_input) for of_input in p]))


def accuracy(probabilities, target_class):
    """The share of images that a classifier takes for the class of index `target_class`.

    Args:
        probabilities: [..., C].
        target_class: its index.

    Raises:
        InputError: where these are not probabilities.
    """
    return float(np.mean(np.argmax(_checked(probabilities), axis=-1) == target_class))


def _kl_from_mean(p):
    """KL(p_i || mean of p) for each row of [N,C]; 0 log 0 is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = p * (np.log(p) - np.log(p.mean(axis=0)))
    return np.where(p > 0, terms, 0.0).sum(axis=-1)


def _result(divergences):
    # The divergence of equal distributions can round to just below 0.
    mean = max(float(np.mean(divergences)), 0.0)
    return {"mean_kl": mean, "exp_mean_kl": float(np.exp(mean))}


def _checked(probabilities):
    p = np.asarray(probabilities, np.float64)
    if not p.size:
        raise InputError("there is no output to classify")
    if not np.all(np.isfinite(p)):
        raise InputError("class probabilities are not finite: look for NaN in the images")
    if np.any(p < 0) or np.any(np.abs(p.sum(axis=-1) - 1) > 1e-4):
        raise InputError("class probabilities must be at least 0 and add up to 1")
    return p
