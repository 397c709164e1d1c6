"""Several processes, on one machine or more, that train one model; TF_CONFIG says which there are."""

import contextlib
import json
import os
import signal
import sys

import tensorflow as tf

from munit_tf.errors import InputError
from munit_tf.terminal import say

_EXAMPLE = (
    '{"cluster": {"worker": ["machine0:12345", "machine1:12345"]}, "task": {"type": "worker", "index": 0}}'
)


def join():
    """The strategy of all workers together, once every one of them has come.

    To be called before TensorFlow runs its first operation.

    Returns:
        tf.distribute.MultiWorkerMirroredStrategy.

    Raises:
        InputError: TF_CONFIG is missing or does not make sense, or its address is not to be had.
    """
    addresses, own = read_cluster(os.environ.get("TF_CONFIG"))
    others = ", ".join(address for i, address in enumerate(addresses) if i != own)
    say(f"worker {own} of {len(addresses)} at {addresses[own]}, waiting for {others}", file=sys.stderr)
    # Python does not get to see a signal while TensorFlow waits, which it does for up to an hour.
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
        # TensorFlow has taken this one for itself, and does nothing on it.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def read_cluster(text):
    """What TF_CONFIG says.

    Args:
        text: its value, or None.

    Returns:
        (addresses of all workers, the chief's first; the index of this one among them).

    Raises:
        InputError: it is missing or does not make sense.
    """
    if not text:
        raise InputError(f"--strategy=multiworker needs TF_CONFIG in the environment, such as {_EXAMPLE}")
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        jobs = {name: list(cluster.get(name, [])) for name in ("chief", "worker")}
        addresses = jobs["chief"] + jobs["worker"]
        kind, index = task["type"], int(task["index"])
        hosts_and_ports = [address.rsplit(":", 1) for address in addresses]
        good = all(host and 0 < int(port) < 2**16 for host, port in hosts_and_ports)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"TF_CONFIG={text} is not understood: it should look like {_EXAMPLE}") from error
    if not good or len(set(addresses)) < len(addresses) or len(jobs["chief"]) > 1:
        raise InputError(f"TF_CONFIG={text}: every worker has a host:port of its own, and one may be chief")
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
    """The processes of a strategy, and what they tell each other; of most strategies there is one.

    Args:
        strategy: a tf.distribute.Strategy.

    Attributes:
        strategy: the strategy.
        is_chief: whether this is the one that writes the run folder.
    """

    def __init__(self, strategy):
        self.is_chief = strategy.extended.should_checkpoint
        self.strategy = strategy
        self._addresses = ["localhost"]
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            self._addresses, _ = read_cluster(os.environ.get("TF_CONFIG"))
        self._gather = tf.function(
            self._gather_numbers, input_signature=[tf.TensorSpec([None], tf.int32)], autograph=False
        )

    def all_reduce_max(self, number):
        """The largest of all workers' numbers; each waits here for all others."""
        if len(self._addresses) == 1:
            return number
        return int(max(self._gather([number])))

    def barrier(self):
        """Returns once all workers have come here."""
        self.all_reduce_max(0)

    def check_same(self, options, step):
        """Makes sure that all workers are about to do the same.

        Args:
            options: config.Options of this worker.
            step: the training steps behind it.

        Raises:
            InputError: on all workers, where one has other options than the chief, or another step.
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
                    f"{options.train.output} must be one folder that all workers see"
                )

    @contextlib.contextmanager
    def propagate_failure(self):
        """Ends this worker where another one has ended, with an InputError that says so."""
        try:
            yield
        except _LOST as error:
            if len(self._addresses) == 1:
                raise
            raise InputError(
                "another worker has ended or cannot be reached, and says why if it can: start all workers "
                "again, and training goes on from the newest checkpoint"
            ) from error

    def _gather_pairs(self, number, text):
        """[number, text] of every worker; no text holds a null character."""
        own = list(f"{number} {text}\0".encode())
        by_replica = self._gather(own).numpy().astype("uint8").tobytes().decode().split("\0")[:-1]
        of_workers = by_replica[:: len(by_replica) // len(self._addresses)]
        return [pair.split(" ", 1) for pair in of_workers]

    def _gather_numbers(self, numbers):
        """The numbers of all replicas, in their order."""

        def gather():
            own = tf.identity(numbers)  # On the replica's device, which a function's argument is not.
            return tf.distribute.get_replica_context().all_gather(own, axis=0)

        results = self.strategy.run(gather)
        return self.strategy.experimental_local_results(results)[0]
