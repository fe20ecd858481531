"""Which jobs share an inference, and the inference itself.

Frames of one model and one size may share one; a frame that waits for others to fill its batch holds up none of another
size. A batch may hold jobs that want the confidence and jobs that don't: the session runs once, for both outputs if
anybody wants the second, and for the masks alone if nobody does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from time import monotonic
from typing import Any

import numpy as np

from runtime.jobs import Images, Job, Masks


class Batches:
    """Jobs whose frames are ready for inference. Not safe to share between threads: its owner has a lock."""

    def __init__(self, size: int, delay_s: float) -> None:
        """Empty.

        Args:
            size: frames in one inference, at most; a job of more frames gets through in shares.
            delay_s: how long the oldest of them waits for others.
        """
        self._size, self._delay_s = size, delay_s
        self._waiting: dict[tuple[Any, ...], deque[Job[Any]]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, job: Job[Any]) -> None:
        """A job whose frames are ready goes to the end of its queue."""
        self._waiting.setdefault(_key(job), deque()).append(job)

    def discard(self, job: Job[Any]) -> None:
        """A job that is not to be inferred any more; one that does not wait here is passed over."""
        if job._images is None or job not in self._waiting.get(_key(job), ()):
            return
        self._waiting[_key(job)].remove(job)
        self._drop_if_empty(_key(job))

    def take(self, at_once: bool) -> tuple[list[Job[Any]], float | None]:
        """The oldest batch that is full, or has waited long enough.

        Args:
            at_once: whether none waits to be filled any more.

        Returns:
            The batch; or [] and in how many seconds there may be one, None if nothing waits.
        """
        now = monotonic()
        best: tuple[Any, ...] | None = None
        next_at: float | None = None
        for key, jobs in self._waiting.items():
            ripe_at = jobs[0]._prepared_at + self._delay_s
            if at_once or ripe_at <= now or _frames(jobs) >= self._size:
                if best is None or jobs[0]._prepared_at < self._waiting[best][0]._prepared_at:
                    best = key
            elif next_at is None or ripe_at < next_at:
                next_at = ripe_at
        if best is None:
            return [], None if next_at is None else next_at - now
        return self._take(best), None

    def share(self, job: Job[Any]) -> Images:
        """Of a job's frames as many as one inference takes, by the batch size or the pixel budget."""
        assert job._images is not None
        _, height, width, _ = job._images.shape
        at_once = max(self._size, job._model.contract.geometry.pixel_budget // (height * width), 1)
        return job._images[:at_once]

    def _take(self, key: tuple[Any, ...]) -> list[Job[Any]]:
        jobs = self._waiting[key]
        batch = [jobs.popleft()]
        while jobs and _frames(batch) + _frames([jobs[0]]) <= self._size:
            batch.append(jobs.popleft())
        self._drop_if_empty(key)
        return batch

    def _drop_if_empty(self, key: tuple[Any, ...]) -> None:
        if not self._waiting[key]:
            del self._waiting[key]


def infer(jobs: list[Job[Any]], images: list[Images]) -> list[tuple[Masks, ...]]:
    """One inference for all.

    Args:
        jobs: of one model.
        images: their frames, of one size.

    Returns:
        Of each job the masks, and the confidences if it wants them.

    Raises:
        ValueError: the model gave more or fewer outputs than it got frames.
        Exception: whatever the model raised.
    """
    model = jobs[0]._model
    batch = images[0] if len(images) == 1 else np.concatenate(images)
    wants_confidence = any(job._wants_confidence for job in jobs)
    outputs: tuple[Masks, ...] = model.infer_with_confidence(batch) if wants_confidence else (model.infer(batch),)
    for name, output in zip(("masks", "confidences"), outputs, strict=False):
        if len(output) != len(batch):
            raise ValueError(f"the model gave {len(output)} {name} for {len(batch)} frames")
    shares: list[tuple[Masks, ...]] = []
    first = 0
    for job, its in zip(jobs, images, strict=True):
        wanted = outputs if job._wants_confidence else outputs[:1]
        shares.append(tuple(output[first : first + len(its)] for output in wanted))
        first += len(its)
    return shares


def _key(job: Job[Any]) -> tuple[Any, ...]:
    """What the jobs of one batch share."""
    assert job._images is not None
    return id(job._model), job._images.shape[1:]


def _frames(jobs: Iterable[Job[Any]]) -> int:
    return sum(len(job._images) for job in jobs if job._images is not None)
