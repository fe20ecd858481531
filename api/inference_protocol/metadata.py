"""What the server and its models are, in the protocol's and in Triton's words."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any

from api.inference_protocol.request import DATATYPE
from api.model import Model
from api.settings import Settings
from runtime import contract

EXTENSIONS = ("binary_tensor_data", "model_configuration", "model_repository", "statistics")
"""Those of Triton's that are there."""

PLATFORM = "onnx_onnxv1"
"""The protocol's name of what runs an ONNX file."""

_HEXADECIMAL = re.compile(r"[0-9a-f]{1,15}")


def version_of(model: Model) -> str:
    """A model's version as the protocol tells it: the same number as `Model.version`, in decimal digits.

    Triton's versions are whole numbers, and its tools read them as such (perf_analyzer ends on any other).
    """
    return str(int(model.version, 16)) if _HEXADECIMAL.fullmatch(model.version) else model.version


def outputs_of(model: Model) -> tuple[str, ...]:
    """The names of a model's outputs, all of one datatype and shape, in its own order."""
    return (contract.OUTPUT, contract.CONFIDENCE) if model.has_confidence else (contract.OUTPUT,)


def server() -> dict[str, Any]:
    """What `GET /v2` tells."""
    return {"name": "roadmask", "version": version("roadmask"), "extensions": list(EXTENSIONS)}


def of_model(model: Model, asked: str) -> dict[str, Any]:
    """A model's metadata.

    Args:
        model: which.
        asked: the name by which it was asked for; clients take it for the name.
    """
    input_shape, output_shape = _shapes(model)
    return {
        "name": asked,
        "versions": [version_of(model)],
        "platform": PLATFORM,
        "inputs": [{"name": contract.INPUT, "datatype": DATATYPE, "shape": input_shape}],
        "outputs": [{"name": name, "datatype": DATATYPE, "shape": output_shape} for name in outputs_of(model)],
    }


def configuration(model: Model, asked: str, settings: Settings) -> dict[str, Any]:
    """A model's configuration as Triton would tell it; what bounds the sides of frames is among the parameters.

    max_batch_size is 0 although batches are welcome: it says that the batch is a dimension like any other, so that a
    tool is given the whole shape (`perf_analyzer --shape image:4,512,1024,3`).
    """
    input_shape, output_shape = _shapes(model)
    geometry = model.contract.geometry
    kind = "KIND_CPU" if model.provider == "cpu" else "KIND_AUTO"
    found: dict[str, Any] = {
        "name": asked,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "version_policy": {"latest": {"num_versions": 1}},
        "max_batch_size": 0,
        "input": [{"name": contract.INPUT, "data_type": f"TYPE_{DATATYPE}", "dims": input_shape}],
        "output": [{"name": name, "data_type": f"TYPE_{DATATYPE}", "dims": output_shape} for name in outputs_of(model)],
        "instance_group": [{"name": f"{asked}_0", "kind": kind, "count": 1}],
        "default_model_filename": f"{model.name}.onnx",
        "parameters": {
            "stride": {"string_value": str(geometry.stride)},
            "pixel_budget": {"string_value": str(geometry.pixel_budget)},
        },
    }
    if settings.batch_size > 1:
        delay = round(settings.batch_delay_ms * 1000)
        found["dynamic_batching"] = {
            "preferred_batch_size": [settings.batch_size],
            "max_queue_delay_microseconds": delay,
        }
    return found


def _shapes(model: Model) -> tuple[list[int], list[int]]:
    """Of the input and of each output; -1 where a dimension is free."""
    height, width = model.contract.geometry.fixed or (-1, -1)
    return [-1, height, width, 3], [-1, height, width]
