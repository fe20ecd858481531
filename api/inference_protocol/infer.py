"""`POST /v2/models/{model}/infer`: a tensor in, the model's outputs as tensors; nothing is fitted."""

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
from api.inference_protocol.metadata import outputs_of, version_of
from api.inference_protocol.request import DATATYPE, InferRequest, WantedOutput
from api.model import Model
from api.segment import headers_of
from api.service import Service
from runtime import contract, metrics
from runtime.codecs import Claim
from runtime.jobs import Confidences, Images, Masks

LENGTH_HEADER = "Inference-Header-Content-Length"

AT_ONCE_BYTES = 64 * 2**10
"""Bodies with less JSON than this are read on the event loop: a thread would take longer than they do."""


@dataclass
class Answer:
    """The body of an answer."""

    content: bytes
    json_length: int | None
    """Bytes of JSON before the tensors'; None if all of it is JSON."""
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

    def finish(self, masks: Masks, confidences: Confidences | None = None) -> Answer:
        """The answer's body.

        Args:
            masks: of all frames.
            confidences: likewise, where the request wants them.
        """
        self.pixels = [metrics.pixels(mask) for mask in masks]
        values = {contract.OUTPUT: masks, contract.CONFIDENCE: confidences}
        described, tail = [], []
        for wanted in self.asked.outputs:
            tensor = values[wanted.name]
            assert tensor is not None
            described.append(_describe(wanted, tensor))
            if wanted.is_binary:
                tail.append(tensor.tobytes())
        told = {"model_name": self.name, "model_version": version_of(self.model)}
        if self.asked.id:
            told["id"] = self.asked.id
        head = json.dumps(told).encode()[:-1] + b', "outputs": [' + b", ".join(described) + b"]}"
        content = b"".join((head, *tail))
        if self.coding:
            content = coding.deflate(content, self.coding)
        return Answer(content, len(head) if tail else None, self.coding)


def _describe(wanted: WantedOutput, tensor: Masks) -> bytes:
    """One of the answer's outputs in JSON, with its values if they are not to come as bytes."""
    told: dict[str, Any] = {"name": wanted.name, "datatype": DATATYPE, "shape": list(tensor.shape)}
    if wanted.is_binary:
        return json.dumps({**told, "parameters": {"binary_data_size": tensor.size}}).encode()
    return json.dumps(told).encode()[:-1] + b', "data": ' + as_json(tensor) + b"}"


_IN_JSON = np.frombuffer(b"".join(b"%3d," % value for value in range(256)), "V4")
"""Each value as it is written, filled up with the spaces that JSON allows."""


def as_json(values: npt.NDArray[np.uint8]) -> bytes:
    """Values as one flat JSON list, in a hundredth of the time of `json.dumps`; ids have one digit, and take half."""
    if values.max() < 10:
        text = np.full(2 * values.size, ord(","), np.uint8)
        np.add(values.reshape(-1), ord("0"), out=text[::2])
        return b"[" + text[:-1].tobytes() + b"]"
    return b"[" + _IN_JSON[values.reshape(-1)].tobytes()[:-1] + b"]"


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
    job = await service.work(model, work.prepare, work.finish, deadline, http.receive, asked.wants_confidence)
    for pixels in work.pixels:
        service.metrics.frame(model.name, model.provider, job.timings, pixels)
    answer = job.result()
    return Response(answer.content, headers={**headers_of(model, job.timings), **answer.headers()})


async def _read(service: Service, model: Model, body: bytes, coded: str, json_length: int | None) -> InferRequest:
    """The request of a body, which counts as being read until it is unpacked and its JSON taken apart."""
    limit, geometry = service.settings.max_body_bytes, model.contract.geometry

    def read() -> InferRequest:
        plain = coding.inflate(body, coded, limit) if coded else body
        return request.read(plain, json_length, geometry, outputs_of(model))

    if not coded and (len(body) if json_length is None else json_length) <= AT_ONCE_BYTES:
        return read()
    held = limit if coded else len(body)
    service.buffered.take(held)
    try:
        return await asyncio.to_thread(read)
    finally:
        service.buffered.give_back(held)
