"""Check of some headers before training starts."""

from __future__ import annotations

import collections
import time
from collections.abc import Mapping

from munit_tf.config.options import DataConfig
from munit_tf.data.inspection.findings import KINDS, Finding, is_fatal
from munit_tf.data.inspection.images import look
from munit_tf.data.inspection.scan import of_counts
from munit_tf.data.readable_images import ReadableImages
from munit_tf.data.sources import ImageFiles, Source
from munit_tf.errors import InputError

SAMPLE = 1000
_SECONDS = 2
# Reported before training; munit_tf.doctor reports the others.
_ADVICE = ("unbalanced", "few", "enlarged", "oversized", "elongated")
_MOST_LINES = 3
_DOCTOR = "python -m munit_tf.doctor with the flags of this training"


def check(train: Mapping[str, Source], data_options: DataConfig) -> list[str]:
    """Reads the headers of at most SAMPLE images per domain, for at most two seconds in total.

    Args:
        train: {domain: source}.
        data_options: data options.

    Returns:
        A few lines of advice, or [].

    Raises:
        InputError: training would stop at one of the images.
    """
    deadline = time.monotonic() + _SECONDS
    findings = of_counts({f"train{domain.upper()}": len(source) for domain, source in train.items()})
    sources = {d: s.files if isinstance(s, ReadableImages) else s for d, s in train.items()}
    files = {domain: source for domain, source in sources.items() if isinstance(source, ImageFiles)}
    if not files:
        return []
    looked = 0
    for i in range(SAMPLE):
        for images in files.values():  # Alternates, so that both domains are checked on a slow disk, too.
            count = min(len(images), SAMPLE)
            if i < count and time.monotonic() < deadline:
                findings += look(images, i * len(images) // count, "", data_options, decode=False).findings
                looked += 1
    return _advice(findings, looked, sum(map(len, files.values())), data_options.unreadable)


def _advice(findings: list[Finding], looked: int, total: int, unreadable: str) -> list[str]:
    by_kind = collections.defaultdict(list)
    for finding in findings:
        by_kind[finding.kind].append(finding)
    for kind, found in by_kind.items():
        if is_fatal(kind, unreadable):
            first, remedy = found[0], KINDS[kind].remedy
            detail = f" ({first.detail})" if first.detail else ""
            raise InputError(
                f"{first.files[0]} is {KINDS[kind].title}{detail}: {remedy}; this concerns {len(found)} of "
                f"{looked} images whose headers were checked; {_DOCTOR} checks all {total}"
            )
    lines = []
    for kind in _ADVICE:
        if found := by_kind[kind]:
            count = f"{len(found)} of {looked} images are " if found[0].files else ""
            example = found[0].files[0] if found[0].files else "; ".join(each.detail for each in found)
            lines.append(f"advice: {count}{KINDS[kind].title} ({example}): {KINDS[kind].remedy}")
    lines = lines[:_MOST_LINES]
    if lines:
        some = "" if looked == total else f"the headers of {looked} of {total} images were checked; "
        lines.append(f"advice: {some}{_DOCTOR} checks all")
    return lines
