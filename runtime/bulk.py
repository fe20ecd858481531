"""Many frames through one model: every core at work, in bounded memory.

Readers wait for files and servers, `runtime.scheduler` overlaps decoding, inference and encoding. What is in work at a
time, and lost if the process is killed, is one frame more than there are inferences and cores.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from runtime import categories, codecs, cores, fetching, frames, metrics
from runtime.codecs import Limits
from runtime.errors import DataInvalid, FrameError, Stopping
from runtime.fetching import Patience
from runtime.files import write
from runtime.frame_lists import Listed
from runtime.jobs import Images, Job, Masks
from runtime.scheduler import Scheduler, default_inferences
from runtime.segmenter import Segmenter

READERS = 8
"""At a time: of frames over a network, each waits some 100 ms for its first byte. Each holds one encoded frame."""


@dataclass(frozen=True)
class Outcome:
    """What became of a frame."""

    frame: Listed
    error: str | None = None
    """Why there is no mask, in words: the frame is to blame. None where there is one."""
    told: dict[str, Any] = field(default_factory=dict)
    """What a manifest tells of the mask."""

    @property
    def line(self) -> dict[str, Any]:
        """The manifest's line."""
        names = {"frame": self.frame.shown, "mask": self.frame.mask}
        return names | (self.told if self.error is None else {"error": self.error})


class Bulk:
    """One run over a list of frames."""

    def __init__(
        self, segmenter: Segmenter, output: Path, limits: Limits | None = None, patience: Patience | None = None
    ) -> None:
        """
        Args:
            segmenter: makes the masks.
            output: an existing folder, where they go.
            limits: of a frame, Limits() if not given.
            patience: with URLs, Patience() if not given.
        """
        self._segmenter, self._output = segmenter, output
        self._limits, self._patience = limits or Limits(), patience or Patience()
        self._outcomes: SimpleQueue[Outcome | BaseException | None] = SimpleQueue()
        self._reading = threading.Lock()
        self._is_stopping = False

    def stop(self) -> None:
        """Begin no further frame; those in work are finished. Takes no lock: safe in a signal handler."""
        self._is_stopping = True
        self._outcomes.put(None)

    def run(self, listed: Sequence[Listed]) -> Generator[Outcome]:
        """Write the mask of each frame, whole or not at all, and tell as soon as it is there; in no order.

        After `stop`, ends with the last frame that was in work.

        Raises:
            RoadmaskError: something other than a frame is wrong: the model can't be run, a mask can't be written.
        """
        remaining = iter(listed)
        inferences = default_inferences()
        in_work = inferences + cores.available() + 1
        places = threading.Semaphore(in_work)
        with Scheduler(in_work, inferences=inferences) as scheduler:
            for _ in range(min(READERS, len(listed))):
                # Daemons: a reader that waits for a server is not waited for.
                threading.Thread(target=self._feed, args=(remaining, scheduler, places), daemon=True).start()
            try:
                for _ in listed:
                    outcome = self._outcomes.get()
                    if outcome is None:
                        break
                    yield _checked(outcome)
            finally:
                self._is_stopping = True
        while not self._outcomes.empty():
            if (outcome := self._outcomes.get()) is not None:
                yield _checked(outcome)

    def _feed(self, remaining: Iterator[Listed], scheduler: Scheduler, places: threading.Semaphore) -> None:
        """A reader: one frame after the other into the scheduler."""
        while not self._is_stopping:
            with self._reading:
                frame = next(remaining, None)
            if frame is None:
                return
            try:
                work = _Work(self, frame, fetching.read(frame, self._limits, self._patience))
            except FrameError as error:
                self._outcomes.put(Outcome(frame, str(error)))
                continue
            except BaseException as error:  # noqa: BLE001  it is raised where the run is waited for
                self._outcomes.put(error)
                return
            places.acquire()
            try:
                job = scheduler.submit(self._segmenter, work.prepare, work.finish)
            except Stopping:
                places.release()  # another reader may wait for it, and is to end, too
                return
            job.add_done_callback(partial(self._over, frame, places))
            del work, job  # while this thread waits for the next frame, it is to hold none

    def _over(self, frame: Listed, places: threading.Semaphore, job: Future[dict[str, Any]]) -> None:
        assert isinstance(job, Job)
        places.release()
        error = job.exception()
        if error is None:
            timings = {name: round(ms, 1) for name, ms in job.timings.as_dict().items()}
            self._outcomes.put(Outcome(frame, told=job.result() | {"timings_ms": timings}))
        elif isinstance(error, FrameError | MemoryError):
            self._outcomes.put(Outcome(frame, str(error) or "there is too little memory for it"))
        else:
            self._outcomes.put(error)


class _Work:
    """The two stages around a frame's inference."""

    def __init__(self, bulk: Bulk, frame: Listed, data: bytes) -> None:
        self._bulk, self._frame, self._data = bulk, frame, data

    def prepare(self) -> Images:
        """Decoded and fitted."""
        pixels = codecs.decode(self._data, self._bulk._limits)
        self._data = b""
        self._where = self._bulk._segmenter.plan(pixels)
        return frames.fit(pixels, self._where)[None]

    def finish(self, masks: Masks) -> dict[str, Any]:
        """Written, and what there is to tell of it."""
        mask = frames.restore(masks[0], self._where)
        data = codecs.encode_mask(mask)
        target = self._bulk._output / self._frame.mask
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataInvalid(f"{target.parent} can't be made a folder: {error.strerror}") from error
        write(target, data)
        height, width = mask.shape
        counts = dict(zip(categories.NAMES, metrics.pixels(mask).tolist(), strict=True))
        provider = self._bulk._segmenter.provider
        return {"width": width, "height": height, "provider": provider, "pixels": counts, "bytes": len(data)}


def _checked(outcome: Outcome | BaseException) -> Outcome:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
