"""What probes ask: three routes that need no key, and whose status alone tells.

| route | 200 | 503 | who asks |
|---|---|---|---|
| /v2/health/started | once the default model was loaded and warmed up, to the end | before | a startup probe |
| /v2/health/ready | frames would be segmented | starting, stopping, model unloaded | a readiness probe, a proxy |
| /v2/health/live | the process answers | never | a liveness probe |
"""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.service import Service


def routes() -> list[BaseRoute]:
    """The three."""
    return [
        Route("/v2/health/started", _started),
        Route("/v2/health/ready", _ready),
        Route("/v2/health/live", _live),
    ]


async def _started(request: Request) -> Response:
    service: Service = request.app.state.service
    service.models.check_started()
    return _true("started")


async def _ready(request: Request) -> Response:
    service: Service = request.app.state.service
    service.check_ready()
    return _true("ready")


async def _live(_request: Request) -> Response:
    return _true("live")


def _true(state: str) -> Response:
    return Response(json.dumps({state: True}).encode(), media_type="application/json")
