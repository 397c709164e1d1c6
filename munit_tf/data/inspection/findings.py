"""The kinds of findings, in the order of the report."""

from __future__ import annotations

import dataclasses

from munit_tf.data.screening import MAX_BYTES, MAX_PIXELS


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        fatal: training stops at it, or fails to learn.
        title: describes the images.
        remedy: what to do about them.
    """

    fatal: bool
    title: str
    remedy: str


@dataclasses.dataclass(frozen=True)
class Finding:
    """A finding about an image, a group of duplicates or a domain.

    Attributes:
        kind: a key of KINDS.
        files: names of the images: one, several duplicates, or none for a finding about a domain.
        detail: specifics of this finding, or "".
    """

    kind: str
    files: tuple[str, ...]
    detail: str = ""


# The kinds that --unreadable=skip ignores.
UNREADABLE = ("empty", "no_image", "truncated", "damaged", "unsupported", "too_large")
KINDS = {
    "missing": Kind(True, "impossible to read from the disk", "restore them, or remove them"),
    "empty": Kind(True, "empty", "fetch them again or remove them"),
    "no_image": Kind(
        True, "not an image, or of an unknown format", "fetch them again, convert or remove them"
    ),
    "truncated": Kind(True, "truncated", "fetch them again or remove them"),
    "damaged": Kind(True, "damaged", "fetch them again or remove them"),
    "unsupported": Kind(True, "with an unknown kind of pixels", "convert them to 8 or 16 bits"),
    "too_large": Kind(
        True,
        f"of more than {MAX_PIXELS} pixels, {MAX_BYTES >> 30} GiB or another limit of docs/limits.md",
        "scale them down or remove them",
    ),
    "too_small": Kind(
        True, "too small for --image_size", "remove them, raise --resize or lower --image_size"
    ),
    "too_thin": Kind(True, "too long and thin for --resize", "crop or remove them"),
    # Without reflected borders each instance norm multiplies the gradients of a map without variance by 316.
    "constant": Kind(
        True,
        "of one color only",
        "remove them: with zero padding losses can become NaN",
    ),
    "train_and_test": Kind(
        False,
        "in both training and test",
        "remove one of each: results on training images say little",
    ),
    "both_domains": Kind(
        False, "in both domains", "remove one of each: they teach the model to change nothing"
    ),
    "repeated": Kind(False, "duplicates", "remove the copies: training shows them too often"),
    "enlarged": Kind(
        False, "smaller than --resize", "remove them or lower --resize: they are enlarged and blurred"
    ),
    "oversized": Kind(
        False,
        "at least four times as large as --resize",
        "scale them down once: every access decodes the full image",
    ),
    "elongated": Kind(
        False,
        "more than three times as long as wide",
        "crop them if random crops would often miss the subject",
    ),
    "gray": Kind(False, "gray among colored ones", "remove them, or the model learns to produce gray images"),
    "colored": Kind(False, "colored among gray ones", "remove them or make them gray"),
    "misnamed": Kind(False, "in a format other than the name says", "nothing: the content counts"),
    "animated": Kind(False, "of several frames or pages", "nothing, if you want the first one"),
    "cmyk": Kind(False, "CMYK", "convert them to RGB: training ignores their color profile"),
    "deep": Kind(False, "16-bit", "nothing: they are converted to 8 bits"),
    "transparent": Kind(False, "transparent", "nothing, if a white background is right"),
    "turned": Kind(False, "stored rotated (EXIF)", "nothing: they are rotated upright"),
    "passed_over": Kind(
        False, "other files, which are ignored", "nothing; convert photos among them (HEIC) to JPEG"
    ),
    "few": Kind(False, "few images", "add some: a few hundred are needed, a few thousand are better"),
    "unbalanced": Kind(
        False, "at least ten times as many images in one domain", "add some to the other: they are repeated"
    ),
    "no_test": Kind(False, "no test images", "put some in testA and testB, with --edges in testB"),
}


def is_fatal(kind: str, unreadable: str) -> bool:
    """Whether training stops at a kind of finding, or fails to learn.

    Args:
        kind: a key of KINDS.
        unreadable: `--unreadable`, "error" or "skip".
    """
    return KINDS[kind].fatal and not (unreadable == "skip" and kind in UNREADABLE)
