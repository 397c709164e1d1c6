"""Handles NaN and infinity: training stops, or continues from a checkpoint with other images and noise."""

from __future__ import annotations

import sys

from munit_tf.errors import InputError
from munit_tf.models.translator import Translator
from munit_tf.runs import checkpoints
from munit_tf.runs.run_folder import RunFolder

_MOST_IN_A_ROW = 3


def restore_last_finite(
    model: Translator, folder: RunFolder, on_nan: str, error: checkpoints.NotFinite
) -> None:
    """Restores a model from its run's newest checkpoint and records that in `rollbacks.json`.

    Step k depends only on the seed, k and the recorded rollbacks, so a resumed run gives the same results.

    Args:
        model: a compiled model.
        folder: its run folder.
        on_nan: "stop" or "rollback".
        error: the error to handle.

    Raises:
        InputError: training stops, because of `on_nan`, because there is no checkpoint, or because it is
            the third time in a row.
    """
    checkpoint = folder.newest_checkpoint()
    if not checkpoint:
        raise InputError(f"{error}, before the first checkpoint: try a smaller --learning_rate") from error
    if on_nan == "stop":
        raise InputError(
            f"{error}. {checkpoint.path} is finite: --on_nan=rollback continues from it with other images "
            "and noise"
        ) from error
    rollbacks = folder.read_rollbacks()
    if sum(each["to"] == checkpoint.step for each in rollbacks) + 1 == _MOST_IN_A_ROW:
        raise InputError(
            f"{error}: NaN {_MOST_IN_A_ROW} times in a row after {checkpoint.path}, each with other images: "
            "start a new run with a smaller --learning_rate"
        ) from error
    folder.write_rollbacks([*rollbacks, {"to": checkpoint.step, "reason": str(error)}])
    checkpoints.restore(model.named_state(), checkpoint)
    print(f"{error}; continuing from step {checkpoint.step} with other images and noise", file=sys.stderr)
