"""`/openapi.json`, and `/docs`: Swagger UI, from the package, so that the page asks no other host for anything.

All addresses in the page are relative: it works behind a proxy under a sub-path.
"""

from __future__ import annotations

import asyncio
import json
from functools import lru_cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.openapi import document
from api.service import Service
from api.settings import Settings

FOLDER = Path(__file__).parent / "docs_assets"

ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "start.js": "text/javascript",
}
"""File of FOLDER to media type; nothing else of it is served."""

ASSET_CACHE_S = 3600
"""The page is looked at many times in an hour, and after an upgrade at most an hour old."""

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        # Its icons are data, and an answer that is an image is shown from memory.
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing comes from, or goes to, another host."""

_PAGE = b"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>roadmask</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""


def routes() -> list[BaseRoute]:
    """The document, the page, and what the page consists of."""
    return [Route("/openapi.json", openapi), Route("/docs", docs), Route("/docs/{asset}", asset)]


@lru_cache(maxsize=1)
def _encoded(settings: Settings) -> bytes:
    return json.dumps(document(settings)).encode()


async def openapi(request: Request) -> Response:
    """The OpenAPI document of this server with its settings."""
    service: Service = request.app.state.service
    return Response(_encoded(service.settings), media_type="application/json")


async def docs(_request: Request) -> Response:
    """The page."""
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "X-Content-Type-Options": "nosniff"}
    return Response(_PAGE, headers=headers, media_type="text/html")


async def asset(request: Request) -> Response:
    """One of ASSETS.

    Raises:
        HTTPException: 404 for anything else.
    """
    name = request.path_params["asset"]
    if name not in ASSETS:
        raise HTTPException(404)
    content = await asyncio.to_thread((FOLDER / name).read_bytes)
    headers = {"Cache-Control": f"max-age={ASSET_CACHE_S}", "X-Content-Type-Options": "nosniff"}
    return Response(content, headers=headers, media_type=ASSETS[name])
