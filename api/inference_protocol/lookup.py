"""The model that a path under /v2/models names."""

from __future__ import annotations

from starlette.requests import Request

from api.inference_protocol.metadata import version_of
from api.model import Model
from api.service import Service
from runtime.errors import ModelNotFound


async def model_of(request: Request) -> tuple[str, Model]:
    """The name in the path and the model that it means; one that nobody asked for before is loaded first.

    Raises:
        ModelNotFound: there is none of that name or of that version.
        Unavailable: it is not loaded yet, was unloaded, or can't be loaded.
    """
    service: Service = request.app.state.service
    name = request.path_params["model"]
    model = await service.models.get(name)
    version = request.path_params.get("version")
    # `GET /model` tells the version in hexadecimal digits.
    if version not in (None, version_of(model), model.version):
        raise ModelNotFound(f"there is no version {version} of '{name}': the one that is served is {version_of(model)}")
    return name, model
