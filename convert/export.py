"""From a Keras file to a plain ONNX graph of float32 frames and logits, by tf2onnx."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from convert.graph import OPSET
from runtime import categories, frames
from runtime.errors import DataInvalid
from runtime.frames import Frame, Geometry, Mask
from runtime.segmenter import Confidence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import keras


def read_model(path: Path) -> keras.Model:
    """A segmentation model as `train` saves it: frames in, logits of the categories 1 to 7 out.

    Raises:
        DataInvalid: no Keras file, or a model of another kind.
    """
    if not path.is_file():
        raise DataInvalid(f"there is no file {path}")
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises what its reader trips over: OSError, ValueError, KeyError, TypeError
        raise DataInvalid(f"{path} is no Keras model: {str(error).splitlines()[0]}") from error
    scored = len(categories.SCORED)
    for name, shape, channels in (
        ("input", getattr(model, "input_shape", None), 3),
        ("output", getattr(model, "output_shape", None), scored),
    ):
        if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] != channels:
            raise DataInvalid(f"{path} is no segmentation model: its {name} is {shape}, not (.., .., .., {channels})")
    made = tuple(model.compute_output_shape((1, 64, 96, 3)))
    if made != (1, 64, 96, scored):
        raise DataInvalid(f"{path} makes {made} of (1, 64, 96, 3): one row of {scored} logits a pixel is needed")
    return model


def read_run(model: Path) -> dict[str, Any]:
    """The training settings that lie beside a model as `run.json`; empty if there are none.

    Raises:
        DataInvalid: the file is there and broken.
    """
    path = model.parent / "run.json"
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text())["settings"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataInvalid(f"{path} is no description of a run: {error}") from error


def trace_size(geometry: Geometry) -> tuple[int, int]:
    """Height and width of a 2:1 frame in the network, where the graph is traced."""
    height = max(geometry.stride, int((geometry.pixel_budget / 2) ** 0.5) // geometry.stride * geometry.stride)
    return geometry.fixed or (height, 2 * height)


def to_onnx(model: keras.Model, geometry: Geometry, path: Path) -> onnx.ModelProto:
    """The network as ONNX at a fixed size, batch free; `graph.finish` frees height and width.

    A model of unknown height and width can't be exported (Keras tests a symbolic tensor as a bool), and need not be:
    convolution pads and resize factors are constants, so the traced graph holds for every multiple of the stride.

    Args:
        model: what `read_model` gives.
        geometry: where the stride and the budget come from.
        path: a scratch file that the exporter writes to.
    """
    height, width = trace_size(geometry)
    image = keras.Input((height, width, 3), name="image")
    fixed = keras.models.clone_model(model, input_tensors=image)
    fixed.set_weights(model.get_weights())
    signature = [keras.InputSpec(shape=(None, height, width, 3), dtype="float32", name="image")]
    fixed.export(str(path), format="onnx", input_signature=signature, opset_version=OPSET, verbose=False)
    return onnx.load(str(path))


def at_work(model: keras.Model, geometry: Geometry) -> Callable[[Frame], tuple[Mask, Confidence]]:
    """The trained model as a function from frame to mask and confidence at temperature 1, fitted as in serving."""

    def segment(frame: Frame) -> tuple[Mask, Confidence]:
        where = frames.plan(frame.shape[0], frame.shape[1], geometry)
        logits = model(np.float32(frames.fit(frame, where)[None]), training=False)
        sure = np.max(keras.ops.softmax(logits, axis=-1), axis=-1)[0]
        mask, confidence = np.argmax(logits, axis=-1)[0] + 1, np.rint(255 * sure)
        return (
            frames.restore(np.asarray(mask, np.uint8), where),
            frames.restore(np.asarray(confidence, np.uint8), where),
        )

    return segment
