"""Our own routes: frames in, masks out, and what is to be known beside."""

from __future__ import annotations

from typing import Any

from api import negotiation, uploads
from api.compare import FIELDS
from api.confidence import CONFIDENCE_HEADER, QUALITY_HEADER
from api.openapi.answers import TRACING, WORK, as_json, errors, ok, parameter, worked
from api.openapi.schemas import BINARY, Json, record, ref
from api.segment import DEFAULT_OPACITY
from api.settings import Settings

UNDECLARED = ("", "application/x-www-form-urlencoded")
"""Of `uploads.MEDIA_TYPES`, those that say nothing of the body: every tool would take the latter for a form."""

IMAGES = tuple(kind for kind in uploads.MEDIA_TYPES if kind not in (*UNDECLARED, uploads.MULTIPART))
"""What an image may be declared as."""

LOSSLESS = "image/png"
"""What a ground truth is declared as: its ids don't survive a lossy format."""


def operation(summary: str, answers: Json, *more: Json, **fields: Any) -> Json:
    """An operation of a path.

    Args:
        summary: one line.
        answers: status to answer.
        more: its parameters, beyond those that every operation has.
        fields: any other fields of it.
    """
    parameters = [*more, *(parameter(name) for name in TRACING)]
    return {"summary": summary, "parameters": parameters, "responses": answers, **fields}


def model_parameter(settings: Settings) -> Json:
    """The query parameter `model`."""
    return {
        "name": "model",
        "in": "query",
        "description": "A name (`accurate`) or, to compare precisions, a file's stem (`accurate-fp32`).",
        "schema": {"type": "string", "default": settings.model},
        "example": settings.model,
    }


def _min_confidence(settings: Settings) -> Json:
    """The query parameter `min_confidence`."""
    return {
        "name": "min_confidence",
        "in": "query",
        "description": (
            "Pixels that the model is less sure of become void (0). Confidence is stored as 0 to 255: what is below "
            f"ceil(255 x min_confidence) is void; 0 changes nothing. {_needs_confidence(settings)}"
        ),
        "schema": {"type": "number", "minimum": 0, "maximum": 1 if settings.confidence else 0, "default": 0},
        "example": 0.5 if settings.confidence else 0,
    }


def _confidence(settings: Settings) -> Json:
    """The query parameter `confidence`."""
    return {
        "name": "confidence",
        "in": "query",
        "description": f"1: the answer holds how sure the model is of each pixel. {_needs_confidence(settings)}",
        "schema": {"type": "integer", "enum": [0, 1] if settings.confidence else [0], "default": 0},
    }


def _needs_confidence(settings: Settings) -> str:
    return "" if settings.confidence else "Off here: ROADMASK_CONFIDENCE=1 switches it on."


def paths(settings: Settings) -> Json:
    """The paths outside /v2; the settings give defaults and limits."""
    return {
        "/segment": {"post": _segment(settings)},
        "/compare": {"post": _compare(settings)},
        "/categories": {
            "get": operation(
                "The categories that masks consist of",
                {"200": as_json("Categories", "Category 0 (void) is never predicted; `min_confidence` makes it.")},
                operationId="categories",
                tags=["segmentation"],
            )
        },
        "/model": {
            "get": operation(
                "What a model promises, and what runs it",
                {"200": as_json("Model", "The model."), **errors(404, 503)},
                model_parameter(settings),
                operationId="model",
                tags=["segmentation"],
            )
        },
        **_about(),
    }


def _segment(settings: Settings) -> Json:
    choice = {
        "name": "format",
        "in": "query",
        "description": "What comes back, where setting `Accept` is awkward; it wins over `Accept`.",
        "schema": {"type": "string", "enum": list(negotiation.FORMATS)},
    }
    opacity = {
        "name": "opacity",
        "in": "query",
        "description": "Of the colours in an overlay (`jpeg`).",
        "schema": {"type": "number", "minimum": 0, "maximum": 1, "default": DEFAULT_OPACITY},
    }
    content = dict.fromkeys(negotiation.FORMATS.values(), BINARY) | {"application/json": ref("Segmentation")}
    return operation(
        "Segment a frame",
        {"200": worked(_FORMATS_TEXT, content, CONFIDENCE_HEADER, QUALITY_HEADER), **errors(*WORK, 406)},
        model_parameter(settings),
        choice,
        opacity,
        _confidence(settings),
        _min_confidence(settings),
        parameter("RequestTimeout"),
        requestBody=_image_body(settings),
        operationId="segment",
        tags=["segmentation"],
    )


_FORMATS_TEXT = """\
The mask at the frame's own size, in the format that `Accept` (or `format`) prefers:

- `image/png` (`png`, the default): single-channel palette PNG, pixel value = category id, palette = category colour.
- `application/json` (`json`): each category's share, and the PNG in base64.
- `application/x-npy` (`npy`): uint8, height x width, category ids.
- `image/jpeg` (`jpeg`): the frame under the categories' colours, to look at.

With `confidence=1`, `json` has `confidence` (a greyscale PNG in base64), `mean_confidence` and `quality`, and `npy` is
height x width x 2: category ids, and the confidence of each, 0 to 255. `png` and `jpeg` are one picture: of them the
headers alone tell it, as a mean."""


def _form(**media_types: str) -> Json:
    """A form with a file in each of these fields, which may be of these media types."""
    encoding = {name: {"contentType": kinds} for name, kinds in media_types.items()}
    return {"schema": record(dict.fromkeys(media_types, BINARY)), "encoding": encoding}


def _image_body(settings: Settings) -> Json:
    images = ", ".join(kind for kind in IMAGES if kind.startswith("image/"))
    return {
        "required": True,
        "description": (
            f"The image as it is ({images}), or as the one file of a form, whatever its field is called; or an "
            "uncompressed frame as `.npy`: uint8, height x width x 3, RGB. Where the declared media type and the bytes "
            "differ, the bytes count; `application/octet-stream`, no media type, and what `curl --data-binary` "
            "declares (`application/x-www-form-urlencoded`) will do. Of an animated image the first frame counts; "
            "alpha is dropped; 16 bits are scaled to 8; grey becomes RGB; EXIF orientation is applied. At most "
            f"{settings.max_body_bytes} bytes and {settings.max_pixels} pixels."
        ),
        "content": {**{kind: {"schema": BINARY} for kind in IMAGES}, uploads.MULTIPART: _form(image=", ".join(IMAGES))},
    }


def _compare(settings: Settings) -> Json:
    return operation(
        "Hold a frame's mask against the ground truth",
        {
            "200": worked("Both masks, where they differ, and by how much.", {"application/json": ref("Comparison")}),
            **errors(*WORK),
        },
        model_parameter(settings),
        _min_confidence(settings),
        parameter("RequestTimeout"),
        description=(
            "With `min_confidence`, a pixel that becomes void counts, by Cityscapes' definition, as a false negative "
            "of the category that it has in the truth: it is wrong, and lowers that category's IoU alone."
        ),
        requestBody={
            "required": True,
            "description": (
                "`image`: as for `/segment`. `truth`: an image of the same size, of category ids, Cityscapes label ids "
                "or Cityscapes colours, which is told by itself."
            ),
            "content": {uploads.MULTIPART: _form(**dict(zip(FIELDS, (", ".join(IMAGES), LOSSLESS), strict=True)))},
        },
        operationId="compare",
        tags=["segmentation"],
    )


def _about() -> Json:
    text = {"type": "string"}
    asset = {"name": "asset", "in": "path", "required": True, "schema": text, "example": "swagger-ui.css"}
    metrics = {"text/plain": text, "application/openmetrics-text": text}
    files = {"text/css": BINARY, "text/javascript": BINARY}
    page = ok("HTML; nothing comes from another host.", {"text/html": text})

    def get(summary: str, answers: Json, *more: Json) -> Json:
        return {"get": operation(summary, answers, *more, tags=["server"])}

    return {
        "/metrics": get("Prometheus metrics", {"200": ok("In the format that `Accept` prefers.", metrics)}),
        "/openapi.json": get("This document", {"200": ok("OpenAPI 3.1.", {"application/json": {"type": "object"}})}),
        "/docs": get("This document as a page", {"200": page}),
        "/docs/{asset}": get("What the page consists of", {"200": ok("The file.", files), **errors(404)}, asset),
    }
