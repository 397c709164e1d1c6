"""Interpolation between two style codes."""

import numpy as np


def slerp(first: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """Spherical linear interpolation between two codes (Shoemake, 1985).

    Codes of N(0, I) lie near a sphere. A straight line would pass through shorter codes than those the
    decoder was trained on; the arc does not (White, arXiv:1609.04468).

    Args:
        first: [D], the first code.
        last: [D], the last code.
        count: the number of codes, including both ends.

    Returns:
        float32 [count, D]. If the two have the same or opposite directions, so that the arc is not unique,
        the straight line.
    """
    first, last = (np.asarray(end, np.float64) for end in (first, last))
    t = np.linspace(0, 1, count)[:, np.newaxis]
    lengths = np.linalg.norm(first) * np.linalg.norm(last)
    cosine = np.clip(first @ last / lengths, -1, 1) if lengths else 1.0
    angle = np.arccos(cosine)
    if np.sin(angle) < 1e-6:
        codes = (1 - t) * first + t * last
    else:
        codes = (np.sin((1 - t) * angle) * first + np.sin(t * angle) * last) / np.sin(angle)
    return codes.astype(np.float32)
