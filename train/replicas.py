"""Replicas that train as one: the GPUs of this machine, the workers of TF_CONFIG, or both.

One code path for all: with one replica everything here does nothing. Sums over a batch go through `total`, which adds
up what the replicas hold, and is differentiable: its gradient is the sum of the replicas' gradients.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from train.cluster import Cluster, WorkerLost

# What a collective operation ends with when a worker of it is gone: its connection is cut, or it sent no heartbeat for
# 10 s (TensorFlow's coordination service, which MultiWorkerMirroredStrategy starts on the first worker).
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
)


def strategy_of(cluster: Cluster) -> tf.distribute.Strategy:
    """The strategy for the workers and GPUs at hand; waits for all workers. To be called before TensorFlow computes.

    Raises:
        WorkerLost: they did not all come.
    """
    if cluster.workers > 1:
        handler = signal.getsignal(signal.SIGTERM)
        with lost_is_told(cluster):
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        # TensorFlow took SIGTERM, to tell the others of a preemption, and would not end.
        signal.signal(signal.SIGTERM, handler)
        return strategy
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def count() -> int:
    """Replicas that the step which is being traced runs on; 1 outside of a step."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else int(context.num_replicas_in_sync)


def total(value: tf.Tensor) -> tf.Tensor:
    """The sum over the replicas of a tensor of one shape, on every replica."""
    if count() == 1:
        return value
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def part(batch: tf.Tensor, local: int) -> tf.Tensor:
    """What this replica takes of its worker's batch, which `local` replicas share evenly."""
    if local == 1:
        return batch
    position = tf.distribute.get_replica_context().replica_id_in_sync_group % local
    size = tf.shape(batch)[0] // local
    return batch[position * size : (position + 1) * size]


def gather(strategy: tf.distribute.Strategy, values: Sequence[float]) -> npt.NDArray[np.float64]:
    """The numbers that each replica's worker gave, float64 [replicas, numbers]; a barrier, too."""
    rows = tf.constant([values], tf.float64)
    if strategy.num_replicas_in_sync == 1:
        return np.asarray(rows)

    def exchange() -> tf.Tensor:
        # A tensor made here lies on the replica's device; one that is handed in lies on none, and is refused.
        return tf.distribute.get_replica_context().all_gather(tf.identity(rows), axis=0)

    gathered = tf.function(lambda: strategy.run(exchange))()
    return np.asarray(strategy.experimental_local_results(gathered)[0])


@contextmanager
def lost_is_told(cluster: Cluster) -> Iterator[None]:
    """Turns the failure of a collective operation into WorkerLost."""
    try:
        yield
    except _LOST as error:
        if cluster.workers == 1:
            raise
        reason = str(error.message).strip().split("Collective ops is aborted by: ")[-1].splitlines()[0]
        raise WorkerLost(
            f"worker {cluster.index} of {cluster.workers} lost another one ({reason}); started again with --resume, "
            f"all go on from the last whole epoch"
        ) from error
