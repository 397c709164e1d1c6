"""Whether training fits in memory, judged before it begins."""

from __future__ import annotations

from munit_tf import machine
from munit_tf.config import Options, costly, one_of
from munit_tf.models import METHODS
from munit_tf.models.memory import footprint

_FLOAT32 = 4
_HALF = 2
# Batches that are there at the same time: one in use, and two that are loaded meanwhile.
_BATCHES = 3


def check(options: Options, replicas: int) -> None:
    """Refuses to train what certainly does not fit.

    Args:
        options: the run's.
        replicas: how many devices share a batch.

    Raises:
        InputError: the networks and a step, or the images, need more memory than there is.
    """
    data, train, model = options.data, options.train, options.model
    height, width = data.image_size
    large = costly(model, train, data)
    given = f"{' '.join(large.values())}: " if large else ""
    names = dict.fromkeys(
        [*large, "--image_size", *(["--batch_size"] if train.batch_size > replicas else [])]
    )
    remedy = f"lower {one_of(names)}"

    batches = _BATCHES * 2 * train.batch_size * height * width * 3 * _FLOAT32
    resized = data.resize**2 * 3
    machine.require(batches + resized, f"{given}loading images needs", remedy, host=True)

    found = footprint(METHODS[train.method], model, train.batch_size // replicas, height, width)
    number_size = _FLOAT32 if train.precision == "float32" else _HALF
    step, recomputed = (found.step(number_size, recompute) for recompute in (False, True))
    if train.recompute or train.jit_compile:
        step = recomputed
    elif recomputed < step / 2:
        remedy += ", or add --recompute"
    kept = model.remembered(height, width) * _FLOAT32
    machine.require(step + kept, f"{given}the networks and one training step need", remedy)
