"""How a scheduler ends, how many it admits, and what it does under load."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest

from runtime import cores, scheduler
from runtime.errors import Stopping
from runtime.scheduler import Scheduler


def test_drained_takes_nothing_new_and_finishes_what_it_has(make, model, noise, submit, hold):
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


def test_leaving_the_context_waits_for_everything(model, noise, submit):
    with Scheduler(4) as queue:
        job = submit(queue, model, noise(1))
    assert job.done()
    assert not any(thread.is_alive() for thread in queue._threads)


def test_many_threads_at_once_lose_nothing(make, model, noise, submit, wait_for):
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


def test_an_abandoned_job_of_many_frames_ends_after_the_inference_that_is_under_way(
    make, model, noise, submit, wait_for
):
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
