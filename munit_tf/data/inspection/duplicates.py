"""Images that are there more than once."""

from __future__ import annotations

import numpy as np

from munit_tf.data.inspection.findings import Finding

MAX_COMPARED = 50_000
# Of thumbnails, brightness and contrast aside. Measured on the Yosemite photos: the same photo in half the
# size or as a JPEG of quality 50 is at 0.9993 or more; of 1000 different photos no two are above 0.983.
LEAST_CORRELATION = 0.995
_LEAST_CONTRAST = 2  # In levels of 255: below it, a correlation is one of noise.
_ROWS = 1000


def find(looks):
    """The findings about images that are copies of others.

    Equal files, other files with equal pixels, and pictures that are nearly the same, such as one photo in
    two sizes or qualities, but not cropped or mirrored ones. The last are looked for among the first
    MAX_COMPARED images.

    Args:
        looks: list of images.Look.

    Returns:
        List of Finding: "train_and_test", "both_domains" or "repeated".
    """
    findings, seen = [], set()
    for digest, detail in (("file_digest", "the same bytes"), ("pixel_digest", "the same pixels")):
        groups = {}
        for index, look in enumerate(looks):
            if getattr(look, digest):
                groups.setdefault(getattr(look, digest), []).append(index)
        for group in groups.values():
            group = [index for index in group if index not in seen]  # Of equal files one speaks for all.
            if len(group) > 1:
                findings.append(_finding([looks[index] for index in group], detail))
                seen.update(group[1:])
    alone = [look for i, look in enumerate(looks) if i not in seen and look.thumbnail is not None]
    for group in _alike([look.thumbnail for look in alone[:MAX_COMPARED]]):
        findings.append(_finding([alone[i] for i in group], "nearly the same picture"))
    return findings


def _finding(looks, detail):
    places = {look.place for look in looks}
    if len({place[:-1] for place in places}) > 1:
        kind = "train_and_test"
    else:
        kind = "both_domains" if len(places) > 1 else "repeated"
    return Finding(kind, tuple(look.name for look in looks), detail)


def _alike(thumbnails):
    """Groups of indices of thumbnails, uint8 [8,8,3] each, that correlate by LEAST_CORRELATION or more.

    Each belongs with the first one that it is like: a film of a thousand frames is one group, not half a
    million pairs.
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
        alike = np.tril(rows @ vectors[: start + len(rows)].T >= LEAST_CORRELATION, start - 1)
        for row in np.flatnonzero(alike.any(axis=1)).tolist():
            index = start + row
            firsts[index] = firsts[int(alike[row].argmax())]
            groups.setdefault(firsts[index], [firsts[index]]).append(index)
    return list(groups.values())
