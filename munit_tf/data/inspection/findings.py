"""The kinds of findings, in the order in which they are reported."""

from __future__ import annotations

import dataclasses

from munit_tf.data.screening import MAX_BYTES, MAX_PIXELS


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        fatal: training stops at it, or comes to nothing.
        title: what such images are.
        remedy: what to do about them.
    """

    fatal: bool
    title: str
    remedy: str


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something found.

    Attributes:
        kind: a key of KINDS.
        files: names of the images that it is about: one, some that are copies of one another, or none
            where it is about a whole domain.
        detail: what is particular about it, or "".
    """

    kind: str
    files: tuple[str, ...]
    detail: str = ""


# What --unreadable=skip passes over.
UNREADABLE = ("empty", "no_image", "truncated", "damaged", "unsupported", "too_large")
KINDS = {
    "missing": Kind(True, "not to be read from the disk", "restore them, or take them out"),
    "empty": Kind(True, "empty", "fetch them again or remove them"),
    "no_image": Kind(True, "no image, or of an unknown format", "fetch them again, convert or remove them"),
    "truncated": Kind(True, "cut off", "fetch them again or remove them"),
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
    # Instance norm multiplies gradients of a map without variance by 316, in one layer after the other.
    "constant": Kind(True, "of one colour all over", "remove them: gradients overflow and losses become NaN"),
    "train_and_test": Kind(
        False,
        "in training and test at once",
        "remove one of each: results on images that were trained on say little",
    ),
    "both_domains": Kind(
        False, "in both domains at once", "remove one of each: they teach that nothing is to be changed"
    ),
    "repeated": Kind(False, "there more than once", "remove the copies, which weigh too much"),
    "enlarged": Kind(
        False, "smaller than --resize", "remove them or lower --resize: they are enlarged and blurred"
    ),
    "oversized": Kind(
        False,
        "of four times the side that --resize makes of them, or more",
        "scale them down once; else all of each is decoded every time that it is shown",
    ),
    "elongated": Kind(
        False,
        "more than three times as long as wide",
        "crop them, if a random crop would often miss what matters",
    ),
    "grey": Kind(False, "grey among coloured ones", "remove them, or the model learns to paint in grey"),
    "coloured": Kind(False, "coloured among grey ones", "remove them or make them grey"),
    "misnamed": Kind(False, "of another format than the name says", "nothing: the content counts"),
    "animated": Kind(False, "of several frames or pages", "nothing, if the first is the one wanted"),
    "cmyk": Kind(False, "CMYK", "convert them to RGB: here it is done without their colour profile"),
    "deep": Kind(False, "of 16 bits", "nothing: they are brought to 8 bits"),
    "transparent": Kind(False, "transparent", "nothing, if white is right: they are put on it"),
    "turned": Kind(False, "stored turned (EXIF)", "nothing: they are turned upright"),
    "passed_over": Kind(
        False, "other files, which are not used", "nothing; photos among them (HEIC): convert them to JPEG"
    ),
    "few": Kind(False, "few images", "add some: some hundred are needed, some thousand are better"),
    "unbalanced": Kind(
        False, "ten times as many images of one domain, or more", "add some to the other: they are repeated"
    ),
    "no_test": Kind(False, "no test images", "keep some aside in testA and testB, to judge results by"),
}


def is_fatal(kind, unreadable):
    """Whether training stops at a kind of finding, or comes to nothing.

    Args:
        kind: a key of KINDS.
        unreadable: DataConfig's, "error" or "skip".
    """
    return KINDS[kind].fatal and not (unreadable == "skip" and kind in UNREADABLE)
