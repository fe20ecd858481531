"""The schemas that several answers share, from the same tables as the answers themselves."""

from __future__ import annotations

from typing import Any, get_args

from api.inference_protocol.request import DATATYPE, MAX_FRAMES
from api.settings import Settings
from runtime import categories, contract, quality
from runtime.jobs import Timings
from runtime.truth import Kind

Json = dict[str, Any]

BINARY: Json = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
"""Bytes as they are. `format` is what most clients look at, `contentMediaType` is OpenAPI 3.1's word for it."""

_COUNT = {"type": "integer", "minimum": 0}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_TEXT = {"type": "string"}
_BASE64_PNG = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}
_SHAPE = {"type": "array", "items": {"type": "integer"}}

_PARAMETERS: Json = {"type": "object", "description": "`binary_data`, `binary_data_size`, `binary_data_output`..."}
_ALL = {"minItems": categories.COUNT, "maxItems": categories.COUNT}
"""As many as there are categories."""
_CATEGORY: Json = {
    "id": {"type": "integer", "enum": [c.id for c in categories.CATEGORIES], "description": "pixel value"},
    "name": {"type": "string", "enum": list(categories.NAMES)},
    "color": {
        "type": "array",
        "items": {"type": "integer", "minimum": 0, "maximum": 255},
        "minItems": 3,
        "maxItems": 3,
        "description": "RGB",
    },
}


def ref(name: str) -> Json:
    """A reference to one of `schemas()`."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(required: Json, optional: Json | None = None, **more: Any) -> Json:
    """An object with these properties. More may come with a later version, so clients must pass over what is new."""
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}, **more}


def rows(items: Json, **more: Any) -> Json:
    """An array of these."""
    return {"type": "array", "items": items, **more}


def schemas(settings: Settings) -> Json:
    """`components.schemas` of the document; the settings tell what there is."""
    return {**_own(), **_protocol(settings)}


def _own() -> Json:
    category = record({**_CATEGORY, "label_ids": rows({"type": "integer"})})
    return {
        "Problem": record(
            {"type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT},
            description="RFC 9457; `detail` is one sentence: what was wrong, and what would be right",
        ),
        "Categories": rows(category, **_ALL),
        "Segmentation": _segmentation(),
        "Comparison": _comparison(),
        "Model": record(
            {
                "model": {"type": "string", "description": "stem of the file"},
                "version": {"type": "string", "description": "of the file's content, hexadecimal"},
                "provider": {"type": "string", "description": "the execution provider that runs it"},
                "nodes": {"type": "object", "additionalProperties": _COUNT, "description": "of the graph, by provider"},
                "operators": {
                    "type": "object",
                    "additionalProperties": {"type": "object", "additionalProperties": _COUNT},
                    "description": "the same nodes by provider and operator",
                },
                "threads": {"type": "integer", "minimum": 1, "description": "of one inference"},
                "confidence": {"type": "boolean", "description": "whether masks come with it; `ROADMASK_CONFIDENCE`"},
                "accuracy": {"type": "object", "description": "what was measured at conversion, by data set"},
                "contract": _contract(),
            }
        ),
    }


def _of_work(more: Json, optional: Json | None = None) -> Json:
    """What a model's work on a frame gave."""
    size = {"width": {"type": "integer", "minimum": 1}, "height": {"type": "integer", "minimum": 1}}
    milliseconds = {stage: {"type": "number", "minimum": 0} for stage in Timings().as_dict()}
    return record({"model": _TEXT, "provider": _TEXT, **size, **more, "timings_ms": record(milliseconds)}, optional)


def _segmentation() -> Json:
    found = {"pixels": _COUNT, "share": {**_SHARE, "description": "of all pixels"}}
    mask = {**_BASE64_PNG, "description": "palette PNG at the frame's size, pixel value = category id"}
    frame_quality = record(
        {
            "flags": rows({"type": "string", "enum": list(quality.FLAGS)}, description="what is wrong with the frame"),
            "luma": {"type": "number", "minimum": 0, "maximum": 255, "description": "mean brightness"},
            "sharpness": {"type": "number", "minimum": 0, "description": "1/16: all blur, about 1: noise"},
        }
    )
    sure = {
        "confidence": {**_BASE64_PNG, "description": "greyscale PNG at the frame's size, 255 = certain"},
        "mean_confidence": {**_SHARE, "description": "of the frame", "examples": [0.934]},
        "quality": frame_quality,
    }
    return _of_work({"categories": rows(record({**_CATEGORY, **found}), **_ALL), "mask": mask}, sure)


def _comparison() -> Json:
    value = {**_SHARE, "type": ["number", "null"]}
    by_category = {categories.NAMES[scored]: value for scored in categories.SCORED}
    return _of_work(
        {
            "iou": record(by_category, description="by category; null where it is in neither mask"),
            "mean_iou": value,
            "accuracy": {**value, "description": "share of right pixels; void in the ground truth counts for nothing"},
            "confusion": rows(rows(_COUNT, **_ALL), description="pixels; row: truth, column: mask", **_ALL),
            "prediction": _BASE64_PNG,
            "truth": {**_BASE64_PNG, "description": "as it was understood, in category ids"},
            "truth_kind": {"type": "string", "enum": list(get_args(Kind))},
            "difference": {**_BASE64_PNG, "description": "0: not scored, 1: right, 2: wrong"},
        }
    )


def _contract() -> Json:
    return record(
        {
            "version": {"const": contract.VERSION},
            "precision": {"type": "string", "enum": list(contract.PRECISIONS)},
            "categories": {"type": "array"},
            "geometry": {"type": "object", "description": "which sizes the network takes"},
            "run": {"type": "object", "description": "the training run"},
            "data": rows(_TEXT, description="the data sets it was trained on"),
            "temperature": {
                "type": ["number", "null"],
                "description": "what the logits are divided by for the confidence; null in a file without it",
            },
            "quality": {
                "type": "object",
                "additionalProperties": {"type": "number"},
                "description": "what a frame's figures are held against; empty where they were not calibrated",
            },
        },
        description="what the model file promises",
    )


def _protocol(settings: Settings) -> Json:
    tensor = {"name": _TEXT, "datatype": _TEXT, "shape": _SHAPE}
    return {
        "ProtocolError": record({"error": {"type": "string", "description": "one sentence"}}),
        "ServerMetadata": record({"name": _TEXT, "version": _TEXT, "extensions": rows(_TEXT)}),
        "ModelMetadata": record(
            {
                "name": _TEXT,
                "versions": rows(_TEXT),
                "platform": _TEXT,
                "inputs": rows(record(tensor)),
                "outputs": rows(record(tensor)),
            },
            description="a dimension that is free is -1",
        ),
        "InferRequest": _infer_request(settings),
        "InferResponse": record(
            {
                "model_name": _TEXT,
                "model_version": _TEXT,
                "outputs": rows(record(tensor, {"data": {"type": "array"}, "parameters": _PARAMETERS})),
            },
            {"id": _TEXT},
        ),
        "ModelConfiguration": record({"name": _TEXT, "platform": _TEXT, "input": rows({}), "output": rows({})}),
        "ModelStatistics": record({"model_stats": rows(_statistics())}),
        "RepositoryIndex": rows(record({"name": _TEXT, "version": _TEXT, "state": _TEXT, "reason": _TEXT})),
    }


def _infer_request(settings: Settings) -> Json:
    # Whether the data are as many as the shape says, and the sides multiples of the stride, can't be said in a schema.
    whole = {"type": "integer", "minimum": 1}
    shape = [{**whole, "maximum": MAX_FRAMES}, whole, whole, {"const": 3}]
    given = {
        "name": {"const": contract.INPUT},
        "datatype": {"const": DATATYPE},
        "shape": {"type": "array", "prefixItems": shape, "minItems": 4, "maxItems": 4},
    }
    tensor = record(given, {"data": {"type": "array"}, "parameters": _PARAMETERS})
    there = [contract.OUTPUT, contract.CONFIDENCE] if settings.confidence else [contract.OUTPUT]
    wanted = record({"name": {"enum": there}}, {"parameters": _PARAMETERS})
    return record(
        {"inputs": rows(tensor, minItems=1, maxItems=1)},
        {"id": _TEXT, "parameters": _PARAMETERS, "outputs": rows(wanted, maxItems=len(there))},
    )


def _statistics() -> Json:
    duration = record({"count": _COUNT, "ns": _COUNT})
    return record(
        {
            "name": _TEXT,
            "version": _TEXT,
            "last_inference": {**_COUNT, "description": "milliseconds since 1970"},
            "inference_count": _COUNT,
            "execution_count": _COUNT,
            "inference_stats": {"type": "object", "additionalProperties": duration},
            "batch_stats": rows(record({"batch_size": {"type": "integer", "minimum": 1}})),
        }
    )
