"""A model behind a gate, and schedulers that are closed whatever happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from runtime.contract import Contract
from runtime.frames import Geometry
from runtime.jobs import Job
from runtime.scheduler import Scheduler


class Brightest:
    """A model whose mask is argmax over the channels, behind a gate; it remembers what it was given."""

    def __init__(self) -> None:
        self.contract = Contract(precision="fp32", geometry=Geometry(pixel_budget=64 * 64))
        self.shapes: list[tuple[int, ...]] = []
        self.with_confidence: list[bool] = []
        """Of each inference, whether the second output was asked for."""
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    def infer(self, images: np.ndarray) -> np.ndarray:
        self.with_confidence.append(False)
        return self._infer(images)

    def infer_with_confidence(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The confidence is the brightest channel's value."""
        self.with_confidence.append(True)
        return self._infer(images), images.max(axis=3)

    def _infer(self, images: np.ndarray) -> np.ndarray:
        self.shapes.append(images.shape)
        self.entered.release()
        assert self.gate.wait(20)
        return np.argmax(images, axis=3).astype(np.uint8)


@pytest.fixture
def model() -> Iterator[Brightest]:
    made = Brightest()
    yield made
    made.gate.set()


@pytest.fixture
def other_model() -> Brightest:
    return Brightest()


@pytest.fixture
def make(model: Brightest) -> Iterator[Callable[..., Scheduler]]:
    """`make(places, ...)`: a scheduler that is closed at the end, the gate of `model` open."""
    made: list[Scheduler] = []

    def scheduler(places: int = 32, **options: float) -> Scheduler:
        made.append(Scheduler(places, **options))
        return made[-1]

    yield scheduler
    model.gate.set()
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def noise() -> Callable[..., np.ndarray]:
    """`noise(seed)`: images, uint8 batch x h x w x 3, the same every time."""

    def images(seed: int, height: int = 32, width: int = 64, batch: int = 1) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, (batch, height, width, 3), np.uint8)

    return images


@pytest.fixture(scope="session")
def submit() -> Callable[..., Job[np.ndarray]]:
    """`submit(scheduler, model, images)`: a job whose result is its masks."""

    def admit(queue: Scheduler, model: Brightest, images: np.ndarray, deadline: float | None = None) -> Job[np.ndarray]:
        return queue.submit(model, lambda: images, lambda masks: masks, deadline)

    return admit


@pytest.fixture(scope="session")
def wait_for() -> Callable[[Callable[[], object]], None]:
    """`wait_for(condition)`: 20 s at most."""

    def wait(condition: Callable[[], object]) -> None:
        give_up = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < give_up
            time.sleep(0.002)

    return wait


@pytest.fixture(scope="session")
def hold(submit, noise) -> Callable[..., Job[np.ndarray]]:
    """`hold(scheduler, model)`: a job that keeps the inference busy until the gate is opened."""

    def busy(queue: Scheduler, model: Brightest) -> Job[np.ndarray]:
        model.gate.clear()
        job = submit(queue, model, noise(0, 64, 64))
        assert model.entered.acquire(timeout=20)
        return job

    return busy
