"""The format number of what munit_tf writes to disk and reads again: run folders and checkpoints.

A change of either format raises the number and comes with a way to read the older ones.

- 0: munit_tf 0.1.0, which wrote no number. Image pools are called `memory` in checkpoints.
- 1: `run.flags` and each checkpoint's `state.format` hold the number.
"""

from __future__ import annotations

import munit_tf
from munit_tf.errors import InputError

FORMAT = 1


def check(number: int, path: object) -> None:
    """Refuses a format that this version of munit_tf does not know.

    Args:
        number: the format of the file or folder at `path`.
        path: for the message.

    Raises:
        InputError: the format is newer.
    """
    if number > FORMAT:
        raise InputError(
            f"{path} has format {number}, and munit_tf {munit_tf.__version__} reads formats up to {FORMAT}: "
            "update munit_tf"
        )
