"""Batches streamed from disk: what is in memory is a few batches, whatever the size of the data set.

Threads read ahead on all cores: decoding and OpenCV release the interpreter lock. Order and augmentation follow from
(seed, epoch, index of the pair) alone, so an interrupted run goes on with exactly the samples that it would have had,
and several workers read, each its share, the batches that one would read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from runtime import cores, datasets
from runtime.datasets import Pair
from runtime.errors import DataInvalid
from runtime.frames import Frame, Mask
from train import augment
from train.cluster import ALONE, Cluster
from train.settings import Settings

Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
"""Frames, uint8 batch x h x w x 3 RGB; truths, uint8 batch x h x w category ids."""

AHEAD = 3
"""Batches that are prepared before they are asked for: rides out one slow read, costs 3 MB each."""


class Loader:
    """Training batches of a list of pairs."""

    def __init__(
        self, pairs: list[Pair], settings: Settings, cluster: Cluster = ALONE, readers: int | None = None
    ) -> None:
        """Args:
            pairs: at least one batch of them.
            settings: batch, seed, augmentation and geometry are read.
            cluster: whose share of each batch is read.
            readers: threads that read ahead; None takes one a core.

        Raises:
            DataInvalid: fewer pairs than a batch holds, or a batch that the workers can't share evenly.
        """
        if settings.batch % cluster.workers:
            raise DataInvalid(
                f"a batch of {settings.batch} can't be shared evenly by {cluster.workers} workers: --batch is for all "
                f"of them together"
            )
        if len(pairs) < settings.batch:
            raise DataInvalid(f"{len(pairs)} frames are fewer than one batch of {settings.batch}")
        self.frames = len(pairs)
        """Frames that are trained on, by all workers together."""
        self._pairs = pairs
        self._settings = settings
        self._readers = readers or cores.available()
        share = settings.batch // cluster.workers
        self._share = slice(cluster.index * share, (cluster.index + 1) * share)
        self._augmentation = settings.augmentation.scaled(settings.degrade)
        self.steps = len(pairs) // settings.batch
        """Batches an epoch; what does not fill the last one waits for another epoch's order."""

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of epoch `number`, counted from 0: of each, this worker's share.

        Raises:
            DataInvalid: a pair is broken, told when its batch is reached.
        """
        order = np.random.default_rng((self._settings.seed, number)).permutation(len(self._pairs))
        size = self._settings.batch
        with ThreadPoolExecutor(self._readers, thread_name_prefix="loader") as pool:
            waiting: deque[list[Future[tuple[Frame, Mask]]]] = deque()
            try:
                for step in range(self.steps):
                    chosen = order[step * size : (step + 1) * size][self._share]
                    waiting.append([pool.submit(self._sample, number, int(index)) for index in chosen])
                    if len(waiting) > AHEAD:
                        yield _stack(waiting.popleft())
                while waiting:
                    yield _stack(waiting.popleft())
            finally:
                for future in (future for batch in waiting for future in batch):
                    future.cancel()

    def some(self, count: int) -> list[Frame]:
        """Training samples of frames that are evenly spread, uint8 h x w x 3 RGB: the same ones on every worker."""
        chosen = np.linspace(0, len(self._pairs) - 1, min(count, len(self._pairs)), dtype=int)
        return [self._sample(0, int(index))[0] for index in chosen]

    def _sample(self, epoch: int, index: int) -> tuple[Frame, Mask]:
        frame, truth = datasets.read(self._pairs[index])
        rng = np.random.default_rng((self._settings.seed, epoch, index))
        return augment.sample(frame, truth, self._augmentation, self._settings.geometry, rng)


def _stack(samples: list[Future[tuple[Frame, Mask]]]) -> Batch:
    frames, truths = zip(*(future.result() for future in samples), strict=True)
    return np.stack(frames), np.stack(truths)
