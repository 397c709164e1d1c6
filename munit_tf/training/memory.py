"""Estimates before training whether it fits in memory."""

from __future__ import annotations

from munit_tf import machine
from munit_tf.config.options import Options
from munit_tf.config.schema import costly, one_of
from munit_tf.models.memory import step_bytes

# Batches in memory at the same time: one in use and two that are being loaded.
_BATCHES = 3


def check(options: Options, replicas: int, workers: int) -> None:
    """Refuses training that certainly does not fit.

    Args:
        options: the run's options.
        replicas: the number of devices that share a batch.
        workers: the number of machines; each loads its share of the images.

    Raises:
        InputError: the networks and a step, or the images, need more memory than is available.
    """
    data, train, model = options.data, options.train, options.model
    height, width = data.image_size
    large = costly(model, train, data)
    given = f"{' '.join(large.values())}: " if large else ""
    names = [*large, "--image_size", *(["--batch_size"] if train.batch_size > replicas else [])]
    remedy = f"lower {one_of(dict.fromkeys(names))}"

    rows = train.batch_size // workers
    batches = _BATCHES * 2 * rows * height * width * 3 * 4
    machine.require(batches + data.resize**2 * 3, f"{given}loading images needs", remedy, host=True)

    value_bytes = 4 if train.precision == "float32" else 2
    recompute = train.recompute or train.jit_compile
    step = step_bytes(model, train.batch_size // replicas, data.image_size, value_bytes, recompute)
    if not recompute:
        remedy += ", or add --recompute"
    machine.require(
        step + 4 * model.pooled_values(height, width),
        f"{given}the networks and one training step need",
        remedy,
    )
