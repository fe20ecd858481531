"""`POST /compare`: a frame's mask, and how far it agrees with the ground truth.

With `min_confidence`, pixels that the model is not sure enough of are void. By Cityscapes' definition such a pixel is a
false negative of the category that it has in the truth, and a false positive of none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from starlette.requests import Request
from starlette.responses import Response

from api import confidence, deadlines, decoders, encoders, uploads
from api.confidence import Wanted
from api.errors import MediaTypeUnsupported
from api.model import Model
from api.segment import headers_of
from api.service import Service
from runtime import categories, codecs, frames, metrics, png_writer, truth
from runtime.codecs import Claim, Limits
from runtime.errors import DataInvalid, FrameTooLarge, FrameUndecodable
from runtime.frames import Fit, Mask
from runtime.jobs import Confidences, Images, Masks
from runtime.metrics import Confusion
from runtime.truth import Truth

T = TypeVar("T")

FIELDS = ("image", "truth")
"""Of the form. No other name is guessed: a frame taken for the truth would give figures that look like some."""

NOT_SCORED, RIGHT, WRONG = 0, 1, 2
"""What a pixel of the difference holds. Not scored is what the truth has as void."""

DIFFERENCE_PALETTE: npt.NDArray[np.uint8] = np.array([(0, 0, 0), (0, 158, 115), (213, 94, 0)], np.uint8)
"""Black, bluish green and vermilion: of Okabe and Ito's palette, which the colour-blind can tell apart too."""


@dataclass
class Comparison:
    """One frame's way from a form to what is answered: the two stages around the inference."""

    model: Model
    files: Callable[[], list[bytes]]
    """Gives the encoded frame and truth; called on a thread, because a form has to be parsed."""
    limits: Limits
    wanted: Wanted
    """Of the confidence."""
    pixels: npt.NDArray[np.int64] = field(init=False)
    """Of the network's output by category, int64 8, whatever becomes void; there once `finish` is done."""
    _fit: Fit | None = None
    _truth: Truth | None = None

    def prepare(self, claim: Claim) -> Images:
        """The network's input.

        Raises:
            QueueFull: `claim` found no room for frame or truth.
            RequestMalformed: as `api.uploads.files_of`.
            FrameUndecodable, FrameTooLarge: one of the images; says which.
            DataInvalid: the truth is none, or has another size than the frame.
        """
        image, truth_image = self.files()
        frame = _named("image", lambda: decoders.decode(image, self.limits, claim))
        self._truth = _named("truth", lambda: truth.read(truth_image, self.limits, claim))
        if self._truth.mask.shape != frame.shape[:2]:
            raise DataInvalid(
                f"the image is {_size(frame)} as it is displayed, the truth {_size(self._truth.mask)}: "
                "they must be of one size"
            )
        self._fit = self.model.plan(frame)
        return frames.fit(frame, self._fit)[None]

    def finish(self, masks: Masks, confidences: Confidences | None = None) -> dict[str, Any]:
        """What is answered, but for what the server knows.

        Args:
            masks: the network's output, of one frame.
            confidences: likewise, where some of it may become void.
        """
        assert self._fit is not None
        assert self._truth is not None
        self.pixels = metrics.pixels(masks[0])
        mask = masks[0]
        if confidences is not None:
            mask = confidence.void_below(mask, confidences[0], self.wanted.least)
        prediction = frames.restore(mask, self._fit)
        verdict = difference(self._truth.mask, prediction)
        confusion = Confusion()
        confusion.add(self._truth.mask, prediction)
        return {
            "width": prediction.shape[1],
            "height": prediction.shape[0],
            "iou": confusion.iou(),
            "mean_iou": confusion.mean_iou(),
            "accuracy": confusion.accuracy(),
            "confusion": confusion.matrix.tolist(),
            "prediction": encoders.as_base64(codecs.encode_mask(prediction)),
            "truth": encoders.as_base64(codecs.encode_mask(self._truth.mask)),
            "difference": encoders.as_base64(png_writer.encode_indices(verdict, DIFFERENCE_PALETTE)),
            "truth_kind": self._truth.kind,
        }


def difference(truth_mask: Mask, prediction: Mask) -> npt.NDArray[np.uint8]:
    """Where a mask is right: uint8 H x W of NOT_SCORED, RIGHT and WRONG.

    Args:
        truth_mask: uint8 H x W, category ids; void is not scored.
        prediction: uint8 H x W, category ids.
    """
    is_wrong = cv2.compare(truth_mask, prediction, cv2.CMP_NE)  # 0 or 255
    verdict = np.asarray(cv2.add(cv2.min(is_wrong, 1), 1), np.uint8)
    verdict[truth_mask == categories.VOID] = NOT_SCORED
    return verdict


async def compare(request: Request) -> Response:
    """The agreement of the form's image and truth. Whatever can be refused is refused before the body is read."""
    service: Service = request.app.state.service
    service.scheduler.check()
    deadline = deadlines.of_request(request.headers, service.settings)
    if uploads.media_type(request) != uploads.MULTIPART:
        raise MediaTypeUnsupported(f"send {uploads.MULTIPART} with a file in each of the fields 'image' and 'truth'")
    model = await service.models.get(request.query_params.get("model"))
    wanted = confidence.wanted(request.query_params, model)
    body = await uploads.read_body(request, service.settings, service.buffered, deadline)

    def files() -> list[bytes]:
        return uploads.files_of(body, request.headers["content-type"], FIELDS)

    work = Comparison(model, files, service.limits, wanted)
    job = await service.work(model, work.prepare, work.finish, deadline, request.receive, wanted.least > 0)
    timings = job.timings
    document = {"model": model.name, "provider": model.provider, **job.result(), "timings_ms": timings.as_dict()}
    service.metrics.frame(model.name, model.provider, timings, work.pixels)
    return Response(json.dumps(document).encode(), headers=headers_of(model, timings), media_type="application/json")


def _named(what: str, read: Callable[[], T]) -> T:
    """What `read` gives; its errors say which of the two images is meant."""
    try:
        return read()
    except (FrameUndecodable, FrameTooLarge, DataInvalid) as error:
        raise type(error)(f"{what}: {error}") from error


def _size(pixels: npt.NDArray[np.uint8]) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"
