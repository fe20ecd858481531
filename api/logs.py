"""Logs: one JSON object a line on standard error.

Each has `time` (RFC 3339, UTC, milliseconds), `level`, `logger` and `message`; what is logged while a request is worked
on has its `request_id`, and its `trace_id` where it has one; an exception's traceback is in `exception`. Whatever is
given as `extra` becomes a field of its own. Of a client nothing is logged but its address; headers and query strings
never are, because that is where keys are. Only onnxruntime's own lines, written by its C++ code, have another form.
"""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass
class Identity:
    """What ties log lines to a request."""

    request_id: str
    trace_id: str | None = None
    is_over: bool = False
    """Set at the end: a connection's callbacks inherit the context of a request that was answered long ago."""


CURRENT: ContextVar[Identity | None] = ContextVar("request", default=None)
"""The request that is being worked on. Threads see it if the work is run in a copy of the context."""

_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}
"""A record's own attributes, and the copy with escape sequences that uvicorn adds; all others were given as `extra`."""


class JsonLines(logging.Formatter):
    """A record as one line of JSON in ASCII: whatever strangers send, they can't begin a line of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, object] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage().rstrip(),
        }
        request = CURRENT.get()
        if request is not None and not request.is_over:
            fields["request_id"] = request.request_id
            if request.trace_id is not None:
                fields["trace_id"] = request.trace_id
        fields.update((name, value) for name, value in vars(record).items() if name not in _STANDARD)
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = record.stack_info
        return json.dumps(fields, default=str)


def _is_no_junk(record: logging.LogRecord) -> bool:
    """Whether it is of use. What is no HTTP is answered with 400; a line for each would let strangers fill the log."""
    return not (record.name == "uvicorn.error" and record.msg == "Invalid HTTP request received.")


def configure(level: str) -> None:
    """Send everything that is logged or warned of in this process to standard error, as `JsonLines`.

    Ours begins at the level; what libraries log begins at `warning`, or higher if the level is. uvicorn's own lines
    below that repeat our request lines with their query strings, and at `debug` write headers, keys included.

    Args:
        level: debug, info, warning or error.
    """
    ours = logging.getLevelNamesMapping()[level.upper()]
    others = max(ours, logging.WARNING)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(_is_no_junk)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(others)
    for name in ("api", "runtime"):
        logging.getLogger(name).setLevel(ours)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], name != "uvicorn.access"
        # A level of its own: without one uvicorn believes that it is to trace every message.
        logger.setLevel(others)
    logging.captureWarnings(True)
