"""Many requests on one machine: a bounded queue, deadlines, batches. Knows nothing of HTTP.

A job goes through three stages. `prepare` (decode and fit) and `finish` (bring the mask back and encode it) run on a
few threads of their own, inference on another one or more. One inference can use every core, but it has stretches
that run on a single one: a second beside it fills them. The stages of different jobs overlap. Finishing goes before
preparing, so that what has begun is got out of the way.

    with Scheduler(places=4) as scheduler:
        job = scheduler.submit(segmenter, prepare, finish)
        result, timings = job.result(), job.timings

Inference takes the oldest job that is ready, whatever its size; `runtime.batches` tells which share a batch.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from time import monotonic
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from runtime import batches, cores
from runtime.batches import Batches
from runtime.errors import DeadlinePassed, QueueFull, Stopping
from runtime.jobs import Images, Job, Model

T = TypeVar("T")


def default_places(batch_size: int = 1) -> int:
    """How many jobs to admit at a time where nobody says.

    One that is inferred, and one for each core to decode or encode meanwhile: enough to keep every core busy, and few
    enough that a job that is admitted waits for no more than that.

    Args:
        batch_size: so many times as many, so that batches can fill.
    """
    return (1 + cores.available()) * batch_size


def default_inferences() -> int:
    """How many inferences to run at a time where nobody says: two, where there are two cores or more.

    Measured on two cores with two clients: 26 frames a second by two at a time, 22 by one; one core gains nothing.
    """
    return min(2, cores.available())


class Scheduler:
    """Takes jobs and works on them. Safe to share between threads."""

    def __init__(self, places: int, batch_size: int = 1, batch_delay_s: float = 0.0, inferences: int = 1) -> None:
        """Starts the threads.

        Args:
            places: how many jobs may be admitted and not done at a time.
            batch_size: frames of one size and model in one inference, at most.
            batch_delay_s: how long the oldest of them waits for others.
            inferences: how many run at a time.
        """
        self._places = places
        self._lock = threading.Lock()
        self._codec_work = threading.Condition(self._lock)
        self._inference_work = threading.Condition(self._lock)
        self._all_done = threading.Condition(self._lock)
        self._to_prepare: deque[Job[Any]] = deque()
        self._to_finish: deque[Job[Any]] = deque()
        self._to_infer = Batches(batch_size, batch_delay_s)
        self._taken = 0
        self._draining = False
        self._closed = False
        # One more than there are cores, so that a frame of 50 megapixels never has the only thread.
        works = [self._work_on_codecs] * (cores.available() + 1) + [self._work_on_inference] * inferences
        self._threads = [threading.Thread(target=work, name=f"roadmask-{work.__name__}", daemon=True) for work in works]
        for thread in self._threads:
            thread.start()

    @property
    def places(self) -> int:
        """How many jobs may be admitted at a time."""
        return self._places

    @property
    def places_taken(self) -> int:
        """How many jobs are admitted and not done."""
        return self._taken

    @property
    def draining(self) -> bool:
        """Whether admission has ended."""
        return self._draining

    def check(self) -> None:
        """Find out whether a job would be admitted now.

        Raises:
            Stopping: admission has ended.
            QueueFull: every place is taken.
        """
        if self._draining:
            raise Stopping("the server is stopping")
        if self._taken >= self._places:
            raise QueueFull(f"the queue is full: {self._taken} requests are being worked on")

    def submit(
        self,
        model: Model,
        prepare: Callable[[], Images],
        finish: Callable[..., T],
        deadline: float | None = None,
        confidence: bool = False,
    ) -> Job[T]:
        """Admit a job.

        Args:
            model: runs the inference.
            prepare: gives the network's input; runs on a thread. What it raises is the job's error.
            finish: makes the job's result from the network's output, the masks; likewise.
            deadline: by `time.monotonic`; a job whose inference has not begun by then fails with DeadlinePassed.
            confidence: whether `finish` is given the confidences, too, after the masks; `model` is one that has them.

        Raises:
            Stopping, QueueFull: as `check`.
        """
        job = Job(model, prepare, finish, deadline, confidence)
        with self._lock:
            self.check()
            self._taken += 1
            self._to_prepare.append(job)
            self._codec_work.notify()
        job.add_done_callback(self._release)
        return job

    def drain(self) -> None:
        """End admission; what was admitted goes on. Takes no lock: safe in a signal handler."""
        self._draining = True

    def close(self) -> None:
        """End admission, wait until every admitted job is done, end the threads."""
        with self._lock:
            self._draining = True
            self._inference_work.notify_all()
            while self._taken:
                self._all_done.wait()
            self._closed = True
            self._codec_work.notify_all()
            self._inference_work.notify_all()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Scheduler:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _release(self, job: Future[Any]) -> None:
        assert isinstance(job, Job)
        with self._lock:
            self._taken -= 1
            if job.cancelled():
                self._forget(job)
            if not self._taken:
                self._all_done.notify_all()

    def _forget(self, job: Job[Any]) -> None:
        """A cancelled job holds its frame no longer than a place."""
        if job in self._to_prepare:
            self._to_prepare.remove(job)
        else:
            self._to_infer.discard(job)

    # Preparing and finishing.

    def _work_on_codecs(self) -> None:
        while True:
            with self._lock:
                while not (self._to_finish or self._to_prepare or self._closed):
                    self._codec_work.wait()
                if self._closed:
                    return
                finishing = bool(self._to_finish)
                job = self._to_finish.popleft() if finishing else self._to_prepare.popleft()
            (self._run_finish if finishing else self._run_prepare)(job)
            del job  # while this thread waits for the next one, it is to hold none

    def _run_prepare(self, job: Job[Any]) -> None:
        if _is_over(job):
            return
        began = monotonic()
        try:
            job._images = _checked(job._take_prepare()())
        except BaseException as error:  # noqa: BLE001  whatever it is, it is the job's
            _fail(job, error)
            # The error knows this frame, and the job the error: without an end to the ring it would hold the client's
            # bytes until a collection of garbage, which may take minutes.
            del job
            return
        job._prepared_at = monotonic()
        job.frames = len(job._images)
        job.timings.add("decode", began, job._prepared_at)
        with self._lock:
            if not job.done():
                self._to_infer.add(job)
                self._inference_work.notify()

    def _run_finish(self, job: Job[Any]) -> None:
        if job._is_abandoned:
            job.set_exception(CancelledError())
            return
        began = monotonic()
        try:
            result = job._finish(*job._take_outputs())
        except BaseException as error:  # noqa: BLE001
            job.set_exception(error)
            del job  # as above
            return
        job.timings.add("encode", began, monotonic())
        job.set_result(result)

    # Inference.

    def _work_on_inference(self) -> None:
        while jobs := self._next_batch():
            # From here on a job can't be cancelled any more.
            begun = [job for job in jobs if job.running() or (not _is_over(job) and job.set_running_or_notify_cancel())]
            if begun:
                self._run_inference(begun)
            del jobs, begun

    def _next_batch(self) -> list[Job[Any]]:
        """The oldest batch that is full, or has waited long enough; [] in the end."""
        with self._lock:
            while not self._closed:
                batch, wait_s = self._to_infer.take(at_once=self._draining)
                if batch:
                    if self._to_infer:  # what the other threads were told of last may have been this batch
                        self._inference_work.notify()
                    return batch
                self._inference_work.wait(wait_s)
        return []

    def _run_inference(self, jobs: list[Job[Any]]) -> None:
        images = [self._to_infer.share(job) for job in jobs]
        began = monotonic()
        try:
            outputs = batches.infer(jobs, images)
        except BaseException as error:  # noqa: BLE001
            if len(jobs) == 1:
                jobs.pop().set_exception(error)
                return
            for job in jobs:  # one of them may have been too much, or all together: none is lost for another
                self._run_inference([job])
            return
        ended = monotonic()
        jobs[0].batches.append(sum(map(len, images)))
        for job, its, output in zip(jobs, images, outputs, strict=True):
            job._outputs.append(output)
            job.timings.add("infer", began, ended)
            self._inferred(job, len(its), ended)

    def _inferred(self, job: Job[Any], count: int, at: float) -> None:
        """So many of a job's frames are done: on to its finish, or back to the end of the queue with the rest."""
        assert job._images is not None
        rest = job._images[count:]
        with self._lock:
            if len(rest) and not job._is_abandoned:
                job._images, job._prepared_at = rest, at
                self._to_infer.add(job)
            else:
                job._images = None
                self._to_finish.append(job)
                self._codec_work.notify()


def _checked(images: Images) -> Images:
    """What `prepare` gave, if it is what it has to give: raises ValueError if it is not."""
    if not isinstance(images, np.ndarray) or images.ndim != 4 or images.shape[3] != 3 or not images.size:
        shape = getattr(images, "shape", type(images).__name__)
        raise ValueError(f"prepare gives uint8 batch x h x w x 3, not {shape}")
    return images


def _is_over(job: Job[Any]) -> bool:
    """Whether nobody waits for it any more; one whose deadline has passed is told so."""
    if job.deadline is not None and monotonic() >= job.deadline:
        _fail(job, DeadlinePassed("the deadline passed before inference began"))
    return job.done()


def _fail(job: Job[Any], error: BaseException) -> None:
    if job.set_running_or_notify_cancel():
        job.set_exception(error)
