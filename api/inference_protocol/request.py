"""What a client asks of `infer`, checked before any of its numbers is touched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from api.errors import RequestMalformed
from api.inference_protocol import numbers
from runtime import contract
from runtime.frames import Geometry
from runtime.jobs import Images

DATATYPE = "UINT8"
"""Of the model's input and outputs."""

MAX_FRAMES = 256
"""In one request. More, and smaller, frames would only make the bookkeeping dear: the body limit ends a real batch."""


@dataclass(frozen=True)
class WantedOutput:
    """An output that the answer is to hold."""

    name: str
    is_binary: bool
    """Whether it comes as bytes; else as JSON."""


@dataclass(frozen=True)
class InferRequest:
    """A request that makes sense."""

    id: str
    """"" where there is none."""
    shape: tuple[int, ...]
    """batch, height, width, 3."""
    data: memoryview
    """The tensor's bytes, or its numbers as JSON."""
    is_binary: bool
    """Which of the two `data` is."""
    outputs: tuple[WantedOutput, ...]
    """At least one, in the order of the answer."""
    timeout_us: int | None
    """Microseconds until inference has to begin; None for no end."""

    @property
    def wants_confidence(self) -> bool:
        """Whether the model's second output is among those that are wanted."""
        return any(output.name == contract.CONFIDENCE for output in self.outputs)

    def images(self) -> Images:
        """The network's input.

        Raises:
            RequestMalformed: its numbers are not as many as the shape says, or not 0 to 255.
        """
        if self.is_binary:
            return np.frombuffer(self.data, np.uint8).reshape(self.shape)
        return np.frombuffer(numbers.whole_bytes(self.data, _product(self.shape)), np.uint8).reshape(self.shape)


def read(body: bytes, json_length: int | None, geometry: Geometry, there: Sequence[str]) -> InferRequest:
    """The request of a body.

    Args:
        body: JSON, and after it the bytes of binary tensors.
        json_length: the header `Inference-Header-Content-Length`; None where there is none, and all is JSON. 0 says
            that all of it is the one input's bytes.
        geometry: of the model.
        there: the names of its outputs.

    Raises:
        RequestMalformed: anything about it is not as the protocol or the model wants it.
    """
    if json_length == 0:
        return _raw(body, geometry, there)
    if json_length is not None and json_length > len(body):
        raise RequestMalformed(
            f"Inference-Header-Content-Length is {json_length}, more than the {len(body)} bytes of the body"
        )
    size = len(body) if json_length is None else json_length
    told, data = numbers.load(body, size)
    tail = memoryview(body)[size:]
    parameters = _parameters(told, "the request")
    given = _the_input(told)
    shape = _shape(given, geometry)
    tensor, is_binary = _tensor(given, data, tail, shape)
    wants_binary = _flag(parameters, "binary_data_output", "the request", False)
    return InferRequest(
        id=_id(told),
        shape=shape,
        data=tensor,
        is_binary=is_binary,
        outputs=_wanted_outputs(told, wants_binary, there),
        timeout_us=_timeout(parameters),
    )


def json_length(text: str | None) -> int | None:
    """The header `Inference-Header-Content-Length` as a number of bytes; None if there is none.

    Raises:
        RequestMalformed: it is no number.
    """
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise RequestMalformed(f"Inference-Header-Content-Length is '{text}': give the bytes of JSON, or 0")
    return int(text)


def _raw(body: bytes, geometry: Geometry, there: Sequence[str]) -> InferRequest:
    if geometry.fixed is None:
        raise RequestMalformed(
            "a raw body does not tell the size of its frames, and this model takes many: send JSON with the shape first"
        )
    height, width = geometry.fixed
    count, left = divmod(len(body), height * width * 3)
    if left or not 1 <= count <= MAX_FRAMES:
        raise RequestMalformed(
            f"a raw body has to be 1 to {MAX_FRAMES} frames of {height} x {width} x 3 bytes, it has {len(body)} bytes"
        )
    outputs = tuple(WantedOutput(name, is_binary=True) for name in there)
    return InferRequest("", (count, height, width, 3), memoryview(body), True, outputs, None)


def _the_input(told: dict[str, Any]) -> dict[str, Any]:
    inputs = told.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise RequestMalformed(f"'inputs' has to be a list of exactly one object, the tensor '{contract.INPUT}'")
    given: dict[str, Any] = inputs[0]
    if given.get("name") != contract.INPUT:
        raise RequestMalformed(f"there is no input {_shown(given.get('name'))}: the model has '{contract.INPUT}'")
    if given.get("datatype") != DATATYPE:
        raise RequestMalformed(f"'{contract.INPUT}' has the datatype {_shown(given.get('datatype'))}: it is {DATATYPE}")
    return given


def _shape(given: dict[str, Any], geometry: Geometry) -> tuple[int, ...]:
    shape = given.get("shape")
    if not (isinstance(shape, list) and len(shape) == 4 and all(type(side) is int for side in shape)):
        raise RequestMalformed(f"the shape is {_shown(shape)}: give [batch, height, width, 3]")
    batch, height, width, channels = shape
    if channels != 3 or min(shape) < 1:
        raise RequestMalformed(f"the shape is {_shown(shape)}: give [batch, height, width, 3], all of them at least 1")
    if batch > MAX_FRAMES:
        raise RequestMalformed(f"the batch has {_shown(batch)} frames: send at most {MAX_FRAMES} in a request")
    _check_sides(height, width, geometry)
    return tuple(shape)


def _check_sides(height: int, width: int, geometry: Geometry) -> None:
    size = f"{_shown(height)} x {_shown(width)}"
    if geometry.fixed is not None and (height, width) != geometry.fixed:
        raise RequestMalformed(
            f"the frames are {size}: the model takes {geometry.fixed[0]} x {geometry.fixed[1]} alone"
        )
    if height % geometry.stride or width % geometry.stride:
        raise RequestMalformed(f"the frames are {size}: both sides have to be multiples of {geometry.stride}")
    if geometry.fixed is None and height * width > geometry.pixel_budget:
        raise RequestMalformed(f"the frames are {size}: the model takes at most {geometry.pixel_budget} pixels a frame")


def _tensor(
    given: dict[str, Any], data: memoryview | None, tail: memoryview, shape: tuple[int, ...]
) -> tuple[memoryview, bool]:
    """The input's bytes or its JSON, and whether it is bytes."""
    parameters = _parameters(given, f"'{contract.INPUT}'")
    _refuse_shared_memory(parameters)
    size = parameters.get("binary_data_size")
    listed = given.get("data")
    if size is None:
        if len(tail):
            raise RequestMalformed(f"{len(tail)} bytes follow the JSON, and no input has a binary_data_size")
        if not isinstance(listed, list):
            raise RequestMalformed(f"'{contract.INPUT}' has neither a list of data nor a binary_data_size")
        # Only a key that is written with escapes is still here.
        return (memoryview(json.dumps(listed).encode()) if data is None or listed else data), False
    if "data" in given:
        raise RequestMalformed(f"'{contract.INPUT}' has both data and a binary_data_size: give one")
    if type(size) is not int or size != _product(shape):
        raise RequestMalformed(f"binary_data_size is {_shown(size)}: the shape {_shown(shape)} takes {_product(shape)}")
    if len(tail) != size:
        raise RequestMalformed(f"binary_data_size is {size}, and {len(tail)} bytes follow the JSON")
    return tail, True


def _wanted_outputs(told: dict[str, Any], by_default: bool, there: Sequence[str]) -> tuple[WantedOutput, ...]:
    """Those that are listed; all of them where none is."""
    listed = told.get("outputs", [])
    if not isinstance(listed, list) or not all(isinstance(output, dict) for output in listed):
        raise RequestMalformed("'outputs' has to be a list of objects, each with a name")
    names = [output.get("name") for output in listed]
    for name in names:
        if name not in there:
            raise RequestMalformed(_no_such_output(name, there))
        if names.count(name) > 1:
            raise RequestMalformed(f"'{name}' is asked for {names.count(name)} times: ask for it once")
    if not listed:
        return tuple(WantedOutput(name, by_default) for name in there)
    return tuple(_wanted_output(output, by_default) for output in listed)


def _no_such_output(name: object, there: Sequence[str]) -> str:
    if name == contract.CONFIDENCE:
        return f"this server does without the output '{name}': ROADMASK_CONFIDENCE=1 switches it on"
    return f"there is no output {_shown(name)}: the model has " + " and ".join(f"'{one}'" for one in there)


def _wanted_output(output: dict[str, Any], by_default: bool) -> WantedOutput:
    whose = f"'{output['name']}'"
    parameters = _parameters(output, whose)
    _refuse_shared_memory(parameters)
    if parameters.get("classification"):
        raise RequestMalformed("classification is not supported: a mask has one id a pixel, and no scores")
    return WantedOutput(output["name"], _flag(parameters, "binary_data", whose, by_default))


def _parameters(holder: dict[str, Any], whose: str) -> dict[str, Any]:
    parameters = holder.get("parameters", {})
    if not isinstance(parameters, dict):
        raise RequestMalformed(f"the parameters of {whose} have to be an object")
    return parameters


def _flag(parameters: dict[str, Any], name: str, whose: str, by_default: bool) -> bool:
    value = parameters.get(name, by_default)
    if not isinstance(value, bool):
        raise RequestMalformed(f"{name} of {whose} is {_shown(value)}: it is true or false")
    return value


def _refuse_shared_memory(parameters: dict[str, Any]) -> None:
    if "shared_memory_region" in parameters:
        raise RequestMalformed("shared memory is not supported: send and take tensors in the body")


def _timeout(parameters: dict[str, Any]) -> int | None:
    """Triton's `timeout`: microseconds, 0 for none. Its `priority` and `sequence_*` change nothing here."""
    value = parameters.get("timeout", 0)
    if type(value) is not int or value < 0:
        raise RequestMalformed(f"timeout is {_shown(value)}: give microseconds, a whole number")
    # float() of what is beyond any clock would fail.
    return min(value, 10**15) or None


def _id(told: dict[str, Any]) -> str:
    given = told.get("id", "")
    if not isinstance(given, str):
        raise RequestMalformed(f"id is {_shown(given)}: it has to be a text")
    return given


def _product(shape: tuple[int, ...]) -> int:
    batch, height, width, channels = shape
    return batch * height * width * channels


def _shown(value: object) -> str:
    """What a client sent, short enough for a message."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
