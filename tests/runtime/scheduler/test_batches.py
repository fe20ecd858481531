"""Inferences at a time, and frames that share one."""

from __future__ import annotations

import numpy as np
import pytest


def test_as_many_inferences_run_at_a_time_as_asked_for(make, model, noise, submit, wait_for):
    queue = make(inferences=2)
    model.gate.clear()
    jobs = [submit(queue, model, noise(seed)) for seed in range(3)]
    wait_for(lambda: len(model.shapes) == 2)
    wait_for(lambda: jobs[2].timings.decode)
    assert len(model.shapes) == 2
    model.gate.set()
    for seed, job in enumerate(jobs):
        np.testing.assert_array_equal(job.result(20), np.argmax(noise(seed), axis=3))


def test_batches_that_ripen_one_after_the_other_run_side_by_side(make, model, noise, submit, wait_for):
    queue = make(inferences=2, batch_size=2, batch_delay_s=0.03)
    model.gate.clear()
    jobs = [submit(queue, model, noise(height, height)) for height in (32, 64, 96)]
    wait_for(lambda: len(model.shapes) == 2)
    model.gate.set()
    assert [job.result(20).shape[1] for job in jobs] == [32, 64, 96]


def test_frames_of_one_size_share_an_inference_and_get_their_own_masks(make, model, noise, submit):
    queue = make(batch_size=4, batch_delay_s=20)
    jobs = [submit(queue, model, noise(seed)) for seed in range(4)]
    for seed, job in enumerate(jobs):
        np.testing.assert_array_equal(job.result(20), np.argmax(noise(seed), axis=3))
    assert model.shapes == [(4, 32, 64, 3)]


def test_a_batch_that_does_not_fill_runs_after_the_delay(make, model, noise, submit):
    queue = make(batch_size=4, batch_delay_s=0.05)
    jobs = [submit(queue, model, noise(seed)) for seed in range(2)]
    for job in jobs:
        job.result(20)
        assert job.timings.queue >= 25
    assert sum(shape[0] for shape in model.shapes) == 2


def test_a_batch_that_waits_holds_up_no_frame_of_another_size(make, model, noise, submit, wait_for):
    queue = make(batch_size=2, batch_delay_s=20)
    waiting = submit(queue, model, noise(1, 64, 64))
    wait_for(lambda: waiting.timings.decode)
    for job in [submit(queue, model, noise(seed)) for seed in range(2)]:
        job.result(20)
    assert not waiting.done()
    queue.drain()
    queue.close()
    assert waiting.result(0).shape == (1, 64, 64)


def test_models_never_share_a_batch(make, model, other_model, noise, submit):
    queue = make(batch_size=2, batch_delay_s=0.01)
    jobs = [submit(queue, each, noise(1)) for each in (model, other_model)]
    for job in jobs:
        job.result(20)
    assert model.shapes == other_model.shapes == [(1, 32, 64, 3)]


def test_a_batch_that_fails_is_tried_one_by_one(make, model, monkeypatch, noise, submit):
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


def test_a_cancelled_job_leaves_its_batch(make, model, noise, submit, wait_for):
    queue = make(batch_size=3, batch_delay_s=20)
    gone = submit(queue, model, noise(0))
    wait_for(lambda: gone.timings.decode)
    gone.cancel()
    jobs = [submit(queue, model, noise(seed)) for seed in (1, 2, 3)]
    for seed, job in enumerate(jobs, 1):
        np.testing.assert_array_equal(job.result(20), np.argmax(noise(seed), axis=3))
    assert model.shapes == [(3, 32, 64, 3)]


def test_a_job_of_many_frames_is_split_by_the_pixel_budget(make, model, noise, submit):
    images = noise(3, batch=5)  # the budget of this model holds two
    np.testing.assert_array_equal(submit(make(), model, images).result(20), np.argmax(images, axis=3))
    assert model.shapes == [(2, 32, 64, 3), (2, 32, 64, 3), (1, 32, 64, 3)]


def test_a_job_of_many_frames_lets_others_through_between_them(make, model, noise, submit, wait_for, hold):
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
