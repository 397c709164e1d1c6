"""Whether training fits in memory, judged before it begins."""

from __future__ import annotations

from munit_tf import machine, runs
from munit_tf.config import Options, costly
from munit_tf.models import METHODS
from munit_tf.models.memory import footprint

_FLOAT = 4
# Batches that are there at the same time: one in use, and two that are loaded meanwhile.
_BATCHES = 3


def check(options: Options, replicas: int) -> None:
    """Refuses to train what certainly does not fit.

    Args:
        options: the run's.
        replicas: how many devices share a batch.

    Raises:
        InputError: the networks and a step, or the batches, need more memory than there is.
    """
    data, train, model = options.data, options.train, options.model
    height, width = data.image_size
    large = costly(model, train, data)
    given = f"{' '.join(large.values())}: " if large else ""
    names = dict.fromkeys(
        [*large, "--image_size", *(["--batch_size"] if train.batch_size > replicas else [])]
    )

    with runs.precision_policy(train.precision):
        found = footprint(METHODS[train.method], model, train.batch_size // replicas, height, width)
    less = train.recompute or train.jit_compile
    remedy = f"lower {' or '.join(names)}" + ("" if less else ", or add --recompute")
    machine.require(
        found.step(less) + _FLOAT * model.remembered(height, width),
        f"{given}the networks and one training step",
        remedy,
    )

    batch = train.batch_size * 2 * height * width * 3 * _FLOAT
    decoded = 3 * data.resize**2
    machine.require(
        _BATCHES * batch + decoded, f"{given}loading images", f"lower {' or '.join(names)}", host=True
    )
