"""Inspection of all images of a data set."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import itertools
import os
import sys
import time
from collections.abc import Iterator, Mapping

from tqdm import tqdm

from munit_tf.config.options import DataConfig
from munit_tf.data import registry, sources, tfds
from munit_tf.data.inspection import duplicates
from munit_tf.data.inspection.findings import KINDS, Finding
from munit_tf.data.inspection.images import Look, look

FEWEST = 100
UNBALANCED = 10
_AT_ONCE = 256


@dataclasses.dataclass(frozen=True)
class Inspection:
    """The result of an inspection.

    Attributes:
        counts: {place: number of images} for "trainA", "trainB" and, if present, "testA", "testB".
        looks: one for each image that is a file.
        findings: in the order of KINDS.
        decoded: whether the images were decoded.
        threads: the number of threads used.
        seconds: the time that the images took.
    """

    counts: dict[str, int]
    looks: list[Look]
    findings: list[Finding]
    decoded: bool
    threads: int
    seconds: float


def inspect(data_options: DataConfig, decode: bool = True) -> Inspection:
    """Inspects every image of a data set, with a progress bar on standard error.

    Args:
        data_options: data options.
        decode: whether to decode the images, or to read the headers only.

    Returns:
        What was found.

    Raises:
        InputError: the data set cannot be opened, see `registry.open_dataset`.
    """
    dataset = registry.open_dataset(dataclasses.replace(data_options, unreadable="error"))
    places = {
        f"{split}{domain.upper()}": source
        for split in ("train", "test")
        for domain, source in getattr(dataset, split).items()
    }
    counts = {place: len(source) for place, source in places.items()}
    files = {place: source for place, source in places.items() if isinstance(source, sources.ImageFiles)}
    threads = os.cpu_count() or 1
    begin = time.monotonic()
    looks = _look_at_all(files, data_options, decode, threads)
    seconds = time.monotonic() - begin
    findings = [finding for each in looks for finding in each.findings]
    findings += duplicates.find(looks)
    findings += _of_colors(looks)
    findings += of_counts(counts, bool(dataset.test))
    findings += _passed_over(data_options)
    order = list(KINDS)
    findings.sort(key=lambda finding: order.index(finding.kind))
    return Inspection(counts, looks, findings, decode, threads, seconds)


def of_counts(counts: Mapping[str, int], has_test: bool = True) -> list[Finding]:
    """Findings about the numbers of images, {place: number}."""
    findings = [] if has_test else [Finding("no_test", ())]
    for place in ("trainA", "trainB"):
        if counts[place] < FEWEST:
            findings.append(Finding("few", (), f"{place}: {counts[place]}"))
    fewer, more = sorted(("trainA", "trainB"), key=lambda place: counts[place])
    if counts[more] >= UNBALANCED * counts[fewer]:
        findings.append(Finding("unbalanced", (), f"{more}: {counts[more]}, {fewer}: {counts[fewer]}"))
    return findings


def _look_at_all(
    files: Mapping[str, sources.ImageFiles], data_options: DataConfig, decode: bool, threads: int
) -> list[Look]:
    items = ((source, i, place) for place, source in files.items() for i in range(len(source)))
    total = sum(map(len, files.values()))
    looks: list[Look] = []

    def check(item: tuple[sources.ImageFiles, int, str]) -> Look:
        source, index, place = item
        return look(source, index, place, data_options, decode)

    progress = tqdm(total=total, desc="checking", unit=" images", disable=None, file=sys.stderr)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool, progress:
        # In slices, because the pool queues everything that it is given.
        while some := list(itertools.islice(items, _AT_ONCE)):
            for seen in pool.map(check, some):
                looks.append(seen)
                progress.update()
    return looks


def _of_colors(looks: list[Look]) -> Iterator[Finding]:
    """Gray images in a domain with mostly colored ones, and the reverse."""
    for domain in "AB":
        known = [each for each in looks if each.place.endswith(domain) and each.gray is not None]
        gray = [each for each in known if each.gray]
        kind = "colored" if 2 * len(gray) > len(known) else "gray"
        for each in known:
            if each.gray == (kind == "gray"):
                yield Finding(kind, (each.name,))


def _passed_over(data_options: DataConfig) -> Iterator[Finding]:
    """Files in the folders of images that are not images; folders and hidden files are not reported."""
    if data_options.dataset in registry.NAMES:
        return
    if data_options.dataset:
        dataset = os.path.expanduser(data_options.dataset)
        folders = [os.path.join(dataset, name) for name in tfds.FOLDERS]
        if not any(map(os.path.isdir, folders)):  # With --edges, the images may be in the folder itself.
            folders = [dataset]
    else:
        folders = [getattr(data_options, place) or "" for place in ("train_a", "train_b", "test_a", "test_b")]
    for folder in filter(os.path.isdir, folders):
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if entry.is_file() and not entry.name.startswith(".") and not sources.is_image(entry.name):
                yield Finding("passed_over", (entry.path,))
