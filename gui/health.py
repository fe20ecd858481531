"""What probes ask of the page's server: whether it answers.

None of them asks the API: a page whose API is away says so, and comes back by itself; a restart would mend nothing.
"""

from __future__ import annotations

from nicegui import app
from starlette.responses import PlainTextResponse

PATHS = ("/health/started", "/health/ready", "/health/live")
"""One for each kind of probe, so that they can come to differ without a change of the manifests."""


def register() -> None:
    """Put the three at their addresses."""
    for path in PATHS:
        app.get(path)(_answer)


def _answer() -> PlainTextResponse:
    return PlainTextResponse("yes\n")
