"""The conversion from end to end: export, hold against the source, quantise, hold again, calibrate, stamp, write."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import onnx

from convert import calibrate, confidence, graph, half, parity, quantize, sources, stem
from convert.sources import Source
from runtime import datasets, evaluate, scenes
from runtime.contract import Contract
from runtime.datasets import Pair
from runtime.errors import DataInvalid
from runtime.files import write
from runtime.frames import Frame, Mask
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
    """Labelled frames by data set, for the gate, the accuracy and the confidence's calibration; may be empty."""
    trained: Mapping[str, Sequence[Pair]] = field(default_factory=dict)
    """Frames of training by data set, for the thresholds of the frame-level flags; for each of `pairs`."""
    report: Path | None = None
    """Where the calibration is written to, for `train report`; only with `pairs`."""


def convert(job: Job) -> None:
    """Write `job.output`, whole, or nothing.

    Raises:
        DataInvalid: the model or its run can't be used, or the output's folder can't be written.
        ParityFailed: the result differs from its source by more than the gate lets through.
    """
    with _scratch(job.output.parent) as folder:
        scratch = Path(folder)
        source = sources.read(job.model, scratch)
        gate = _Gate(job, source, scratch)
        model, promised = source.model, gate.floating()
        if job.precision == "int8":
            model = quantize.to_int8(model, job.calibration, promised.geometry, scratch)
            if stem.rewrite(model, promised.geometry.stride):
                print("the first convolution reads the frame's own bytes")
            promised = gate.lower(model, "int8")
        elif job.precision == "fp16":
            model = half.to_fp16(model)
            promised = gate.lower(model, "fp16")
        promised, report = _calibrated(job, model, promised, gate)
        model = confidence.add(model, promised.temperature or 1.0)
        graph.stamp(model, promised)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, scratch / "out.onnx")
        (scratch / "out.onnx").replace(job.output)
    if job.report:
        write(job.report, json.dumps({"model": job.output.stem, **report}, indent=1).encode())
    for kind, row in promised.accuracy.items():
        print(f"{job.precision} on {kind}: mean category IoU {row['mean_iou']:.4f} over {row['frames']} frames")
    print(f"{promised.gmac:.2f} GMAC for a frame of 2048 x 1024; wrote {job.output}")


def _calibrated(
    job: Job, model: onnx.ModelProto, promised: Contract, gate: _Gate
) -> tuple[Contract, Mapping[str, Any]]:
    """The contract with temperature and thresholds, and the report: of labelled frames, else as the source has them."""
    if job.pairs:
        found = calibrate.calibrate(model, promised, job.pairs, job.trained, gate.open)
        return found.promised, found.report
    if promised.temperature is not None:
        print(f"no labelled frames: confidence has the source's temperature, {promised.temperature:g}")
        return promised, {}
    print("no labelled frames: confidence has the temperature 1 and is not calibrated, and no frame is flagged")
    return replace(promised, temperature=1.0), {}


def _scratch(beside: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(dir=beside, prefix=".convert-")
    except OSError as error:
        raise DataInvalid(f"{beside} can't be written: {error.strerror}") from error


class _Gate:
    """Lets a model through, with the contract that its measured accuracy completes."""

    def __init__(self, job: Job, source: Source, scratch: Path) -> None:
        self._job = job
        self._source = source
        self._scratch = scratch
        spread = (datasets.spread(list(pairs), PARITY_FRAMES) for pairs in job.pairs.values())
        frames = [datasets.read(pair)[0] for pairs in spread for pair in pairs]
        self._frames = frames or list(job.calibration) or [scenes.generate(seed, 1024, 512).frame for seed in range(8)]
        self._reference: Segmenter | None = None
        self._reference_accuracy: Mapping[str, Any] = {}

    def floating(self) -> Contract:
        """The float32 graph against what it was exported from."""
        opened = self.open(self._source.model, self._source.promised)
        if self._source.segment:
            found = parity.compare(self._source.segment, opened.segment_with_confidence, self._frames)
            print(f"Keras and float32: {found}")
            parity.gate(found, parity.FLOAT_AGREEMENT, "Keras and onnxruntime")
            parity.gate_confidence(found, "Keras and onnxruntime")
        self._reference = opened
        self._reference_accuracy = self._accuracy(opened.segment, "float32")
        return replace(self._source.promised, accuracy=self._reference_accuracy)

    def lower(self, model: onnx.ModelProto, precision: str) -> Contract:
        """A graph of lower precision against float32: by equal pixels, int8 by IoU where there are labels."""
        assert self._reference is not None, "float32 goes first"
        promised = replace(self._source.promised, precision=precision)
        opened = self.open(model, promised)
        found = parity.compare(self._reference.segment_with_confidence, opened.segment_with_confidence, self._frames)
        print(f"float32 and {precision}: {found}")
        if precision == "fp16":
            parity.gate(found, parity.HALF_AGREEMENT, "float32 and float16")
        elif not self._job.pairs:
            parity.gate(found, parity.INT8_AGREEMENT, "float32 and int8")
        parity.gate_confidence(found, f"float32 and {precision}")
        accuracy = self._accuracy(opened.segment, precision)
        for kind, row in accuracy.items():
            parity.gate_loss(self._reference_accuracy[kind]["mean_iou"] - row["mean_iou"], precision, kind)
        return replace(promised, accuracy=accuracy)

    def open(self, model: onnx.ModelProto, promised: Contract, temperature: float = 1.0) -> Segmenter:
        """A model, which has no confidence yet, at work with it and with the contract's thresholds."""
        path = self._scratch / f"check-{promised.precision}.onnx"
        whole = confidence.add(model, temperature)
        graph.stamp(whole, replace(promised, temperature=temperature))
        onnx.save(whole, path)
        return Segmenter.load(path, confidence=True)

    def _accuracy(self, segment: Callable[[Frame], Mask], what: str) -> dict[str, Any]:
        return {
            kind: evaluate.summary(evaluate.evaluate(segment, pairs, title=f"{what} on {kind}"), len(pairs))
            for kind, pairs in self._job.pairs.items()
        }
