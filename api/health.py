"""What probes ask: three routes that need no key, and whose status alone tells.

| route | 200 | 503 | who asks |
|---|---|---|---|
| /v2/health/started | once the default model was loaded and warmed up, to the end | before | a startup probe |
| /v2/health/ready | frames would be segmented | starting, stopping, model unloaded | a readiness probe, a proxy |
| /v2/health/live | the process answers | never | a liveness probe |
"""

from __future__ import annotations

import json
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.errors import Unavailable, answer
from api.service import Service
from runtime.errors import Stopping


def routes() -> list[BaseRoute]:
    """The three."""
    return [
        Route("/v2/health/started", _started),
        Route("/v2/health/ready", _ready),
        Route("/v2/health/live", _live),
    ]


async def _started(request: Request) -> Response:
    service: Service = request.app.state.service
    return _state(request, "started", service.models.check_started)


async def _ready(request: Request) -> Response:
    service: Service = request.app.state.service
    return _state(request, "ready", service.check_ready)


async def _live(request: Request) -> Response:
    return _state(request, "live", lambda: None)


def _state(request: Request, name: str, check: Callable[[], object]) -> Response:
    """Answered here, because a probe that is told no is no request that was refused: the metrics don't count it."""
    try:
        check()
    except (Stopping, Unavailable) as error:
        return answer(request.url.path, error)
    return Response(json.dumps({name: True}).encode(), media_type="application/json")
