"""The OpenAPI document is valid, complete, and true to what the server does."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import hypothesis
import numpy as np
import openapi_spec_validator
import pytest
import schemathesis
from hypothesis import strategies
from PIL import Image
from schemathesis.config import SchemathesisConfig
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from api.errors import STATUS
from api.inference_protocol.routes import UNSUPPORTED
from api.openapi import answers, document
from api.openapi.routes import IMAGES
from api.settings import Settings

NOT_OFFERED = {re.sub(r"{(\w+):\w+}", r"{\1}", path) for path in UNSUPPORTED}
CONFIDENT = Settings(confidence=True)
METHODS = ("get", "post", "put", "delete", "patch")


def endpoints(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Path and method of each HTTP route; HEAD comes with GET and needs no word."""
    for route in routes:
        if isinstance(route, Mount):
            yield from endpoints(route.routes, prefix + route.path)
        elif isinstance(route, Route):
            path = re.sub(r"{(\w+):\w+}", r"{\1}", prefix + route.path)
            yield from ((path, method.lower()) for method in (route.methods or set()) - {"HEAD"})


def operations(described: dict) -> Iterator[tuple[str, str, dict]]:
    for path, item in described["paths"].items():
        yield from ((path, method, item[method]) for method in METHODS if method in item)


# The document.


@pytest.mark.parametrize("settings", [Settings(), Settings(api_keys_file=Path("keys"), admin=True), CONFIDENT])
def test_the_document_is_openapi(settings):
    openapi_spec_validator.validate(document(settings))


def test_every_route_is_in_the_document_and_the_other_way_round(server):
    described = {(path, method) for path, method, _ in operations(document(Settings()))}
    # These answer 400 and nothing else: no document need offer them.
    offered = {(path, method) for path, method in endpoints(server.app.routes) if path not in NOT_OFFERED}
    assert offered == described


def test_every_websocket_is_told_of_in_the_text(server):
    text = document(Settings())["info"]["description"]
    sockets = [route.path for route in server.app.routes if isinstance(route, WebSocketRoute)]
    assert sockets == ["/stream"]
    assert all(f"WS {path}" in text for path in sockets)


def test_every_status_of_the_table_is_described():
    everywhere = operations(document(Settings(api_keys_file=Path("keys"))))
    described = {int(status) for *_, operation in everywhere for status in operation["responses"]}
    assert described == {200, *STATUS.values()} == {200, *answers.ERRORS}


def test_every_reference_leads_somewhere_and_every_component_is_used():
    described = document(Settings(api_keys_file=Path("keys")))
    references = set(re.findall(r'"#/components/(\w+/[\w-]+)"', json.dumps(described)))
    kinds = {kind: names for kind, names in described["components"].items() if kind != "securitySchemes"}
    there = {f"{kind}/{name}" for kind, names in kinds.items() for name in names}
    assert references == there


def test_keys_are_asked_for_of_every_route_but_health_and_only_where_there_are_keys():
    assert "security" not in document(Settings())
    assert "securitySchemes" not in document(Settings())["components"]
    described = document(Settings(api_keys_file=Path("keys")))
    assert described["security"] == [{"key": []}]
    for path, _, operation in operations(described):
        is_health = path.startswith("/v2/health/")
        assert operation.get("security", described["security"]) == ([] if is_health else [{"key": []}])
        assert ("401" in operation["responses"]) != is_health


def test_the_server_gives_the_document_of_its_own_settings(server, start):
    answer = server.http.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == document(Settings())
    assert "at most 1000 bytes" not in answer.text.lower()
    assert "at most 1000 bytes" in start(max_body_bytes=1000).http.get("/openapi.json").text.lower()


# What the server does. Schemathesis makes requests from the document, right ones and wrong ones, and holds the answers
# against it.


def _image(kind: str) -> bytes:
    # Values of 0 to 7 in grey: a frame, and a ground truth too.
    grey = Image.fromarray(np.random.default_rng(3).integers(0, 8, (12, 16), np.uint8))
    buffer = io.BytesIO()
    if kind == "application/x-npy":
        np.save(buffer, np.asarray(grey.convert("RGB")))
    elif kind == "image/webp":
        grey.save(buffer, "WEBP", lossless=True)
    else:
        grey.save(buffer, kind.removeprefix("image/") if kind.startswith("image/") else "PNG")
    return buffer.getvalue()


for _kind in IMAGES:
    schemathesis.openapi.media_type(_kind, strategies.just(_image(_kind)))

REFUSALS = ["503", "504"]
"""Honest ones, no mistakes of the server's: the queue is full, a file is no model, a deadline has passed."""

CONFIG = {
    "generation": {
        "deterministic": True,
        "max-examples": 12,
        "database": "none",
        # Headers and query parameters that nobody knows are passed over, as everywhere in HTTP.
        "allow-extra-parameters": False,
    },
    # What it learns from answers depends on timings: the same requests every time instead.
    "phases": {"fuzzing": {"extra-data-sources": {"responses": False}, "error-feedback": {"enabled": False}}},
    "checks": {"not_a_server_error": {"expected-statuses": ["2xx", "4xx", *REFUSALS]}},
    "operations": [
        {
            "include-path-regex": "/infer$",
            # Whether data and shape agree can't be said in a schema: hardly a request that is made from it makes sense.
            "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "400", "404", *REFUSALS]}},
        }
    ],
}

SCHEMA = schemathesis.openapi.from_dict(document(Settings()), config=SchemathesisConfig.from_dict(CONFIG))
ADMINISTRATION = "^/v2/repository/models/"


@SCHEMA.parametrize()
def test_the_server_does_what_the_document_says(case, server):
    case.call_and_validate(base_url=server.url)


CONFIDENT_SCHEMA = schemathesis.openapi.from_dict(document(CONFIDENT), config=SchemathesisConfig.from_dict(CONFIG))


@CONFIDENT_SCHEMA.include(path_regex="^/(segment|compare|model|v2/models/{model}(/config|/infer)?)$").parametrize()
def test_the_server_does_what_the_document_says_of_confidence(case, confident):
    case.call_and_validate(base_url=confident.url)


@pytest.fixture
def administered(start):
    """A server that may be told to load and unload models."""
    return start(admin=True)


@SCHEMA.include(path_regex=ADMINISTRATION).parametrize()
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_the_server_does_what_the_document_says_of_administration(case, administered):
    case.call_and_validate(base_url=administered.url)


# A right request for every operation, so that it is known that the answers were held against their schemas too.

PNG = _image("image/png")
TENSOR = {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 32, 32, 3], "data": [1] * (32 * 32 * 3)}]}
BODIES = {
    "/segment": (PNG, "image/png"),
    "/compare": ({"image": PNG, "truth": PNG}, "multipart/form-data"),
    "/v2/models/{model}/infer": (TENSOR, "application/json"),
    "/v2/models/{model}/versions/{version}/infer": (TENSOR, "application/json"),
    "/v2/repository/index": ({"ready": True}, "application/json"),
    "/v2/repository/models/{model}/load": ({}, "application/json"),
    "/v2/repository/models/{model}/unload": ({}, "application/json"),
}


def test_every_operation_does_what_it_is_there_for(administered):
    version = administered.http.get("/v2/models/accurate").json()["versions"][0]
    places = {"model": "accurate", "version": version, "asset": "swagger-ui.css"}
    everything = [(path, method) for path, method, _ in operations(document(Settings()))]
    # What takes a model away comes last.
    for path, method in sorted(everything, key=lambda operation: "unload" in operation[0]):
        body, media_type = BODIES.get(path, (None, None))
        case = SCHEMA[path][method.upper()].Case(
            path_parameters={name: value for name, value in places.items() if f"{{{name}}}" in path},
            **({} if body is None else {"body": body, "media_type": media_type}),
        )
        answer = case.call_and_validate(base_url=administered.url)
        assert answer.status_code == 200, f"{method} {path}: {answer.text}"


def test_answers_with_confidence_are_as_the_document_says(confident):
    segment = CONFIDENT_SCHEMA["/segment"]["POST"]
    asked = {"confidence": 1, "min_confidence": 0.5, "format": "json"}
    answer = segment.Case(query=asked, body=PNG, media_type="image/png").call_and_validate(base_url=confident.url)
    assert answer.json()["quality"]["flags"]
    infer = CONFIDENT_SCHEMA["/v2/models/{model}/infer"]["POST"]
    case = infer.Case(path_parameters={"model": "accurate"}, body=TENSOR, media_type="application/json")
    names = [output["name"] for output in case.call_and_validate(base_url=confident.url).json()["outputs"]]
    assert names == ["mask", "confidence"]


def test_head_works_wherever_get_does(server):
    for path, method, _ in operations(document(Settings())):
        if method == "get" and "{" not in path:
            answer = server.http.head(path)
            assert (answer.status_code, answer.content) == (200, b""), path


def test_without_a_key_every_operation_but_health_is_refused_as_the_document_says(start, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("a-key-of-this-test-alone\n")
    server = start(api_keys_file=keys)
    schema = schemathesis.openapi.from_dict(document(Settings(api_keys_file=keys)))
    for path, method, _ in operations(document(Settings())):
        places = dict.fromkeys(re.findall(r"{(\w+)}", path), "accurate")
        case = schema[path][method.upper()].Case(path_parameters=places)
        answer = case.call(base_url=server.url)
        assert answer.status_code == (200 if path.startswith("/v2/health/") else 401), path
        checks = schemathesis.checks
        case.validate_response(answer, [checks.response_schema_conformance, checks.response_headers_conformance])
