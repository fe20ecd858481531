"""The Open Inference Protocol v2, with the binary tensor extension and what Triton's clients ask for beside."""

from __future__ import annotations

from typing import Any

from api.inference_protocol.infer import LENGTH_HEADER
from api.inference_protocol.request import DATATYPE
from api.openapi.answers import BODY, WORK, as_json, errors, ok, parameter, worked
from api.openapi.routes import operation
from api.openapi.schemas import BINARY, Json, record, ref
from api.settings import Settings
from runtime import contract

_TRUTH = {"type": "boolean"}


def _errors(*statuses: int) -> Json:
    return errors(*statuses, protocol=True)


def paths(settings: Settings) -> Json:
    """The paths under /v2."""
    found: Json = {
        "/v2": {"get": _operation("What the server is", {"200": as_json("ServerMetadata", "Its extensions too.")})},
        "/v2/health/started": {
            "get": _health("Whether the default model has been loaded", {"200": _state("started"), **_errors(503)})
        },
        "/v2/health/live": {"get": _health("Whether the process answers", {"200": _state("live")})},
        "/v2/health/ready": {
            "get": _health("Whether frames would be segmented", {"200": _state("ready"), **_errors(503)})
        },
        "/v2/models/stats": {
            "get": _operation("Statistics of all models", {"200": as_json("ModelStatistics", "Since the start.")})
        },
        "/v2/repository/index": {"post": _index()},
        "/v2/repository/models/{model}/load": {
            "post": _administration(settings, "Load a model's file anew, and serve it from now on")
        },
        "/v2/repository/models/{model}/unload": {"post": _administration(settings, "Serve a model no more")},
    }
    version = _in_path("version", "1", "Of the file's content, as the model's metadata name it.")
    for prefix, more in (("/v2/models/{model}", ()), ("/v2/models/{model}/versions/{version}", (version,))):
        for ending, described in _model(settings, *more).items():
            found[prefix + ending] = described
    return found


def _operation(summary: str, answers: Json, *parameters: Json, **fields: Any) -> Json:
    return operation(summary, answers, *parameters, **{"tags": ["inference protocol v2"], **fields})


def _health(summary: str, answers: Json) -> Json:
    return _operation(summary, answers, tags=["health"], security=[])


def _state(name: str) -> Json:
    return ok("It is so; the status alone tells.", {"application/json": record({name: _TRUTH})})


def _in_path(name: str, example: str, description: str) -> Json:
    schema = {"type": "string", "minLength": 1}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
        "example": example,
    }


def _model_in_path(settings: Settings) -> Json:
    return _in_path("model", settings.model, "A name, or a file's stem.")


def _model(settings: Settings, *more: Json) -> Json:
    model = (_model_in_path(settings), *more)
    unknown = _errors(404, 503)

    def get(summary: str, answer: Json) -> Json:
        return {"get": _operation(summary, {"200": answer, **unknown}, *model)}

    return {
        "": get("A model's tensors", as_json("ModelMetadata", "Inputs and outputs.")),
        "/ready": get("Whether a model is ready", _state("ready")),
        "/config": get("A model's configuration", as_json("ModelConfiguration", "In Triton's form.")),
        "/stats": get("A model's statistics", as_json("ModelStatistics", "In Triton's form, since the start.")),
        "/infer": {"post": _infer(*model)},
    }


_OUTPUTS_TEXT = (
    f"`{contract.OUTPUT}`, uint8 category ids, and where the server runs with it `{contract.CONFIDENCE}`, uint8, how "
    "sure the model is of each pixel, 0 to 255; those that `outputs` lists, or all."
)


def _infer(*model: Json) -> Json:
    length = {
        "name": LENGTH_HEADER,
        "in": "header",
        "description": "Of a binary body: the bytes of JSON that precede the tensors; 0 for one raw tensor alone.",
        "schema": {"type": "integer", "minimum": 0},
    }
    content = {
        "application/json": {"schema": ref("InferRequest")},
        "application/octet-stream": {"schema": BINARY},
    }
    answer = {"application/json": ref("InferResponse"), "application/octet-stream": BINARY}
    return _operation(
        "Run a model on its own input tensor",
        {"200": worked(_OUTPUTS_TEXT, answer, LENGTH_HEADER), **_errors(*WORK)},
        *model,
        length,
        parameter("RequestTimeout"),
        requestBody={
            "required": True,
            "description": (
                f"`{contract.INPUT}`, {DATATYPE}, [batch, height, width, 3], RGB; both sides multiples of the model's "
                "stride: nothing is fitted here. JSON, or JSON and then the tensors as little-endian bytes (binary "
                "tensor extension), which is far faster; gzip or deflate as `Content-Encoding`."
            ),
            "content": content,
        },
    )


def _index() -> Json:
    asked = record({}, {"ready": {**_TRUTH, "description": "those alone that are ready"}})
    return _operation(
        "The models that are there",
        {"200": as_json("RepositoryIndex", "Each model file, and whether it is loaded."), **_errors(*BODY)},
        requestBody={"required": False, "content": {"application/json": {"schema": asked}}},
    )


def _administration(settings: Settings, summary: str) -> Json:
    return _operation(
        summary,
        {"200": ok("Done.", {"application/json": {"type": "object"}}), **_errors(*BODY, 403, 404)},
        _model_in_path(settings),
        requestBody={
            "required": False,
            "description": "Of Triton's parameters, those that would replace the file or its configuration get a 400.",
            "content": {"application/json": {"schema": record({}, {"parameters": {"type": "object"}})}},
        },
    )
