"""The way between two style codes."""

import numpy as np


def slerp(first, last, count):
    """Codes on the arc from one to another: spherical linear interpolation (Shoemake, 1985).

    Codes of N(0, I) lie near a sphere. The straight line would lead through codes shorter than any that
    the decoder was trained with; the arc does not (White, arXiv:1609.04468).

    Args:
        first: [D], the code to begin with.
        last: [D], the code to end with.
        count: how many, both ends included.

    Returns:
        float32 [count, D]. Where the two point the same or opposite ways, which makes no one arc, the
        straight line.
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
