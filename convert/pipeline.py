"""The conversion from end to end: export, hold against the source, quantise, hold again, stamp, write."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx

from convert import export, graph, parity, quantize
from runtime import datasets, evaluate, scenes
from runtime.contract import Contract
from runtime.datasets import Pair
from runtime.frames import Frame, Geometry, Mask
from runtime.segmenter import Segmenter

PARITY_FRAMES = 50
"""Frames of each data set on which two models are compared pixel by pixel."""


@dataclass(frozen=True)
class Job:
    """One conversion."""

    model: Path
    output: Path
    precision: str
    calibration: Sequence[Frame]
    """For int8; empty otherwise."""
    pairs: Mapping[str, Sequence[Pair]]
    """Labelled frames by data set, for the gate and the accuracy; may be empty."""


def convert(job: Job) -> None:
    """Write `job.output`, whole, or nothing.

    Raises:
        DataInvalid: the model or its run can't be used.
        ParityFailed: the result differs from its source by more than the gate lets through.
    """
    trained = export.read_model(job.model)
    settings = export.read_run(job.model)
    geometry = Geometry(**{name: value for name, value in settings.get("geometry", {}).items() if name != "fixed"})
    # The data sets' kinds alone: their places on the training machine are nobody's business.
    data = tuple(dict.fromkeys(text.partition(":")[0] for text in settings.pop("data", ())))
    if settings.get("init"):
        settings["init"] = Path(settings["init"]).parent.name
    with tempfile.TemporaryDirectory(dir=job.output.parent, prefix=".convert-") as folder:
        scratch = Path(folder)
        exported = graph.finish(export.to_onnx(trained, geometry, scratch / "raw.onnx"), geometry)
        model = graph.fold(exported, scratch / "folded.onnx")
        cost = graph.gmac(model, *export.trace_size(geometry))
        promised = Contract("fp32", geometry, settings, data, gmac=round(cost, 3))
        gate = _Gate(job, promised, scratch)
        promised = gate.floating(trained, model)
        if job.precision == "int8":
            model = quantize.to_int8(model, job.calibration, geometry, scratch)
            promised = gate.quantised(model)
        graph.stamp(model, promised)
        onnx.save(model, scratch / "out.onnx")
        (scratch / "out.onnx").replace(job.output)
    for kind, row in promised.accuracy.items():
        print(f"{job.precision} on {kind}: mean category IoU {row['mean_iou']:.4f} over {row['frames']} frames")
    print(f"{cost:.2f} GMAC for a frame of 2048 x 1024; wrote {job.output}")


class _Gate:
    """Lets a model through, with the contract that its measured accuracy completes."""

    def __init__(self, job: Job, promised: Contract, scratch: Path) -> None:
        self._job = job
        self._promised = promised
        self._scratch = scratch
        spread = (datasets.spread(list(pairs), PARITY_FRAMES) for pairs in job.pairs.values())
        frames = [datasets.read(pair)[0] for pairs in spread for pair in pairs]
        self._frames = frames or list(job.calibration) or [scenes.generate(seed, 1024, 512).frame for seed in range(8)]
        self._reference: Callable[[Frame], Mask] | None = None
        self._reference_accuracy: Mapping[str, Any] = {}

    def floating(self, trained: Any, model: onnx.ModelProto) -> Contract:
        """The float32 graph against Keras."""
        opened = self._open(model, self._promised)
        source = parity.keras_segment(trained, self._promised.geometry)
        found = parity.compare(source, opened.segment, self._frames)
        print(f"Keras and float32: {found}")
        parity.gate(found, parity.FLOAT_AGREEMENT, "Keras and onnxruntime")
        self._reference = opened.segment
        self._reference_accuracy = self._accuracy(opened.segment, "float32")
        return replace(self._promised, accuracy=self._reference_accuracy)

    def quantised(self, model: onnx.ModelProto) -> Contract:
        """The int8 graph against float32: by IoU where there are labels, else by agreement."""
        assert self._reference is not None, "float32 goes first"
        promised = replace(self._promised, precision="int8")
        opened = self._open(model, promised)
        found = parity.compare(self._reference, opened.segment, self._frames)
        print(f"float32 and int8: {found}")
        if not self._job.pairs:
            parity.gate(found, parity.INT8_AGREEMENT, "float32 and int8")
        accuracy = self._accuracy(opened.segment, "int8")
        for kind, row in accuracy.items():
            parity.gate_loss(self._reference_accuracy[kind]["mean_iou"] - row["mean_iou"], kind)
        return replace(promised, accuracy=accuracy)

    def _open(self, model: onnx.ModelProto, promised: Contract) -> Segmenter:
        path = self._scratch / f"check-{promised.precision}.onnx"
        graph.stamp(model, promised)
        onnx.save(model, path)
        return Segmenter.load(path)

    def _accuracy(self, segment: Callable[[Frame], Mask], what: str) -> dict[str, Any]:
        return {
            kind: evaluate.summary(evaluate.evaluate(segment, pairs, title=f"{what} on {kind}"), len(pairs))
            for kind, pairs in self._job.pairs.items()
        }
