"""An Inspection as text and as JSON."""

from __future__ import annotations

import collections
import itertools
import os
import statistics
from typing import Any

from munit_tf.data.inspection import duplicates
from munit_tf.data.inspection.findings import KINDS, Finding, is_fatal
from munit_tf.data.inspection.scan import Inspection
from munit_tf.terminal import escaped

_EXAMPLES = 3


def fatal_count(inspection: Inspection, unreadable: str) -> int:
    """The number of fatal findings; `unreadable` is the option `--unreadable`."""
    return sum(is_fatal(finding.kind, unreadable) for finding in inspection.findings)


def as_text(inspection: Inspection, unreadable: str) -> str:
    """The report in lines: images and sizes, fatal findings, advice.

    Args:
        inspection: the result of `scan.inspect`.
        unreadable: `--unreadable`, "error" or "skip".
    """
    lines = _sizes(inspection) + [""]
    groups: dict[bool, list[str]] = {True: [], False: []}
    for kind, found in itertools.groupby(inspection.findings, key=lambda finding: finding.kind):
        groups[is_fatal(kind, unreadable)] += _group(kind, list(found))
    if groups[True]:
        lines += ["FATAL: training stops at these, or fails to learn", *groups[True], ""]
    if groups[False]:
        lines += ["ADVICE", *groups[False], ""]
    lines += _how(inspection)
    fatal = fatal_count(inspection, unreadable)
    advice = len(inspection.findings) - fatal
    lines.append(f"{fatal} fatal, {advice} advice" if inspection.findings else "nothing found")
    return "\n".join(map(escaped, lines))


def as_json(inspection: Inspection, unreadable: str) -> dict[str, Any]:
    """The complete report for `json.dumps`: every finding with every file, and every size."""
    return {
        "images": inspection.counts,
        "decoded": inspection.decoded,
        "seconds": inspection.seconds,
        "threads": inspection.threads,
        "sizes": {
            place: [{"height": height, "width": width, "images": count} for (height, width), count in sizes]
            for place, sizes in _counted_sizes(inspection).items()
        },
        "findings": [
            {
                "kind": finding.kind,
                "fatal": is_fatal(finding.kind, unreadable),
                "files": list(finding.files),
                "detail": finding.detail,
            }
            for finding in inspection.findings
        ],
    }


def _counted_sizes(inspection: Inspection) -> dict[str, list[tuple[tuple[int, int], int]]]:
    counters: dict[str, collections.Counter] = {}
    for each in inspection.looks:
        if each.header:
            counter = counters.setdefault(each.place, collections.Counter())
            counter[each.header.height, each.header.width] += 1
    return {place: counter.most_common() for place, counter in counters.items()}


def _sizes(inspection: Inspection) -> list[str]:
    lines = [f"{'':10}{'images':>8}   {'shorter side (median)':24}{'longer / shorter':26}formats"]
    for place, count in inspection.counts.items():
        looks = [each for each in inspection.looks if each.place == place]
        headers = [each.header for each in looks if each.header]
        line = f"{place:10}{count:8}"
        if headers:
            shorter = [min(header.width, header.height) for header in headers]
            ratios = [
                max(header.width, header.height) / min(header.width, header.height) for header in headers
            ]
            span = f"{min(shorter)} to {max(shorter)} ({statistics.median_low(shorter)})"
            ratio = f"{min(ratios):.2f} to {max(ratios):.2f} ({statistics.median_low(ratios):.2f})"
            formats = collections.Counter(header.format for header in headers).most_common()
            line += f"   {span:24}{ratio:26}{', '.join(f'{name} {n}' for name, n in formats)}"
        elif not looks:
            line += "   no files: drawn on demand"
        lines.append(line)
    return lines


def _group(kind: str, found: list[Finding]) -> list[str]:
    files = sum(len(finding.files) for finding in found)
    lines = [f"  {f'{files} ' if files else ''}{KINDS[kind].title}: {KINDS[kind].remedy}"]
    for finding in found[:_EXAMPLES]:
        names = " = ".join(map(_short, finding.files[:_EXAMPLES]))
        names += f" and {len(finding.files) - _EXAMPLES} more" if len(finding.files) > _EXAMPLES else ""
        detail = f" ({finding.detail})" if names and finding.detail else finding.detail
        if names or detail:
            lines.append(f"      {names}{detail}")
    if len(found) > _EXAMPLES:
        lines.append(f"      and {len(found) - _EXAMPLES} more")
    return lines


def _short(path: str) -> str:
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def _how(inspection: Inspection) -> list[str]:
    count = len(inspection.looks)
    if not count:
        return []
    rate = count / max(inspection.seconds, 1e-3)
    speed = f"{count} images in {inspection.seconds:.1f} s, {rate:.0f} per second"
    if not inspection.decoded:
        return [f"headers read: {speed}; damage, duplicates and pixels were not checked"]
    lines = [f"decoded and checked: {speed}, with {inspection.threads} threads"]
    if count > duplicates.MAX_COMPARED:
        lines.append(f"near-duplicates were searched for among the first {duplicates.MAX_COMPARED} only")
    return lines
