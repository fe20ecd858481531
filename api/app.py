"""The application: its routes, and its life from loading the model to the last answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from api import docs, health, origins
from api.compare import compare
from api.errors import HANDLERS
from api.inference_protocol.routes import routes as inference_protocol_routes
from api.keys import KeyFile, Keys
from api.metrics import metrics
from api.model import Model, summary
from api.origins import WebSocketOrigins
from api.request_ids import RequestIds
from api.segment import segment
from api.service import Service
from api.settings import Settings
from api.stream import stream
from api.traces import Traces
from runtime.categories import CATEGORIES


def create_app(settings: Settings, segmenter: Model | None = None) -> Starlette:
    """The application; its `state.service` is the `Service` behind it.

    Args:
        settings: as they are; nothing is read from elsewhere.
        segmenter: served as the default model; if None, the default is loaded from the settings' folder. Either way
            it is warmed up while the server already answers, if only that it is not ready.

    Raises:
        KeysInvalid: the file of API keys can't be read, or holds something that is no key.
        TracesUnavailable: traces are asked for, and what makes them is not installed.
    """
    service = Service(settings, segmenter)
    traces = Traces(settings.otlp_endpoint) if settings.otlp_endpoint else None

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        starting = asyncio.create_task(_start(service))
        yield
        service.scheduler.drain()
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting
        await asyncio.to_thread(service.scheduler.close)
        if traces is not None:
            await asyncio.to_thread(traces.close)

    app = Starlette(
        routes=_routes(), middleware=_layers(service, traces), exception_handlers=HANDLERS, lifespan=lifespan
    )
    # A redirect would cost a client its body; a path that is slightly wrong is told so.
    app.router.redirect_slashes = False
    app.state.service = service
    return app


def _layers(service: Service, traces: Traces | None) -> list[Middleware]:
    """From the outside in: CORS answers preflights before keys are asked for, and lets pages read what is refused."""
    settings = service.settings
    layers = [
        Middleware(RequestIds, metrics=service.metrics, traces=traces),
        *origins.middleware(settings),
        Middleware(WebSocketOrigins, settings=settings),
    ]
    if settings.api_keys_file is not None:
        layers.append(Middleware(Keys, keys=KeyFile(settings.api_keys_file)))
    return layers


def _routes() -> list[BaseRoute]:
    return [
        Route("/segment", segment, methods=["POST"]),
        Route("/compare", compare, methods=["POST"]),
        WebSocketRoute("/stream", stream),
        Route("/metrics", metrics),
        *docs.routes(),
        *inference_protocol_routes(),
        *health.routes(),
        Route("/categories", _categories),
        Route("/model", _model),
    ]


async def _start(service: Service) -> None:
    try:
        await service.models.start(service.check_memory)
    except Exception as error:  # noqa: BLE001  whatever it is, whoever runs the server has to be told
        service.failure = error


def _json(content: Any) -> Response:
    return Response(json.dumps(content).encode(), media_type="application/json")


async def _categories(_request: Request) -> Response:
    rows = [{"id": c.id, "name": c.name, "color": list(c.color), "label_ids": list(c.label_ids)} for c in CATEGORIES]
    return _json(rows)


async def _model(request: Request) -> Response:
    service: Service = request.app.state.service
    model = await service.models.get(request.query_params.get("model"))
    return _json(summary(model))
