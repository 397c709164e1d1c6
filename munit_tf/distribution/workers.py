"""Training with several processes, on one or more machines, as described by TF_CONFIG."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from munit_tf.errors import InputError
from munit_tf.terminal import say

_EXAMPLE = (
    '{"cluster": {"worker": ["machine0:12345", "machine1:12345"]}, "task": {"type": "worker", "index": 0}}'
)


def join() -> tf.distribute.MultiWorkerMirroredStrategy:
    """Waits for all workers; returns their common strategy.

    Call it before TensorFlow runs its first operation.

    Raises:
        InputError: TF_CONFIG is missing or invalid, or this worker's address is unavailable.
    """
    addresses, own = read_cluster(os.environ.get("TF_CONFIG"))
    others = ", ".join(address for i, address in enumerate(addresses) if i != own)
    say(f"worker {own} of {len(addresses)} at {addresses[own]}, waiting for {others}", file=sys.stderr)
    # TensorFlow waits for up to an hour, and Python handles no signals during that time.
    interrupt = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        reason = " ".join(error.message.split())
        raise InputError(
            f"{addresses[own]} cannot join the other workers ({reason}): is its port free on this machine?"
        ) from error
    finally:
        signal.signal(signal.SIGINT, interrupt)
        # TensorFlow has installed its own handler, which ignores the signal.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def read_cluster(text: str | None) -> tuple[list[str], int]:
    """Parses TF_CONFIG.

    Args:
        text: the value of TF_CONFIG, or None.

    Returns:
        (addresses of all workers, the chief first; this worker's index in that list).

    Raises:
        InputError: TF_CONFIG is missing or invalid.
    """
    if not text:
        raise InputError(f"--strategy=multiworker needs TF_CONFIG in the environment, for example {_EXAMPLE}")
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        jobs = {name: list(cluster.get(name, [])) for name in ("chief", "worker")}
        addresses = jobs["chief"] + jobs["worker"]
        kind, index = task["type"], int(task["index"])
        hosts_and_ports = [address.rsplit(":", 1) for address in addresses]
        valid = all(host and 0 < int(port) < 2**16 for host, port in hosts_and_ports)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"TF_CONFIG={text} is not understood: it must look like {_EXAMPLE}") from error
    if not valid or len(set(addresses)) < len(addresses) or len(jobs["chief"]) > 1:
        raise InputError(f"TF_CONFIG={text}: each worker needs its own host:port, and at most one is chief")
    if kind not in jobs or not 0 <= index < len(jobs[kind]):
        raise InputError(f"TF_CONFIG={text}: its cluster has no task of type {kind} and index {index}")
    return addresses, index + (len(jobs["chief"]) if kind == "worker" else 0)


_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


class Workers:
    """The processes of a strategy and their communication; most strategies have one process.

    Args:
        strategy: a tf.distribute.Strategy.

    Attributes:
        strategy: the strategy.
        is_chief: whether this worker writes the run folder.
        count: the number of workers.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self.is_chief = strategy.extended.should_checkpoint
        self.strategy = strategy
        self._addresses = ["localhost"]
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            self._addresses, _ = read_cluster(os.environ.get("TF_CONFIG"))
        self.count = len(self._addresses)
        self._gather = tf.function(
            self._gather_numbers, input_signature=[tf.TensorSpec([None], tf.int32)], autograph=False
        )

    def all_reduce_max(self, number: int) -> int:
        """The largest number of all workers; waits for all of them."""
        if len(self._addresses) == 1:
            return number
        return int(max(self._gather([number])))

    def barrier(self) -> None:
        """Waits until all workers have called this method."""
        self.all_reduce_max(0)

    def check_same(self, options: Any, step: int) -> None:
        """Checks that all workers have the same options and step.

        Args:
            options: the Options of this worker.
            step: training steps taken.

        Raises:
            InputError: on all workers, if one has other options or another step than the chief.
        """
        if len(self._addresses) == 1:
            return
        steps, flagfiles = zip(*self._gather_pairs(step, options.to_flagfile()))
        for address, its_step, its_flags in zip(self._addresses, steps, flagfiles):
            its, chiefs = (
                " ".join(line for line in a.splitlines() if line not in b.splitlines()) or "the default"
                for a, b in ((its_flags, flagfiles[0]), (flagfiles[0], its_flags))
            )
            who = f"the worker at {address}"
            if its != chiefs:
                raise InputError(f"{who} has {its}, the chief {chiefs}: give all workers the same options")
            if its_step != steps[0]:
                raise InputError(
                    f"{who} begins at step {its_step}, the chief at step {steps[0]}: --output="
                    f"{options.train.output} must be one folder that all workers can access (and so must "
                    "--init_from)"
                )

    @contextlib.contextmanager
    def propagate_failure(self) -> Iterator[None]:
        """Raises an InputError in the block if another worker has ended."""
        try:
            yield
        except _LOST as error:
            if len(self._addresses) == 1:
                raise
            raise InputError(
                "another worker has ended or cannot be reached; see its messages. Start all workers again to "
                "resume from the newest checkpoint"
            ) from error

    def _gather_pairs(self, number: int, text: str) -> list[list[str]]:
        """[number, text] of every worker; a text must not contain null characters."""
        own = list(f"{number} {text}\0".encode())
        by_replica = self._gather(own).numpy().astype("uint8").tobytes().decode().split("\0")[:-1]
        of_workers = by_replica[:: len(by_replica) // len(self._addresses)]
        return [pair.split(" ", 1) for pair in of_workers]

    def _gather_numbers(self, numbers: tf.Tensor) -> tf.Tensor:
        """The numbers of all replicas, in the order of the replicas."""

        def gather():
            own = tf.identity(numbers)  # Copies the argument to the replica's device.
            return tf.distribute.get_replica_context().all_gather(own, axis=0)

        results = self.strategy.run(gather)
        return self.strategy.experimental_local_results(results)[0]
