"""`POST /segment`: what HTTP says, put into the service's terms, and back."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api import negotiation, uploads
from api.errors import RequestMalformed
from api.service import Service, Timings, Wanted

DEFAULT_OPACITY = 0.5
"""Of the overlay's colours: the scene and its categories can both be seen."""


def _wanted(request: Request) -> Wanted:
    accept = ",".join(request.headers.getlist("accept"))
    form = negotiation.choose(accept, request.query_params.get("format"))
    text = request.query_params.get("opacity", str(DEFAULT_OPACITY))
    try:
        opacity = float(text)
    except ValueError:
        opacity = -1.0
    if not 0 <= opacity <= 1:
        raise RequestMalformed(f"opacity is '{text}': give a number from 0 to 1")
    return Wanted(form, opacity)


def _server_timing(timings: Timings) -> str:
    return ", ".join(f"{stage};dur={milliseconds:.3f}" for stage, milliseconds in timings.as_dict().items())


async def segment(request: Request) -> Response:
    """The mask of the image in the body. Whatever can be refused is refused before the body is read."""
    service: Service = request.app.state.service
    service.workers.check()
    wanted = _wanted(request)
    media_type = uploads.media_type(request)
    model = await service.models.get(request.query_params.get("model"))
    body = await uploads.read_body(request, service.settings)

    def image_of_body() -> bytes:
        is_form = media_type == uploads.MULTIPART
        return uploads.the_file(body, request.headers["content-type"]) if is_form else body

    answer = await service.segment(model, image_of_body, wanted)
    headers = {
        "Server-Timing": _server_timing(answer.timings),
        "Roadmask-Model": model.name,
        "Roadmask-Provider": model.provider,
    }
    return Response(answer.body, headers=headers, media_type=negotiation.FORMATS[wanted.format])
