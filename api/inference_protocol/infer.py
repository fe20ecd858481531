"""`POST /v2/models/{model}/infer`: a tensor in, the mask as a tensor out; nothing is fitted."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt
from starlette.requests import Request
from starlette.responses import Response

from api import deadlines, uploads
from api.inference_protocol import coding, request
from api.inference_protocol.lookup import model_of
from api.inference_protocol.metadata import version_of
from api.inference_protocol.request import DATATYPE, InferRequest
from api.models import Model
from api.segment import headers_of
from api.service import Service
from runtime import contract, metrics
from runtime.codecs import Claim
from runtime.jobs import Images, Masks

LENGTH_HEADER = "Inference-Header-Content-Length"

AT_ONCE_BYTES = 64 * 2**10
"""Bodies with less JSON than this are read on the event loop: a thread would take longer than they do."""


@dataclass
class Answer:
    """The body of an answer."""

    content: bytes
    json_length: int | None
    """Bytes of JSON before the tensor's; None if all of it is JSON."""
    coding: str
    """Its Content-Encoding, "" for none."""

    def headers(self) -> dict[str, str]:
        """What has to be said about it."""
        told = {"Content-Type": "application/json" if self.json_length is None else "application/octet-stream"}
        if self.json_length is not None:
            told[LENGTH_HEADER] = str(self.json_length)
        if self.coding:
            told["Content-Encoding"] = self.coding
        return told


@dataclass
class Inference:
    """One request's way from bytes to bytes: the two stages around the inference, each on a thread."""

    model: Model
    name: str
    """By which the model was asked for."""
    asked: InferRequest
    coding: str
    """Of the answer."""
    pixels: list[npt.NDArray[np.int64]] = field(default_factory=list)
    """Of each frame's mask by category, int64 8."""

    def prepare(self, _claim: Claim) -> Images:
        """The network's input, which the body's limit bounds. Raises as `InferRequest.images`."""
        return self.asked.images()

    def finish(self, masks: Masks) -> Answer:
        """The answer's body."""
        self.pixels = [metrics.pixels(mask) for mask in masks]
        tensor: dict[str, Any] = {"name": contract.OUTPUT, "datatype": DATATYPE, "shape": list(masks.shape)}
        told: dict[str, Any] = {"model_name": self.name, "model_version": version_of(self.model), "outputs": [tensor]}
        if self.asked.id:
            told["id"] = self.asked.id
        if self.asked.wants_binary:
            tensor["parameters"] = {"binary_data_size": masks.size}
            head = json.dumps(told).encode()
            return self._coded(head + masks.tobytes(), len(head))
        tensor["data"] = []
        head, _, tail = json.dumps(told).encode().rpartition(b"[]")
        return self._coded(head + as_json(masks) + tail, None)

    def _coded(self, content: bytes, json_length: int | None) -> Answer:
        if not self.coding:
            return Answer(content, json_length, "")
        return Answer(coding.deflate(content, self.coding), json_length, self.coding)


def as_json(masks: Masks) -> bytes:
    """The ids as one flat JSON list. Ids have one digit: this takes a hundredth of the time of `json.dumps`."""
    text = np.full(2 * masks.size, ord(","), np.uint8)
    np.add(masks.reshape(-1), ord("0"), out=text[::2])
    return b"[" + text[:-1].tobytes() + b"]"


async def infer(http: Request) -> Response:
    """Whatever can be refused is refused before the body is read."""
    service: Service = http.app.state.service
    began = monotonic()
    service.scheduler.check()
    deadline = deadlines.of_request(http.headers, service.settings)
    json_length = request.json_length(http.headers.get(LENGTH_HEADER))
    coded = coding.of_request(http.headers)
    name, model = await model_of(http)
    body = await uploads.read_body(http, service.settings, service.buffered, deadline)
    asked = await _read(service, model, body, coded, json_length)
    if asked.timeout_us is not None:
        ends = began + asked.timeout_us / 1e6
        deadline = ends if deadline is None else min(deadline, ends)
    work = Inference(model, name, asked, coding.of_answer(http.headers))
    job = await service.work(model, work.prepare, work.finish, deadline, http.receive)
    for pixels in work.pixels:
        service.metrics.frame(model.name, model.provider, job.timings, pixels)
    answer = job.result()
    return Response(answer.content, headers={**headers_of(model, job.timings), **answer.headers()})


async def _read(service: Service, model: Model, body: bytes, coded: str, json_length: int | None) -> InferRequest:
    """The request of a body, which counts as being read until it is unpacked and its JSON taken apart."""
    limit, geometry = service.settings.max_body_bytes, model.contract.geometry

    def read() -> InferRequest:
        plain = coding.inflate(body, coded, limit) if coded else body
        return request.read(plain, json_length, geometry)

    if not coded and (len(body) if json_length is None else json_length) <= AT_ONCE_BYTES:
        return read()
    held = limit if coded else len(body)
    service.buffered.take(held)
    try:
        return await asyncio.to_thread(read)
    finally:
        service.buffered.give_back(held)
