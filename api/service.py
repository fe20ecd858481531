"""What one server process holds, and the way of a request's work through it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from time import monotonic
from typing import TypeVar

from starlette.requests import ClientDisconnect

from api import traces
from api.inference_protocol.statistics import Statistics
from api.metrics import Metrics
from api.model import Model
from api.models import Models
from api.room import Claim, Room
from api.settings import Settings
from api.uploads import Buffered
from runtime import memory, scheduler
from runtime.codecs import Limits
from runtime.errors import DeadlinePassed, RoadmaskError
from runtime.jobs import Images, Job
from runtime.scheduler import Scheduler

T = TypeVar("T")


class MemoryTooSmall(RoadmaskError):
    """The container's memory limit does not hold what the settings allow requests to take."""


class Service:
    """Settings, models, scheduler and metrics of one server. Belongs to the event loop's thread."""

    def __init__(self, settings: Settings, segmenter: Model | None = None) -> None:
        self.settings = settings
        self.limits = Limits(settings.max_body_bytes, settings.max_pixels)
        self.models = Models(settings, segmenter)
        self.scheduler = Scheduler(
            settings.queue_size or scheduler.default_places(settings.batch_size),
            settings.batch_size,
            settings.batch_delay_ms / 1000,
            settings.inferences or scheduler.default_inferences(),
        )
        self.stream_places = asyncio.Semaphore(max(1, self.scheduler.places - 1))
        """What all streams share, first come, first served: they always have a next frame, and would leave requests no
        place at all."""
        self.metrics = Metrics(
            lambda: self.scheduler.places_taken,
            lambda: self.scheduler.places,
            confidence=settings.confidence or (segmenter is not None and segmenter.has_confidence),
        )
        self.models.on_load = self.metrics.load
        self.room = Room(settings.max_pixels, self.scheduler.places)
        self.statistics = Statistics()
        self.buffered = Buffered(settings.max_buffered_bytes)
        self.failure: Exception | None = None
        """Why the default model could not be loaded."""

    def check_ready(self) -> None:
        """Find out whether requests are served at all.

        Raises:
            Stopping: the server is stopping.
            Unavailable: the default model is not loaded.
        """
        if self.scheduler.draining:
            self.scheduler.check()
        self.models.check_default()

    def check_memory(self) -> None:
        """Find out whether what requests may take fits beside what is taken now.

        Raises:
            MemoryTooSmall: it does not; says how much is needed and what else would do.
        """
        limit = memory.limit()
        requests = self.settings.max_buffered_bytes + self.room.bytes
        needed = memory.resident() + requests
        if limit is not None and needed > limit:
            raise MemoryTooSmall(
                f"the memory limit is {_mib(limit)} MiB, and {_mib(needed)} MiB may be needed: "
                f"{_mib(needed - requests)} are in use, {_mib(self.room.bytes)} are for frames, "
                f"{_mib(self.settings.max_buffered_bytes)} for bodies; raise the limit, or lower "
                f"ROADMASK_MAX_PIXELS ({self.settings.max_pixels}), ROADMASK_QUEUE_SIZE ({self.scheduler.places}) "
                f"or ROADMASK_MAX_BUFFERED_BYTES ({self.settings.max_buffered_bytes})"
            )

    def submit(
        self,
        model: Model,
        prepare: Callable[[Claim], Images],
        finish: Callable[..., T],
        deadline: float | None = None,
        confidence: bool = False,
    ) -> tuple[Job[T], asyncio.Future[T]]:
        """A job that is admitted, and what of it can be awaited.

        Arguments and errors as of `Scheduler.submit`, but that `prepare` is given the job's claim on the room.
        """
        run = copy_context().run  # so that what the threads log has the request's id
        claim = Claim(self.room)

        def prepared() -> Images:
            with claim:
                return run(prepare, claim)

        job = self.scheduler.submit(model, prepared, lambda *outputs: run(finish, *outputs), deadline, confidence)
        job.add_done_callback(lambda _job: claim.end())
        done = asyncio.wrap_future(job)
        done.add_done_callback(_look_at)
        return job, done

    async def work(
        self,
        model: Model,
        prepare: Callable[[Claim], Images],
        finish: Callable[..., T],
        deadline: float | None,
        gone: Callable[[], Awaitable[object]],
        confidence: bool = False,
    ) -> Job[T]:
        """A job that is done: `result()` is there, and its timings.

        Args:
            model: runs the inference.
            prepare: gives the network's input, on a thread, once it has claimed the pixels that it unpacks.
            finish: makes the result from the network's output, on a thread.
            deadline: by `time.monotonic`, or None.
            gone: waits until the client has left; its job is then given up if inference has not begun.
            confidence: whether `finish` is given the confidences, too, after the masks.

        Raises:
            Stopping, QueueFull: there is no place, or no room for its pixels.
            DeadlinePassed: before inference began; told at the deadline, not when its turn would have come.
            ClientDisconnect: nobody is there any more.
            Exception: whatever prepare or finish raised.
        """
        began = monotonic()
        job, done = self.submit(model, prepare, finish, deadline, confidence)
        left = asyncio.ensure_future(gone())
        try:
            timeout = None if deadline is None else max(0.0, deadline - monotonic())
            await asyncio.wait((done, left), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if not (done.done() or left.done()):
                if job.cancel():
                    raise DeadlinePassed("the deadline passed before inference began")
                # Inference has begun: the mask is worth waiting for.
                await asyncio.wait((done, left), return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                raise ClientDisconnect
            await done
            traces.stages(job.timings.intervals)
            self.statistics.success(model, job)
            return job
        except ClientDisconnect:
            raise
        except Exception:
            self.statistics.failure(model, (monotonic() - began) * 1000)
            raise
        finally:
            left.cancel()
            job.abandon()
            # An error that is raised here knows this frame: the two would hold each other, and the client's bytes.
            del job, done


def _mib(size: int) -> int:
    return -(-size // 2**20)


def _look_at(done: asyncio.Future[T]) -> None:
    """An error that came after the client had left is nobody's: asyncio would log that it was never looked at."""
    if not done.cancelled():
        done.exception()
