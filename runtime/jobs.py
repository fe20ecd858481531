"""What a scheduler works on: jobs, and where their time went."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from runtime.contract import Contract

T = TypeVar("T")

Images = npt.NDArray[np.uint8]
"""Network inputs: uint8 batch x h x w x 3."""
Masks = npt.NDArray[np.uint8]
"""Network outputs: uint8 batch x h x w."""
Confidences = npt.NDArray[np.uint8]
"""Network outputs of a model that is loaded with them: uint8 batch x h x w, 255 x the probability of the category that
the mask has there."""


class Model(Protocol):
    """What runs inference: a `runtime.segmenter.Segmenter`, or a stand-in."""

    contract: Contract

    def infer(self, images: Images) -> Masks:
        """One inference; called by as many threads at a time as the scheduler has for it."""

    def infer_with_confidence(self, images: Images) -> tuple[Masks, Confidences]:
        """The same with the second output; called only where a job wants it."""


class Timings:
    """Where the time of a job went: the stages one after the other, and the waiting between them."""

    def __init__(self) -> None:
        self.admitted = monotonic()
        self.intervals: list[tuple[str, float, float]] = []
        """Stage, begin and end in seconds of `time.monotonic`, without gaps; `queue` may occur several times."""

    def add(self, stage: str, began: float, ended: float) -> None:
        """A stage is over; whatever lies between it and the one before was waiting."""
        last = self.intervals[-1][2] if self.intervals else self.admitted
        self.intervals += [("queue", last, began), (stage, began, ended)]

    def _total(self, stage: str) -> float:
        return sum((ended - began) * 1000 for name, began, ended in self.intervals if name == stage)

    @property
    def decode(self) -> float:
        """Milliseconds of the stage `prepare`."""
        return self._total("decode")

    @property
    def queue(self) -> float:
        """Milliseconds of waiting, for a thread of any kind or for a batch to fill."""
        return self._total("queue")

    @property
    def infer(self) -> float:
        """Milliseconds of the inference, of the whole batch that the job was in."""
        return self._total("infer")

    @property
    def encode(self) -> float:
        """Milliseconds of the stage `finish`."""
        return self._total("encode")

    def as_dict(self) -> dict[str, float]:
        """The four by name in milliseconds, rounded to microseconds."""
        return {stage: round(self._total(stage), 3) for stage in ("decode", "queue", "infer", "encode")}


class Job(Future[T], Generic[T]):
    """A job's result to come. `cancel` works until its inference begins; what is cancelled is not computed.

    What begins with an underscore belongs to the scheduler.
    """

    def __init__(
        self,
        model: Model,
        prepare: Callable[[], Images],
        finish: Callable[..., T],
        deadline: float | None,
        confidence: bool = False,
    ) -> None:
        super().__init__()
        self.timings = Timings()
        self.deadline = deadline
        self.frames = 0
        """How many it holds; 0 before they are prepared."""
        self.batches: list[int] = []
        """Sizes of the inferences that it was the first frame in: over all jobs, each inference counts once."""
        self._model, self._prepare, self._finish = model, prepare, finish
        self._images: Images | None = None
        self._wants_confidence = confidence
        self._outputs: list[tuple[Masks, ...]] = []
        """Of each inference that it was in: the masks, and the confidences if it wants them."""
        self._is_abandoned = False
        self._prepared_at = 0.0

    def _take_prepare(self) -> Callable[[], Images]:
        """The first stage, once: what it holds, the encoded frame above all, goes as soon as it is through."""
        prepare = self._prepare
        del self._prepare
        return prepare

    def _take_outputs(self) -> tuple[Masks, ...]:
        """All frames' outputs, once: masks, and confidences if it wants them."""
        parts, self._outputs = self._outputs, []
        return parts[0] if len(parts) == 1 else tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    def abandon(self) -> None:
        """Nobody waits for the result any more: `cancel`, and do no more than the inference that is under way."""
        self._is_abandoned = True
        self.cancel()
