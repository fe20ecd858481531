"""The queue and the threads behind it, without HTTP: a job's stages, its place, its deadline, its order."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError

import numpy as np
import pytest

from runtime import cores
from runtime.errors import DeadlinePassed, QueueFull


def test_a_job_goes_through_its_three_stages(make, model, noise):
    job = make().submit(model, lambda: noise(1), lambda masks: int(masks.sum()))
    assert job.result(20) == np.argmax(noise(1), axis=3).sum()
    timings = job.timings.as_dict()
    assert list(timings) == ["decode", "queue", "infer", "encode"]
    assert all(milliseconds >= 0 for milliseconds in timings.values())


def test_the_timings_add_up_to_the_whole(make, model, noise, submit, hold):
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


def test_every_place_taken_refuses_and_a_done_job_gives_its_place_back(make, model, noise, submit, wait_for, hold):
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


def test_a_job_whose_deadline_passes_in_the_queue_is_never_computed(make, model, noise, submit, wait_for, hold):
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


def test_a_deadline_that_passes_during_inference_still_gives_the_mask(make, model, noise, submit):
    queue = make()
    model.gate.clear()
    job = submit(queue, model, noise(1), deadline=time.monotonic() + 0.5)
    assert model.entered.acquire(timeout=20)
    time.sleep(0.6)
    model.gate.set()
    assert job.result(20).shape == (1, 32, 64)


def test_a_cancelled_job_is_not_computed_and_frees_its_place_at_once(make, model, noise, submit, hold):
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


def test_a_job_under_inference_can_not_be_cancelled(make, model, hold):
    queue = make()
    held = hold(queue, model)
    assert not held.cancel()
    model.gate.set()
    assert held.result(20).shape == (1, 64, 64)


@pytest.mark.parametrize("stage", ["prepare", "infer", "finish"])
def test_what_a_stage_raises_is_the_jobs_error_and_nobody_elses(
    make, model, stage, monkeypatch, noise, submit, wait_for
):
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


def test_inference_is_in_order_of_readiness_whatever_the_sizes(make, model, noise, submit, wait_for, hold):
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


def test_preparing_and_finishing_go_on_during_an_inference(make, model, noise, hold):
    queue = make()
    held = hold(queue, model)
    prepared = threading.Event()
    job = queue.submit(model, lambda: prepared.set() or noise(1), lambda masks: masks)
    assert prepared.wait(20)
    model.gate.set()
    job.result(20), held.result(20)


def test_a_frame_that_takes_long_to_decode_holds_up_no_other(make, model, noise, submit):
    release = threading.Event()
    queue = make()
    slow = [queue.submit(model, lambda: release.wait(20) and noise(1), len) for _ in range(cores.available())]
    assert submit(queue, model, noise(2)).result(20).shape == (1, 32, 64)
    assert not any(job.done() for job in slow)
    release.set()
    assert [job.result(20) for job in slow] == [1] * len(slow)


def test_a_model_that_gives_too_few_masks_fails_its_job_alone(make, model, monkeypatch, noise, submit):
    infer = model.infer
    monkeypatch.setattr(model, "infer", lambda images: infer(images)[:0])
    queue = make()
    with pytest.raises(ValueError, match="0 masks for 1 frames"):
        submit(queue, model, noise(1)).result(20)
    monkeypatch.setattr(model, "infer", infer)
    assert submit(queue, model, noise(1)).result(20).shape == (1, 32, 64)
