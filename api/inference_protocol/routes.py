"""The routes under /v2, health aside."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.errors import RequestMalformed
from api.inference_protocol import metadata, repository
from api.inference_protocol.infer import infer
from api.inference_protocol.lookup import model_of
from api.service import Service

UNSUPPORTED = {
    "/v2/systemsharedmemory/{rest:path}": "shared memory is not supported: send and take tensors in the body",
    "/v2/cudasharedmemory/{rest:path}": "shared memory is not supported: send and take tensors in the body",
    "/v2/trace/setting": "trace settings are not supported: they are made where the server is started",
    "/v2/models/{model}/trace/setting": "trace settings are not supported: they are made where the server is started",
    "/v2/logging": "log settings are not supported: ROADMASK_LOG_LEVEL sets the level",
}
"""Triton's routes that Triton's clients may call, and why they are no use here."""


def routes() -> list[BaseRoute]:
    """All of them, in an order in which the first that matches is right."""
    found: list[BaseRoute] = [
        Route("/v2", _server),
        Route("/v2/models/stats", _all_statistics),
        Route("/v2/repository/index", repository.index, methods=["POST"]),
        Route("/v2/repository/models/{model}/load", repository.load, methods=["POST"]),
        Route("/v2/repository/models/{model}/unload", repository.unload, methods=["POST"]),
    ]
    for prefix in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        found += [
            Route(prefix, _metadata),
            Route(f"{prefix}/ready", _ready),
            Route(f"{prefix}/config", _configuration),
            Route(f"{prefix}/stats", _statistics),
            Route(f"{prefix}/infer", infer, methods=["POST"]),
        ]
    return [*found, *(Route(path, _unsupported, methods=["GET", "POST"]) for path in UNSUPPORTED)]


def _json(content: Any) -> Response:
    return Response(json.dumps(content).encode(), media_type="application/json")


async def _server(_request: Request) -> Response:
    return _json(metadata.server())


async def _metadata(request: Request) -> Response:
    name, model = await model_of(request)
    return _json(metadata.of_model(model, name))


async def _ready(request: Request) -> Response:
    service: Service = request.app.state.service
    if service.scheduler.draining:
        service.scheduler.check()
    await model_of(request)
    return _json({"ready": True})


async def _configuration(request: Request) -> Response:
    service: Service = request.app.state.service
    name, model = await model_of(request)
    return _json(metadata.configuration(model, name, service.settings))


async def _statistics(request: Request) -> Response:
    service: Service = request.app.state.service
    name, model = await model_of(request)
    return _json({"model_stats": [service.statistics.of(model, name, metadata.version_of(model))]})


async def _all_statistics(request: Request) -> Response:
    service: Service = request.app.state.service
    rows = []
    for entry in await service.models.index():
        model = service.models.loaded(entry.name)
        if model is not None:
            rows.append(service.statistics.of(model, model.name, metadata.version_of(model)))
    return _json({"model_stats": rows})


async def _unsupported(request: Request) -> Response:
    raise RequestMalformed(UNSUPPORTED[request.scope["route"].path])
