"""What follows NaN and infinity: training stops, or goes back and on with other images and noise."""

import sys

from munit_tf.errors import InputError
from munit_tf.runs import checkpoints

_MOST_IN_A_ROW = 3


def restore_last_finite(model, folder, on_nan, error):
    """Sets a model back to its run's newest checkpoint, and notes that in `rollbacks.json`.

    Step k follows from the seed, k and the notes alone, so a run that is resumed goes the same way.

    Args:
        model: a compiled Translator.
        folder: its RunFolder.
        on_nan: "stop" or "rollback".
        error: the NotFinite.

    Raises:
        InputError: training is to stop: by `on_nan`, or as it is the third time in a row.
    """
    checkpoint = folder.newest_checkpoint()
    if not checkpoint:
        raise InputError(f"{error}, before the first checkpoint: try a smaller --learning_rate") from error
    if on_nan == "stop":
        raise InputError(
            f"{error}. {checkpoint.path} is finite: --on_nan=rollback goes on from there with other images "
            "and noise"
        ) from error
    notes = folder.read_rollbacks()
    if sum(note["to"] == checkpoint.step for note in notes) + 1 == _MOST_IN_A_ROW:
        raise InputError(
            f"{error}: NaN {_MOST_IN_A_ROW} times in a row after {checkpoint.path}, each with other images: "
            "begin anew with a smaller --learning_rate"
        ) from error
    folder.write_rollbacks([*notes, {"to": checkpoint.step, "reason": str(error)}])
    checkpoints.restore(model.named_state(), checkpoint)
    print(f"{error}; going on from step {checkpoint.step} with other images and noise", file=sys.stderr)
