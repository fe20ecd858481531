"""Answers, their headers, and the headers of requests: what the operations have in common."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from api import deadlines
from api.confidence import CONFIDENCE_HEADER, QUALITY_HEADER
from api.inference_protocol.infer import LENGTH_HEADER
from api.metrics import GOOD
from api.openapi.schemas import Json, ref
from api.settings import MAX_REQUEST_TIMEOUT_MS
from runtime import quality

ERRORS = {
    400: "The body is not what it should be (no image, truncated, malformed, of another shape), or a parameter.",
    401: "The key is missing or wrong.",
    403: "Administration is off: `ROADMASK_ADMIN=1` turns it on.",
    404: "No such model, or nothing is there.",
    406: "None of the formats that were asked for can be given.",
    408: "The body did not arrive in time.",
    413: "The body has too many bytes, or the image too many pixels (told from its header, before it is decoded).",
    415: "The body's media type, or its content coding, is not handled.",
    503: "The queue is full, the server is stopping, or the model is not ready: try again after `Retry-After` seconds.",
    504: "The deadline of the request passed before inference began.",
}
"""When an answer has which status."""

BODY = (400, 408, 413, 503)
"""What can go wrong with any body."""
WORK = (*BODY, 404, 415, 504)
"""What can go wrong with a body that a model works on."""

_EVERYWHERE = ("X-Request-ID", "Frame-Timestamp", "traceparent")
_WORKED = ("Server-Timing", "Roadmask-Model", "Roadmask-Provider")
_PREFIX = "#/components/responses/"
_OF_STATUS = {401: ("WWW-Authenticate",), 503: ("Retry-After",)}


def _header(description: str, *, required: bool = True, **schema: Any) -> Json:
    return {"description": description, "required": required, "schema": {"type": "string", **schema}}


HEADERS: dict[str, Json] = {
    "X-Request-ID": _header("The request's own id if it had a sane one, else a new one.", minLength=1),
    "Frame-Timestamp": _header("As it came with the request.", required=False),
    "traceparent": _header("W3C trace context, if the request had one.", required=False),
    "Server-Timing": _header(
        "Milliseconds: decode (with fitting), queue (all waiting), infer, encode (with bringing the mask to the "
        "frame's size).",
        examples=["decode;dur=6.120, queue;dur=0.214, infer;dur=48.022, encode;dur=4.731"],
    ),
    "Roadmask-Model": _header("Stem of the model file that answered.", examples=["accurate-int8"]),
    "Roadmask-Provider": _header("The execution provider that ran it.", examples=["cpu"]),
    CONFIDENCE_HEADER: _header(
        "Mean confidence of the frame, 0 to 1, where the server runs with it.", required=False, examples=["0.934"]
    ),
    QUALITY_HEADER: _header(
        f"`{GOOD}`, or what is wrong with the frame, comma separated ({', '.join(quality.FLAGS)}), where the server "
        "runs with confidence.",
        required=False,
        examples=[GOOD, ", ".join(quality.FLAGS[:2])],
    ),
    LENGTH_HEADER: {
        **_header("Of a binary body: the bytes of JSON before the tensor.", required=False),
        "schema": {"type": "integer", "minimum": 0},
    },
    "Retry-After": {**_header("Seconds."), "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": _header("How to authenticate.", examples=["Bearer"]),
}
"""`components.headers` of the document."""


def headers(*names: str) -> Json:
    """References to those of HEADERS, and to those that every answer has."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*_EVERYWHERE, *names)}


def parameters() -> Json:
    """`components.parameters` of the document: the headers that requests may have, by a name of ours."""

    def header(name: str, description: str, schema: Json) -> Json:
        return {"name": name, "in": "header", "description": description, "schema": schema}

    text = {"type": "string"}
    return {
        "RequestId": header("X-Request-ID", "Given back and logged; without one, or with a strange one, made.", text),
        "FrameTimestamp": header("Frame-Timestamp", "When the frame was taken, in any form; given back.", text),
        "TraceParent": header("traceparent", "W3C trace context; passed over if it is none.", text),
        "RequestTimeout": header(
            deadlines.HEADER,
            "Deadline, in milliseconds from the request's arrival: inference that has not begun by then never does.",
            {"type": "integer", "minimum": 1, "maximum": MAX_REQUEST_TIMEOUT_MS, "examples": [500]},
        ),
    }


TRACING = ("RequestId", "FrameTimestamp", "TraceParent")
"""The parameters of every operation."""


def parameter(name: str) -> Json:
    """A reference to one of `parameters()`."""
    return {"$ref": f"#/components/parameters/{name}"}


def ok(description: str, content: Json, *header_names: str) -> Json:
    """The answer with status 200.

    Args:
        description: what it is.
        content: media type to schema.
        header_names: of HEADERS, beyond those that every answer has.
    """
    body = {media_type: {"schema": schema} for media_type, schema in content.items()}
    return {"description": description, "headers": headers(*header_names), "content": body}


def worked(description: str, content: Json, *header_names: str) -> Json:
    """The answer with status 200 to what a model worked on. Arguments as `ok`."""
    return ok(description, content, *_WORKED, *header_names)


def as_json(schema: str, description: str) -> Json:
    """The answer with status 200 that is one of `api.openapi.schemas`."""
    return ok(description, {"application/json": ref(schema)})


def errors(*statuses: int, protocol: bool = False) -> Json:
    """References to the answers of these statuses.

    Args:
        statuses: keys of ERRORS.
        protocol: in the form of the Open Inference Protocol.
    """
    return {str(status): {"$ref": _PREFIX + _name(status, protocol)} for status in sorted(set(statuses))}


def _name(status: int, protocol: bool) -> str:
    phrase = HTTPStatus(status).phrase.title()
    return ("Protocol" if protocol else "") + "".join(letter for letter in phrase if letter.isalpha())


def responses(paths: Json) -> Json:
    """`components.responses` of the document: every status of ERRORS in the forms that these paths refer to."""
    used = json.dumps(paths)
    found = {}
    for status, when in ERRORS.items():
        for protocol in (False, True):
            media_type = "application/json" if protocol else "application/problem+json"
            if f'"{_PREFIX}{_name(status, protocol)}"' in used:
                found[_name(status, protocol)] = {
                    "description": when,
                    "headers": headers(*_OF_STATUS.get(status, ())),
                    "content": {media_type: {"schema": ref("ProtocolError" if protocol else "Problem")}},
                }
    return found
