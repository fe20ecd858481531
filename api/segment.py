"""`POST /segment`: what HTTP says, put into the service's terms, and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from starlette.requests import Request
from starlette.responses import Response

from api import confidence, deadlines, decoders, encoders, negotiation, parameters, uploads
from api.confidence import Wanted
from api.model import Model
from api.service import Service
from runtime import codecs, frames, metrics, png_writer, quality
from runtime.codecs import Claim, Limits
from runtime.frames import Fit, Frame, Mask
from runtime.jobs import Confidences, Images, Masks, Timings
from runtime.quality import Quality

DEFAULT_OPACITY = 0.5
"""Of the overlay's colours: the scene and its categories can both be seen."""


@dataclass
class Segmentation:
    """One frame's way from an encoded image to an encoded mask: the two stages around the inference."""

    model: Model
    image_of_body: Callable[[], bytes]
    """Gives the encoded image; called on a thread, because a form has to be parsed."""
    limits: Limits
    format: str = "png"
    """A key of `api.negotiation.FORMATS`."""
    opacity: float = DEFAULT_OPACITY
    """Of the colours in an overlay, 0..1."""
    wanted: Wanted = field(default_factory=Wanted)
    """Of the confidence."""
    pixels: npt.NDArray[np.int64] = field(init=False)
    """Of the network's output by category, int64 8, whatever becomes void; there once `finish` is done."""
    quality: Quality | None = field(init=False, default=None)
    """What there is to say of the frame, once `finish` is done, of a model with confidence; else None."""
    _fit: Fit | None = None
    _fitted: Frame | None = None
    """The network's input, of a model with confidence; else None."""
    _frame: Frame | None = None
    """The whole frame where the answer shows it; else None, so that the queue holds no frame of full size."""

    def prepare(self, claim: Claim) -> Images:
        """The network's input. Raises as `api.decoders.decode`."""
        frame = decoders.decode(self.image_of_body(), self.limits, claim)
        self._fit = self.model.plan(frame)
        self._frame = frame if self.format == "jpeg" else None
        fitted = frames.fit(frame, self._fit)
        self._fitted = fitted if self.model.has_confidence else None
        return fitted[None]

    def finish(self, masks: Masks, confidences: Confidences | None = None) -> bytes | dict[str, Any]:
        """The encoded mask, or what the JSON answer says of it.

        Args:
            masks: the network's output, of one frame.
            confidences: likewise, of a model that has it.

        Raises:
            NotAcceptable: the mask can't be given in that format.
        """
        assert self._fit is not None
        self.pixels = metrics.pixels(masks[0])
        if confidences is None:
            return self._encode(frames.restore(masks[0], self._fit), None)
        assert self._fitted is not None
        self.quality = quality.assess(self._fitted, self._fit, self.model.contract.quality, confidences[0])
        # Both are brought to the frame's size by the same pixels, so that what is void can be told before.
        mask = confidence.void_below(masks[0], confidences[0], self.wanted.least)
        is_shown = self.wanted.in_answer and self.format in ("json", "npy")
        stored = frames.restore(confidences[0], self._fit) if is_shown else None
        return self._encode(frames.restore(mask, self._fit), stored)

    def _encode(self, mask: Mask, stored: Mask | None) -> bytes | dict[str, Any]:
        """The answer, with the confidence where it is to hold it; both uint8 H x W."""
        if self.format == "png":
            return codecs.encode_mask(mask)
        if self.format == "npy":
            return encoders.encode_npy(mask if stored is None else np.asarray(cv2.merge((mask, stored)), np.uint8))
        if self.format == "jpeg":
            assert self._frame is not None
            return encoders.encode_overlay(self._frame, mask, self.opacity)
        told = encoders.describe(mask)
        if stored is not None:
            assert self.quality is not None
            told |= {"confidence": encoders.as_base64(png_writer.encode_grey(stored)), **confidence.told(self.quality)}
        return told


def headers_of(model: Model, timings: Timings) -> dict[str, str]:
    """What every answer that took a model says of it."""
    stages = ", ".join(f"{stage};dur={milliseconds:.3f}" for stage, milliseconds in timings.as_dict().items())
    return {"Server-Timing": stages, "Roadmask-Model": model.name, "Roadmask-Provider": model.provider}


async def segment(request: Request) -> Response:
    """The mask of the image in the body. Whatever can be refused is refused before the body is read."""
    service: Service = request.app.state.service
    service.scheduler.check()
    deadline = deadlines.of_request(request.headers, service.settings)
    accept = ",".join(request.headers.getlist("accept"))
    form = negotiation.choose(accept, request.query_params.get("format"))
    opacity = parameters.share(request.query_params, "opacity", DEFAULT_OPACITY)
    media_type = uploads.media_type(request)
    model = await service.models.get(request.query_params.get("model"))
    wanted = confidence.wanted(request.query_params, model)
    body = await uploads.read_body(request, service.settings, service.buffered, deadline)

    def image_of_body() -> bytes:
        is_form = media_type == uploads.MULTIPART
        return uploads.the_file(body, request.headers["content-type"]) if is_form else body

    work = Segmentation(model, image_of_body, service.limits, form, opacity, wanted)
    job = await service.work(model, work.prepare, work.finish, deadline, request.receive, model.has_confidence)
    content = job.result()
    if isinstance(content, dict):
        document = {"model": model.name, "provider": model.provider, **content, "timings_ms": job.timings.as_dict()}
        content = json.dumps(document).encode()
    service.metrics.frame(model.name, model.provider, job.timings, work.pixels, work.quality)
    told = {**headers_of(model, job.timings), **confidence.headers(work.quality)}
    return Response(content, headers=told, media_type=negotiation.FORMATS[form])
