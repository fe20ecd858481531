"""The queue and the threads behind it, without HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError

import numpy as np
import pytest

from runtime import cores, scheduler
from runtime.contract import Contract
from runtime.errors import DeadlinePassed, QueueFull, Stopping
from runtime.frames import Geometry
from runtime.jobs import Job
from runtime.scheduler import Scheduler


class Brightest:
    """A model whose mask is argmax over the channels, behind a gate; it remembers what it was given."""

    def __init__(self) -> None:
        self.contract = Contract(precision="fp32", geometry=Geometry(pixel_budget=64 * 64))
        self.shapes: list[tuple[int, ...]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    def infer(self, images: np.ndarray) -> np.ndarray:
        self.shapes.append(images.shape)
        self.entered.release()
        assert self.gate.wait(20)
        return np.argmax(images, axis=3).astype(np.uint8)


@pytest.fixture
def model() -> Iterator[Brightest]:
    made = Brightest()
    yield made
    made.gate.set()


Make = Callable[..., Scheduler]


@pytest.fixture
def make(model: Brightest) -> Iterator[Make]:
    made: list[Scheduler] = []

    def scheduler(places: int = 32, **options: float) -> Scheduler:
        made.append(Scheduler(places, **options))
        return made[-1]

    yield scheduler
    model.gate.set()
    for one in made:
        one.close()


def noise(seed: int, height: int = 32, width: int = 64, batch: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (batch, height, width, 3), np.uint8)


def submit(queue: Scheduler, model: Brightest, images: np.ndarray, deadline: float | None = None) -> Job[np.ndarray]:
    return queue.submit(model, lambda: images, lambda masks: masks, deadline)


def wait_for(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.002)


def hold(queue: Scheduler, model: Brightest) -> Job[np.ndarray]:
    """A job that keeps the inference busy until the gate is opened."""
    model.gate.clear()
    job = submit(queue, model, noise(0, 64, 64))
    assert model.entered.acquire(timeout=20)
    return job


def test_a_job_goes_through_its_three_stages(make, model):
    job = make().submit(model, lambda: noise(1), lambda masks: int(masks.sum()))
    assert job.result(20) == np.argmax(noise(1), axis=3).sum()
    timings = job.timings.as_dict()
    assert list(timings) == ["decode", "queue", "infer", "encode"]
    assert all(milliseconds >= 0 for milliseconds in timings.values())


def test_the_timings_add_up_to_the_whole(make, model):
    queue = make()
    held = hold(queue, model)
    began = time.monotonic()
    job = submit(queue, model, noise(1))
    time.sleep(0.05)
    model.gate.set()
    job.result(20)
    took = (time.monotonic() - began) * 1000
    assert job.timings.queue > 40, "it waited for the one before"
    assert sum(job.timings.as_dict().values()) <= took + 1
    held.result(20)


def test_every_place_taken_refuses_and_a_done_job_gives_its_place_back(make, model):
    queue = make(places=2)
    held = hold(queue, model)
    second = submit(queue, model, noise(1))
    assert queue.places_taken == 2
    with pytest.raises(QueueFull, match="2 requests"):
        submit(queue, model, noise(2))
    with pytest.raises(QueueFull):
        queue.check()
    model.gate.set()
    held.result(20), second.result(20)
    wait_for(lambda: queue.places_taken == 0)
    assert submit(queue, model, noise(2)).result(20).shape == (1, 32, 64)


def test_a_job_whose_deadline_passes_in_the_queue_is_never_computed(make, model):
    queue = make()
    held = hold(queue, model)
    late = submit(queue, model, noise(1), deadline=time.monotonic() + 0.02)
    in_time = submit(queue, model, noise(2), deadline=time.monotonic() + 60)
    time.sleep(0.05)
    model.gate.set()
    with pytest.raises(DeadlinePassed):
        late.result(20)
    assert in_time.result(20).shape == (1, 32, 64)
    held.result(20)
    assert len(model.shapes) == 2
    wait_for(lambda: queue.places_taken == 0)


def test_a_job_that_is_late_on_arrival_is_not_even_prepared(make, model):
    def prepare() -> np.ndarray:
        raise AssertionError("prepared")

    job = make().submit(model, prepare, lambda masks: masks, deadline=time.monotonic() - 1)
    with pytest.raises(DeadlinePassed):
        job.result(20)


def test_a_deadline_that_passes_during_inference_still_gives_the_mask(make, model):
    queue = make()
    model.gate.clear()
    job = submit(queue, model, noise(1), deadline=time.monotonic() + 0.5)
    assert model.entered.acquire(timeout=20)
    time.sleep(0.6)
    model.gate.set()
    assert job.result(20).shape == (1, 32, 64)


def test_a_cancelled_job_is_not_computed_and_frees_its_place_at_once(make, model):
    queue = make(places=2)
    held = hold(queue, model)
    gone = submit(queue, model, noise(1))
    assert gone.cancel()
    assert queue.places_taken == 1
    other = submit(queue, model, noise(2))
    model.gate.set()
    other.result(20), held.result(20)
    with pytest.raises(CancelledError):
        gone.result(0)
    assert len(model.shapes) == 2


def test_a_job_under_inference_can_not_be_cancelled(make, model):
    queue = make()
    held = hold(queue, model)
    assert not held.cancel()
    model.gate.set()
    assert held.result(20).shape == (1, 64, 64)


@pytest.mark.parametrize("stage", ["prepare", "infer", "finish"])
def test_what_a_stage_raises_is_the_jobs_error_and_nobody_elses(make, model, stage, monkeypatch):
    def fail(*_: object) -> np.ndarray:
        raise MemoryError("too much")

    queue = make(places=1)
    infer = model.infer
    if stage == "infer":
        monkeypatch.setattr(model, "infer", fail)
    broken = queue.submit(
        model, fail if stage == "prepare" else lambda: noise(1), fail if stage == "finish" else lambda masks: masks
    )
    with pytest.raises(MemoryError, match="too much"):
        broken.result(20)
    monkeypatch.setattr(model, "infer", infer)
    wait_for(lambda: queue.places_taken == 0)
    assert submit(queue, model, noise(2)).result(20).shape == (1, 32, 64)


def test_inference_is_in_order_of_readiness_whatever_the_sizes(make, model):
    queue = make()
    held = hold(queue, model)
    sides = [(32, 32), (64, 64), (32, 64), (32, 32)]
    jobs = []
    for height, width in sides:
        jobs.append(submit(queue, model, noise(1, height, width)))
        wait_for(lambda: jobs[-1].timings.decode)
    model.gate.set()
    for job in (held, *jobs):
        job.result(20)
    assert [shape[1:3] for shape in model.shapes[1:]] == sides


def test_preparing_and_finishing_go_on_during_an_inference(make, model):
    queue = make()
    held = hold(queue, model)
    prepared = threading.Event()
    job = queue.submit(model, lambda: prepared.set() or noise(1), lambda masks: masks)
    assert prepared.wait(20)
    model.gate.set()
    job.result(20), held.result(20)


def test_a_frame_that_takes_long_to_decode_holds_up_no_other(make, model):
    release = threading.Event()
    queue = make()
    slow = [queue.submit(model, lambda: release.wait(20) and noise(1), len) for _ in range(cores.available())]
    assert submit(queue, model, noise(2)).result(20).shape == (1, 32, 64)
    assert not any(job.done() for job in slow)
    release.set()
    assert [job.result(20) for job in slow] == [1] * len(slow)


# Several inferences at a time.


def test_as_many_inferences_run_at_a_time_as_asked_for(make, model):
    queue = make(inferences=2)
    model.gate.clear()
    jobs = [submit(queue, model, noise(seed)) for seed in range(3)]
    wait_for(lambda: len(model.shapes) == 2)
    wait_for(lambda: jobs[2].timings.decode)
    assert len(model.shapes) == 2
    model.gate.set()
    for seed, job in enumerate(jobs):
        np.testing.assert_array_equal(job.result(20), np.argmax(noise(seed), axis=3))


def test_batches_that_ripen_one_after_the_other_run_side_by_side(make, model):
    queue = make(inferences=2, batch_size=2, batch_delay_s=0.03)
    model.gate.clear()
    jobs = [submit(queue, model, noise(height, height)) for height in (32, 64, 96)]
    wait_for(lambda: len(model.shapes) == 2)
    model.gate.set()
    assert [job.result(20).shape[1] for job in jobs] == [32, 64, 96]


# Batches.


def test_frames_of_one_size_share_an_inference_and_get_their_own_masks(make, model):
    queue = make(batch_size=4, batch_delay_s=20)
    jobs = [submit(queue, model, noise(seed)) for seed in range(4)]
    for seed, job in enumerate(jobs):
        np.testing.assert_array_equal(job.result(20), np.argmax(noise(seed), axis=3))
    assert model.shapes == [(4, 32, 64, 3)]


def test_a_batch_that_does_not_fill_runs_after_the_delay(make, model):
    queue = make(batch_size=4, batch_delay_s=0.05)
    jobs = [submit(queue, model, noise(seed)) for seed in range(2)]
    for job in jobs:
        job.result(20)
        assert job.timings.queue >= 25
    assert sum(shape[0] for shape in model.shapes) == 2


def test_a_batch_that_waits_holds_up_no_frame_of_another_size(make, model):
    queue = make(batch_size=2, batch_delay_s=20)
    waiting = submit(queue, model, noise(1, 64, 64))
    wait_for(lambda: waiting.timings.decode)
    for job in [submit(queue, model, noise(seed)) for seed in range(2)]:
        job.result(20)
    assert not waiting.done()
    queue.drain()
    queue.close()
    assert waiting.result(0).shape == (1, 64, 64)


def test_models_never_share_a_batch(make, model):
    other = Brightest()
    queue = make(batch_size=2, batch_delay_s=0.01)
    jobs = [submit(queue, each, noise(1)) for each in (model, other)]
    for job in jobs:
        job.result(20)
    assert model.shapes == other.shapes == [(1, 32, 64, 3)]


def test_a_batch_that_fails_is_tried_one_by_one(make, model, monkeypatch):
    infer = model.infer

    def only_single(images: np.ndarray) -> np.ndarray:
        if len(images) > 1 or images[0, 0, 0, 0] == 255:
            raise RuntimeError("out of memory")
        return infer(images)

    monkeypatch.setattr(model, "infer", only_single)
    queue = make(batch_size=3, batch_delay_s=20)
    images = [noise(seed) for seed in range(3)]
    for index, each in enumerate(images):
        each[0, 0, 0, 0] = 255 if index == 1 else 0
    jobs = [submit(queue, model, each) for each in images]
    np.testing.assert_array_equal(jobs[0].result(20), np.argmax(images[0], axis=3))
    np.testing.assert_array_equal(jobs[2].result(20), np.argmax(images[2], axis=3))
    with pytest.raises(RuntimeError, match="out of memory"):
        jobs[1].result(20)


def test_a_cancelled_job_leaves_its_batch(make, model):
    queue = make(batch_size=3, batch_delay_s=20)
    gone = submit(queue, model, noise(0))
    wait_for(lambda: gone.timings.decode)
    gone.cancel()
    jobs = [submit(queue, model, noise(seed)) for seed in (1, 2, 3)]
    for seed, job in enumerate(jobs, 1):
        np.testing.assert_array_equal(job.result(20), np.argmax(noise(seed), axis=3))
    assert model.shapes == [(3, 32, 64, 3)]


def test_a_job_of_many_frames_is_split_by_the_pixel_budget(make, model):
    images = noise(3, batch=5)  # the budget of this model holds two
    np.testing.assert_array_equal(submit(make(), model, images).result(20), np.argmax(images, axis=3))
    assert model.shapes == [(2, 32, 64, 3), (2, 32, 64, 3), (1, 32, 64, 3)]


def test_a_job_of_many_frames_lets_others_through_between_them(make, model):
    queue = make()
    held = hold(queue, model)
    many = submit(queue, model, noise(3, 64, 64, batch=5))
    wait_for(lambda: many.timings.decode)
    single = submit(queue, model, noise(4))
    wait_for(lambda: single.timings.decode)
    model.gate.set()
    np.testing.assert_array_equal(many.result(20), np.argmax(noise(3, 64, 64, batch=5), axis=3))
    np.testing.assert_array_equal(single.result(20), np.argmax(noise(4), axis=3))
    held.result(20)
    assert [shape[1] for shape in model.shapes] == [64, 64, 32, 64, 64, 64, 64]
    assert many.batches == [1] * 5
    assert sum(interval[2] - interval[1] for interval in many.timings.intervals if interval[0] == "queue") > 0


# The end.


def test_drained_takes_nothing_new_and_finishes_what_it_has(make, model):
    queue = make()
    held = hold(queue, model)
    waiting = submit(queue, model, noise(1))
    queue.drain()
    assert queue.draining
    with pytest.raises(Stopping):
        submit(queue, model, noise(2))
    model.gate.set()
    queue.close()
    assert held.done()
    assert waiting.result(0).shape == (1, 32, 64)


def test_leaving_the_context_waits_for_everything(model):
    with Scheduler(4) as queue:
        job = submit(queue, model, noise(1))
    assert job.done()
    assert not any(thread.is_alive() for thread in queue._threads)


def test_many_threads_at_once_lose_nothing(make, model):
    queue = make(places=1000, batch_size=4, batch_delay_s=0.001)
    results: dict[int, np.ndarray] = {}

    def client(first: int) -> None:
        for seed in range(first, first + 40):
            side = 32 if seed % 3 else 64
            results[seed] = submit(queue, model, noise(seed, side, 64)).result(20)

    clients = [threading.Thread(target=client, args=(first,)) for first in range(0, 320, 40)]
    for each in clients:
        each.start()
    for each in clients:
        each.join(60)
    assert len(results) == 320
    for seed, masks in results.items():
        np.testing.assert_array_equal(masks, np.argmax(noise(seed, 32 if seed % 3 else 64, 64), axis=3))
    wait_for(lambda: queue.places_taken == 0)


def test_places_follow_cores_and_batches(monkeypatch):
    monkeypatch.setattr(cores, "available", lambda: 4)
    assert scheduler.default_places() == 5
    assert scheduler.default_places(8) == 40


def test_an_abandoned_job_of_many_frames_ends_after_the_inference_that_is_under_way(make, model):
    queue = make()
    model.gate.clear()
    many = submit(queue, model, noise(3, 64, 64, batch=5))
    assert model.entered.acquire(timeout=20)
    many.abandon()
    assert not many.done()
    model.gate.set()
    with pytest.raises(CancelledError):
        many.result(20)
    assert len(model.shapes) == 1
    wait_for(lambda: queue.places_taken == 0)


def test_a_model_that_gives_too_few_masks_fails_its_job_alone(make, model, monkeypatch):
    infer = model.infer
    monkeypatch.setattr(model, "infer", lambda images: infer(images)[:0])
    queue = make()
    with pytest.raises(ValueError, match="0 masks for 1 frames"):
        submit(queue, model, noise(1)).result(20)
    monkeypatch.setattr(model, "infer", infer)
    assert submit(queue, model, noise(1)).result(20).shape == (1, 32, 64)
