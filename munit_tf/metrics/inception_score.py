"""IS and CIS, from the probabilities of a classifier or of Inception-v3."""

import numpy as np

from munit_tf.errors import InputError


def inception_score(probabilities: np.ndarray) -> dict[str, float]:
    """IS: how much the class distribution of single outputs differs from that of all outputs.

    Salimans et al., "Improved Techniques for Training GANs", NeurIPS 2016: the mean over outputs of
    KL(p(class | output) || p(class)). MUNIT's tables give that mean. The authors' script prints its exp,
    which is usually called IS.

    Args:
        probabilities: [..., C], class probabilities of all outputs of all inputs.

    Returns:
        {"mean_kl", "exp_mean_kl"}.

    Raises:
        InputError: the values are not probabilities.
    """
    p = _checked(probabilities)
    return _result(_kl_from_mean(p.reshape(-1, p.shape[-1])))


def split_inception_score(probabilities: np.ndarray, splits: int = 10, seed: int = 0) -> dict[str, float]:
    """The Inception Score as it is published: exp of IS, mean and std over parts of the outputs.

    Salimans et al. 2016, the authors' code. The outputs are shuffled first, so that no part has all outputs
    of an input.

    Args:
        probabilities: [N,C], class probabilities of all outputs.
        splits: number of parts of nearly equal size, or N if that is smaller.
        seed: seed of the order.

    Returns:
        {"mean", "std" over the parts}.

    Raises:
        InputError: the values are not probabilities.
    """
    p = _checked(probabilities)
    parts = np.array_split(np.random.default_rng(seed).permutation(p), min(splits, len(p)))
    scores = [np.exp(np.mean(_kl_from_mean(part))) for part in parts]
    return {"mean": float(np.mean(scores)), "std": float(np.std(scores))}


def conditional_inception_score(probabilities: np.ndarray) -> dict[str, float]:
    """CIS: how much the class distribution of single outputs differs from that of one input's outputs.

    MUNIT, section 5.2: the mean over inputs and outputs of KL(p(class | output) || p(class | input)).

    Args:
        probabilities: [num_inputs, num_outputs, C].

    Returns:
        {"mean_kl", "exp_mean_kl"}.

    Raises:
        InputError: the values are not probabilities.
    """
    p = _checked(probabilities)
    return _result(np.concatenate([_kl_from_mean(of_input) for of_input in p]))


def accuracy(probabilities: np.ndarray, target_class: int) -> float:
    """The fraction of images that a classifier assigns to a class, in [0, 1].

    Args:
        probabilities: [..., C].
        target_class: index of the class.

    Raises:
        InputError: the values are not probabilities.
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
        raise InputError("class probabilities are not finite: check the images for NaN")
    if np.any(p < 0) or np.any(np.abs(p.sum(axis=-1) - 1) > 1e-4):
        raise InputError("class probabilities must be at least 0 and add up to 1")
    return p
