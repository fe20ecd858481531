"""Jobs that want the confidence, and jobs that don't, in one batch."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.jobs import Job
from runtime.scheduler import Scheduler


def ask(queue: Scheduler, model: object, images: np.ndarray, confidence: bool) -> Job[tuple[np.ndarray, ...]]:
    """A job whose result is all that it was given."""
    return queue.submit(model, lambda: images, lambda *outputs: outputs, confidence=confidence)


@pytest.mark.parametrize("wanting", [(True, False, True), (False, False, False), (True, True, True)])
def test_one_inference_gives_each_job_what_it_wants(make, model, noise, wanting):
    queue = make(batch_size=3, batch_delay_s=20)
    jobs = [ask(queue, model, noise(seed), wants) for seed, wants in enumerate(wanting)]
    for seed, (job, wants) in enumerate(zip(jobs, wanting, strict=True)):
        outputs = job.result(20)
        assert len(outputs) == 1 + wants
        np.testing.assert_array_equal(outputs[0], np.argmax(noise(seed), axis=3))
        if wants:
            np.testing.assert_array_equal(outputs[1], noise(seed).max(axis=3))
    assert model.with_confidence == [any(wanting)]


def test_a_job_of_many_frames_gets_the_confidence_of_each(make, model, noise):
    images = noise(3, batch=5)
    masks, confidences = ask(make(), model, images, True).result(20)
    np.testing.assert_array_equal(masks, np.argmax(images, axis=3))
    np.testing.assert_array_equal(confidences, images.max(axis=3))
    assert model.with_confidence == [True] * 3


def test_a_batch_that_fails_is_tried_one_by_one_each_with_what_it_wants(make, model, noise, monkeypatch):
    def fail(_images: np.ndarray) -> None:
        raise RuntimeError("no memory for two outputs")

    monkeypatch.setattr(model, "infer_with_confidence", fail)
    queue = make(batch_size=2, batch_delay_s=20)
    plain, greedy = ask(queue, model, noise(1), False), ask(queue, model, noise(2), True)
    np.testing.assert_array_equal(plain.result(20)[0], np.argmax(noise(1), axis=3))
    with pytest.raises(RuntimeError, match="two outputs"):
        greedy.result(20)


def test_a_model_that_gives_too_few_confidences_fails_its_job(make, model, noise, monkeypatch):
    monkeypatch.setattr(model, "infer_with_confidence", lambda images: (images[..., 0], images[:0, ..., 0]))
    with pytest.raises(ValueError, match="0 confidences for 1 frames"):
        ask(make(), model, noise(1), True).result(20)
