"""What is converted: a Keras file as `train` saves it, or a float32 file that was converted before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from convert import confidence, graph
from convert.parity import Trusted
from runtime.contract import Contract
from runtime.errors import DataInvalid, ModelInvalid
from runtime.frames import Geometry
from runtime.segmenter import Segmenter


@dataclass(frozen=True)
class Source:
    """A float32 network with the contract's input and its mask; no confidence."""

    model: onnx.ModelProto
    promised: Contract
    """Of float32, without accuracy. Where the source has a temperature and thresholds, they are there."""
    segment: Trusted | None
    """The original at work, to hold the network against; None where the network is the original itself."""


def read(path: Path, scratch: Path) -> Source:
    """The network of a file, whatever its kind.

    Args:
        path: `model.keras`, or a float32 `.onnx` file.
        scratch: an existing folder for intermediate files.

    Raises:
        DataInvalid: it can't be used; the message says why.
    """
    return _read_onnx(path) if path.suffix == ".onnx" else _read_keras(path, scratch)


def _read_onnx(path: Path) -> Source:
    try:
        promised = Segmenter.load(path).contract
    except ModelInvalid as error:
        raise DataInvalid(str(error)) from error
    if promised.precision != "fp32":
        raise DataInvalid(f"{path} is {promised.precision}: other precisions are made of float32 or of the Keras file")
    return Source(confidence.without(onnx.load(path)), replace(promised, accuracy={}), None)


def _read_keras(path: Path, scratch: Path) -> Source:
    from convert import export  # noqa: PLC0415  TensorFlow takes seconds to load, and a float32 file needs none of it

    trained = export.read_model(path)
    settings = export.read_run(path)
    geometry = Geometry(**{name: value for name, value in settings.get("geometry", {}).items() if name != "fixed"})
    # The data sets' kinds alone: their places on the training machine are nobody's business.
    data = tuple(dict.fromkeys(text.partition(":")[0] for text in settings.pop("data", ())))
    if settings.get("init"):
        settings["init"] = Path(settings["init"]).parent.name
    exported = graph.finish(export.to_onnx(trained, geometry, scratch / "raw.onnx"), geometry)
    model = graph.fold(exported, scratch / "folded.onnx")
    cost = graph.gmac(model, *export.trace_size(geometry))
    promised = Contract("fp32", geometry, settings, data, gmac=round(cost, 3))
    return Source(model, promised, export.at_work(trained, geometry))
