"""What one server process holds: settings, models, workers, and the way a frame takes through them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
import numpy.typing as npt

from api import decoders, encoders
from api.errors import Unavailable
from api.models import Model, Models
from api.settings import Settings
from api.workers import Workers
from runtime import codecs, frames
from runtime.codecs import Limits
from runtime.frames import Fit, Frame


@dataclass
class Timings:
    """Where the time of a request went, in milliseconds."""

    decode: float = 0.0
    """Finding the image in the body, decoding and fitting it."""
    queue: float = 0.0
    """Waiting, for a thread of any kind."""
    infer: float = 0.0
    encode: float = 0.0
    """Bringing the mask to the frame's size and encoding it."""
    _admitted: float = field(default_factory=perf_counter, repr=False)

    @contextmanager
    def measuring(self, stage: str) -> Iterator[None]:
        """Time a stage; whatever passed since the last one ended was waiting."""
        began = perf_counter()
        worked = self.decode + self.infer + self.encode
        self.queue = (began - self._admitted) * 1000 - worked
        yield
        setattr(self, stage, (perf_counter() - began) * 1000)

    def as_dict(self) -> dict[str, float]:
        """The four stages, rounded to microseconds."""
        return {stage: round(getattr(self, stage), 3) for stage in ("decode", "queue", "infer", "encode")}


@dataclass(frozen=True)
class Wanted:
    """What a request asks for."""

    format: str
    """A key of `api.negotiation.FORMATS`."""
    opacity: float
    """Of the colours in an overlay, 0..1."""


@dataclass(frozen=True)
class Answer:
    """An encoded mask, and what the headers say of it."""

    body: bytes
    timings: Timings


@dataclass
class _Prepared:
    """A frame that waits for inference."""

    fit: Fit
    image: Frame | None
    """The network's input; None once it is used."""
    frame: Frame | None
    """The whole frame where the answer shows it; else None, so that the queue holds no frame of full size."""


class Service:
    """Segments the images of requests. Belongs to the event loop's thread."""

    def __init__(self, settings: Settings, segmenter: Model | None = None) -> None:
        self.settings = settings
        self.models = Models(settings, segmenter)
        self.workers = Workers(settings.queue_size)
        self.failure: Exception | None = None
        """Why the default model could not be loaded."""

    def check_ready(self) -> None:
        """Find out whether a request would be served.

        Raises:
            Unavailable: the model is not loaded yet, or the server is stopping.
        """
        self.workers.check_admission_is_open()
        if self.models.default is None:
            raise Unavailable("the model is still being loaded", retry_after_s=2)

    async def segment(self, model: Model, image_of_body: Callable[[], bytes], wanted: Wanted) -> Answer:
        """The encoded mask of an image.

        Args:
            model: who segments it.
            image_of_body: gives the encoded image; it is called on a thread, because a form has to be parsed.
            wanted: how the mask is given.

        Raises:
            Unavailable: there is no place.
            FrameUndecodable, FrameTooLarge, RequestMalformed: the image can't be used.
            NotAcceptable: the mask can't be given in that format.
        """
        with self.workers.admitted():
            timings = Timings()
            limits = Limits(self.settings.max_body_bytes, self.settings.max_pixels)
            prepared = await self.workers.codec(lambda: _prepare(model, image_of_body, limits, wanted, timings))
            output = await self.workers.inference(lambda: _infer(model, prepared, timings))
            body = await self.workers.codec(lambda: _encode(model, prepared, output, wanted, timings))
            return Answer(body, timings)


def _prepare(
    model: Model, image_of_body: Callable[[], bytes], limits: Limits, wanted: Wanted, timings: Timings
) -> _Prepared:
    with timings.measuring("decode"):
        frame = decoders.decode(image_of_body(), limits)
        fit = model.plan(frame)
        return _Prepared(fit, frames.fit(frame, fit), frame if wanted.format == "jpeg" else None)


def _infer(model: Model, prepared: _Prepared, timings: Timings) -> npt.NDArray[np.uint8]:
    assert prepared.image is not None
    with timings.measuring("infer"):
        output: npt.NDArray[np.uint8] = model.infer(prepared.image[None])[0]
    prepared.image = None
    return output


def _encode(
    model: Model, prepared: _Prepared, output: npt.NDArray[np.uint8], wanted: Wanted, timings: Timings
) -> bytes:
    with timings.measuring("encode"):
        mask = frames.restore(output, prepared.fit)
        if wanted.format == "png":
            return codecs.encode_mask(mask)
        if wanted.format == "npy":
            return encoders.encode_npy(mask)
        if wanted.format == "jpeg":
            assert prepared.frame is not None
            return encoders.encode_overlay(prepared.frame, mask, wanted.opacity)
        document = {"model": model.name, "provider": model.provider, **encoders.describe(mask)}
    return json.dumps({**document, "timings_ms": timings.as_dict()}).encode()
