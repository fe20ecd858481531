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
from starlette.routing import Route

from api import models
from api.errors import HANDLERS
from api.models import Model
from api.request_ids import RequestIds
from api.segment import segment
from api.service import Service
from api.settings import Settings
from runtime.categories import CATEGORIES


def create_app(settings: Settings, segmenter: Model | None = None) -> Starlette:
    """The application; its `state.service` is the `Service` behind it.

    Args:
        settings: as they are; nothing is read from elsewhere.
        segmenter: served as the default model; if None, the default is loaded from the settings' folder. Either way
            it is warmed up while the server already answers, if only that it is not ready.
    """
    service = Service(settings, segmenter)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        starting = asyncio.create_task(_start(service))
        yield
        service.workers.drain()
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting
        await asyncio.to_thread(service.workers.close)

    routes = [
        Route("/segment", segment, methods=["POST"]),
        Route("/categories", _categories),
        Route("/model", _model),
        Route("/v2/health/live", _live),
        Route("/v2/health/ready", _ready),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(RequestIds)], exception_handlers=HANDLERS, lifespan=lifespan)
    # A redirect would cost a client its body; a path that is slightly wrong is told so.
    app.router.redirect_slashes = False
    app.state.service = service
    return app


async def _start(service: Service) -> None:
    try:
        await service.models.start()
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
    return _json(models.summary(model, service.settings.threads))


async def _live(_request: Request) -> Response:
    return _json({"live": True})


async def _ready(request: Request) -> Response:
    service: Service = request.app.state.service
    service.check_ready()
    return _json({"ready": True})
