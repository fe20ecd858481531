"""The OpenAPI 3.1 document of every route, built from the tables that the code itself works by.

`routes` describes our own, `protocol` those under /v2, `answers` and `schemas` what they share.
"""

from __future__ import annotations

from importlib.metadata import version

from api.openapi import answers, protocol, routes
from api.openapi.schemas import Json, schemas
from api.settings import Settings

_TEXT = """\
A camera frame goes in, a mask of the 8 main Cityscapes categories comes out:

    curl --data-binary @frame.jpg http://127.0.0.1:8000/segment -o mask.png

**Streams.** `WS /stream` (a WebSocket, which this document can't describe): each binary message is one encoded frame,
as `/segment` takes it. For each mask one text message `{"seq", "passed_over", "timings_ms"}` comes back and then one
binary message, the mask as PNG. `seq` counts the frames that the client sent, from 0; the newest frame wins, and
`passed_over` says how many were left out since the last mask. For a frame that can't be used the text message has
`error` in place of the timings, and no mask follows. `?model=`, `?confidence=1` (the text message says
`mean_confidence` and `quality`, too) and `?min_confidence=` are those of `/segment`.

**Errors** are `application/problem+json` (RFC 9457), under `/v2` `{"error": "..."}`. Beside those that are listed with
each route: 404 for a path that is none, 405 with `Allow` for a method that a path does not have, and 500, in the same
form, for a mistake of the server's own. HEAD works wherever GET does.

**Triton's clients** work unchanged; its routes for shared memory, trace and log settings answer 400 and say why."""

_KEYS_TEXT = """

**Keys.** Every route but health needs `Authorization: Bearer KEY`."""


def document(settings: Settings) -> Json:
    """The document; the settings give defaults, limits, and whether keys are needed."""
    paths = {**routes.paths(settings), **protocol.paths(settings)}
    has_keys = settings.api_keys_file is not None
    if has_keys:
        _refuse_without_key(paths)
    components = {
        "schemas": schemas(settings),
        "headers": answers.HEADERS,
        "parameters": answers.parameters(),
        "responses": answers.responses(paths),
    }
    found: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "roadmask",
            "version": version("roadmask"),
            "description": _TEXT + (_KEYS_TEXT if has_keys else ""),
        },
        # Relative to the document's own address, so that it holds behind a proxy under a sub-path too.
        "servers": [{"url": "."}],
        "tags": [
            {"name": "segmentation"},
            {"name": "server"},
            {"name": "health", "description": "These never need a key."},
            {"name": "inference protocol v2"},
        ],
        "paths": paths,
        "components": components,
    }
    if has_keys:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"key": []}]
    return found


def _refuse_without_key(paths: Json) -> None:
    for path, operations in paths.items():
        is_protocol = path == "/v2" or path.startswith("/v2/")
        for described in operations.values():
            if described.get("security") != []:
                described["responses"].update(answers.errors(401, protocol=is_protocol))
