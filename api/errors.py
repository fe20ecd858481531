"""What can be wrong with a request, and the one table from exceptions to status codes.

Our own routes answer with problem+json (RFC 9457); those under /v2 as the Open Inference Protocol wants it.
"""

from __future__ import annotations

import http
import json
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from api.metrics import Metrics
from runtime.errors import (
    DataInvalid,
    DeadlinePassed,
    FrameTooLarge,
    FrameUndecodable,
    ModelNotFound,
    QueueFull,
    Stopping,
)


class RequestError(Exception):
    """A request that can't be answered as it was put; the message is one sentence for whoever sent it."""


class RequestMalformed(RequestError):
    """The body's wrapping, or a parameter, is not what it should be."""


class NotAcceptable(RequestError):
    """None of the formats that were asked for can be given."""


class BodyLate(RequestError):
    """The body did not arrive in time."""


class BodyTooLarge(RequestError):
    """The body exceeds the limit; told without reading all of it."""


class MediaTypeUnsupported(RequestError):
    """The body is declared as something that is not handled."""


class Unauthorized(RequestError):
    """The API key is missing or wrong."""


class Forbidden(RequestError):
    """It is not to be done here: administration is off, or the page's origin is not listed."""


class Unavailable(RequestError):
    """It can't be done now, and may be later: a model is not there yet, or too much is being read."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


STATUS: dict[type[Exception], int] = {
    FrameUndecodable: 400,
    RequestMalformed: 400,
    DataInvalid: 400,
    Unauthorized: 401,
    Forbidden: 403,
    ClientDisconnect: 400,  # nobody is there to read it
    ModelNotFound: 404,
    NotAcceptable: 406,
    BodyLate: 408,
    BodyTooLarge: 413,
    FrameTooLarge: 413,
    MediaTypeUnsupported: 415,
    Unavailable: 503,
    QueueFull: 503,
    Stopping: 503,
    DeadlinePassed: 504,
}

RETRY_AFTER_S: dict[type[Exception], int] = {QueueFull: 1, Stopping: 5}
"""For `Retry-After`; Unavailable says it itself."""


def problem(path: str, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer for a request that failed, in the form that the path's clients expect."""
    document: dict[str, str | int]
    if path == "/v2" or path.startswith("/v2/"):
        document, media_type = {"error": detail}, "application/json"
    else:
        title = http.HTTPStatus(status).phrase
        document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        media_type = "application/problem+json"
    # json escapes what is not ASCII, so that no text that a client sent can fail to be encoded.
    return Response(json.dumps(document).encode(), status, headers, media_type)


_REJECTED: dict[type[Exception], str] = {
    QueueFull: "full",
    Stopping: "stopping",
    Unavailable: "not_ready",
    BodyTooLarge: "body",
    BodyLate: "body",
}
"""What the metrics call the reason."""


def count(error: Exception, metrics: Metrics) -> None:
    """Tell the metrics of a request that was not worked on."""
    if type(error) in _REJECTED:
        metrics.rejected(_REJECTED[type(error)])
    elif isinstance(error, DeadlinePassed):
        metrics.expired()
    elif isinstance(error, ClientDisconnect):
        metrics.abandoned()


def answer(path: str, error: Exception) -> Response:
    """What a client is told of one of STATUS' errors."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    headers = {}
    if status == 503:
        seconds = error.retry_after_s if isinstance(error, Unavailable) else RETRY_AFTER_S[type(error)]
        headers["Retry-After"] = str(seconds)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, BodyLate):
        # The rest of the body may still come, or never: there is no telling where the next request would begin.
        headers["Connection"] = "close"
    return problem(path, status, str(error), headers)


async def _from_table(request: Request, error: Exception) -> Response:
    count(error, request.app.state.service.metrics)
    return answer(request.url.path, error)


async def _from_starlette(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    detail = error.detail
    if error.status_code == 404:
        detail = f"there is no {request.url.path} here"
    elif error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))
        detail = f"{request.method} does not work on {request.url.path}: use {headers['Allow']}"
    return problem(request.url.path, error.status_code, detail, headers)


async def _from_a_bug(request: Request, _error: Exception) -> Response:
    return problem(request.url.path, 500, "the server made a mistake; its log tells which")


HANDLERS: dict[type[Exception], ExceptionHandler] = {
    **dict.fromkeys(STATUS, _from_table),
    HTTPException: _from_starlette,
    Exception: _from_a_bug,
}
"""For Starlette's `exception_handlers`."""
