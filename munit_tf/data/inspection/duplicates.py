"""Search for duplicate images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from munit_tf.data.inspection.findings import Finding
from munit_tf.data.inspection.images import Look

MAX_COMPARED = 50_000
# Of thumbnails, so brightness and contrast have no effect. Measured on the Yosemite photos: the same photo at
# half the size or as a JPEG of quality 50 has at least 0.9993; no two of 1000 different photos exceed 0.983.
LEAST_CORRELATION = 0.995
_LEAST_CONTRAST = 2  # In levels of 255: below it, only noise is correlated.
_ROWS = 1000


def find(looks: Sequence[Look]) -> list[Finding]:
    """Finds images that are copies of others.

    These are equal files, different files with equal pixels, and near-duplicates: one photo in two sizes or
    qualities, but not cropped or mirrored. Near-duplicates are searched for among the first MAX_COMPARED
    images.

    Args:
        looks: the images, decoded.

    Returns:
        Findings of the kinds "train_and_test", "both_domains" and "repeated".
    """
    findings: list[Finding] = []
    seen: set[int] = set()
    for digest, detail in (("file_digest", "the same bytes"), ("pixel_digest", "the same pixels")):
        groups: dict[bytes, list[int]] = {}
        for index, look in enumerate(looks):
            if getattr(look, digest):
                groups.setdefault(getattr(look, digest), []).append(index)
        for group in groups.values():
            group = [index for index in group if index not in seen]  # Keeps one of several equal files.
            if len(group) > 1:
                findings.append(_finding([looks[index] for index in group], detail))
                seen.update(group[1:])
    unique = [look for i, look in enumerate(looks) if i not in seen and look.thumbnail is not None]
    for group in _similar([look.thumbnail for look in unique[:MAX_COMPARED]]):
        findings.append(_finding([unique[i] for i in group], "nearly the same picture"))
    return findings


def _finding(looks: Sequence[Look], detail: str) -> Finding:
    places = {look.place for look in looks}
    if len({place[:-1] for place in places}) > 1:
        kind = "train_and_test"
    else:
        kind = "both_domains" if len(places) > 1 else "repeated"
    return Finding(kind, tuple(look.name for look in looks), detail)


def _similar(thumbnails):
    """Groups the indices of thumbnails, uint8 [8,8,3] each, with a correlation of LEAST_CORRELATION or more.

    Each belongs to the group of the first one that it resembles: a thousand frames of a video are one group,
    not half a million pairs.
    """
    if not thumbnails:
        return []
    vectors = np.stack(thumbnails).reshape(len(thumbnails), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.maximum(norms, _LEAST_CONTRAST * vectors.shape[1] ** 0.5)
    firsts, groups = list(range(len(vectors))), {}
    for start in range(0, len(vectors), _ROWS):
        rows = vectors[start : start + _ROWS]
        similar = np.tril(rows @ vectors[: start + len(rows)].T >= LEAST_CORRELATION, start - 1)
        for row in np.flatnonzero(similar.any(axis=1)).tolist():
            index = start + row
            firsts[index] = firsts[int(similar[row].argmax())]
            groups.setdefault(firsts[index], [firsts[index]]).append(index)
    return list(groups.values())
