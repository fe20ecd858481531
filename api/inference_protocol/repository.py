"""Triton's repository routes: which model files are there, and their loading and unloading."""

from __future__ import annotations

import json
import os
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api import uploads
from api.errors import Forbidden, RequestMalformed
from api.inference_protocol.metadata import version_of
from api.inference_protocol.numbers import load_small
from api.service import Service
from runtime.errors import ModelInvalid, ProviderUnavailable


async def index(request: Request) -> Response:
    """Every model file; with `{"ready": true}` those alone that are loaded."""
    service: Service = request.app.state.service
    asked = await _body(request)
    only_ready = asked.get("ready", False)
    if not isinstance(only_ready, bool):
        raise RequestMalformed("'ready' has to be true or false")
    entries = []
    for entry in await service.models.index():
        if only_ready and entry.state != "READY":
            continue
        model = service.models.loaded(entry.name)
        version = entry.version if model is None else version_of(model)
        entries.append({"name": entry.name, "version": version, "state": entry.state, "reason": entry.reason})
    return _json(entries)


async def load(request: Request) -> Response:
    """Load a model's file anew; what is under way finishes on the old one, which stays if the file is bad."""
    service = _administered(request)
    for name in _parameters(await _body(request)):
        if name == "config" or name.startswith("file:"):
            raise RequestMalformed(
                f"the parameter '{name[:60]}' is not supported: a model file holds its configuration; put another file "
                "into the models' folder, and load it without parameters"
            )
    try:
        await service.models.load(request.path_params["model"])
    except (ModelInvalid, ProviderUnavailable) as error:
        # Whoever may load a model need not learn where the server keeps it.
        raise RequestMalformed(str(error).replace(f"{service.settings.models}{os.sep}", "")) from error
    return _json({})


async def unload(request: Request) -> Response:
    """Serve a model no more; what is under way finishes. Nothing depends on a model, whatever the parameters say."""
    service = _administered(request)
    _parameters(await _body(request))
    await service.models.unload(request.path_params["model"])
    return _json({})


def _administered(request: Request) -> Service:
    service: Service = request.app.state.service
    if not service.settings.admin:
        raise Forbidden("models are not loaded or unloaded here: administration is off, ROADMASK_ADMIN=1 turns it on")
    return service


async def _body(request: Request) -> dict[str, Any]:
    service: Service = request.app.state.service
    body = await uploads.read_body(request, service.settings, service.buffered)
    return load_small(body) if body else {}


def _parameters(asked: dict[str, Any]) -> dict[str, Any]:
    parameters = asked.get("parameters", {})
    if not isinstance(parameters, dict):
        raise RequestMalformed("'parameters' has to be an object")
    return parameters


def _json(content: Any) -> Response:
    return Response(json.dumps(content).encode(), media_type="application/json")
