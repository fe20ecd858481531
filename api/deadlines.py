"""A request's deadline: its `Request-Timeout-Ms` header, or the server's setting."""

from __future__ import annotations

from time import monotonic

from starlette.datastructures import Headers

from api.errors import RequestMalformed
from api.settings import MAX_REQUEST_TIMEOUT_MS, Settings

HEADER = "Request-Timeout-Ms"


def of_request(headers: Headers, settings: Settings) -> float | None:
    """When the request's time is up, by `time.monotonic`, counted from now; None if there is no end.

    Raises:
        RequestMalformed: the header is no whole number of milliseconds, or out of range.
    """
    text = headers.get(HEADER, "")
    milliseconds = settings.request_timeout_ms
    if text:
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= MAX_REQUEST_TIMEOUT_MS):
            raise RequestMalformed(f"{HEADER} is '{text}': give milliseconds, 1 to {MAX_REQUEST_TIMEOUT_MS}")
        milliseconds = int(text)
    return None if milliseconds is None else monotonic() + milliseconds / 1000
