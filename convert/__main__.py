"""`python -m convert`: `RUN/model.keras` in, a `.onnx` file that is its own contract out."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime import codecs, datasets, evaluate, scenes
from runtime.contract import Contract
from runtime.datasets import Pair, Source
from runtime.errors import DataInvalid, RoadmaskError
from runtime.frames import Frame, Geometry, Mask
from runtime.segmenter import Segmenter

if TYPE_CHECKING:
    import onnx

EXAMPLE = """example:
  python -m convert runs/lite/model.keras -o accurate-fp32.onnx --data cityscapes:/data/cityscapes
  python -m convert runs/lite/model.keras -o accurate-int8.onnx --precision int8 \\
      --calibration cityscapes:/data/cityscapes --data cityscapes:/data/cityscapes --data camvid:/data/camvid
"""

PARITY_FRAMES = 50
"""Frames on which Keras and onnxruntime are compared."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = argparse.ArgumentParser(
        "python -m convert", description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("--version", action="version", version=f"roadmask {version('roadmask')}")
    command.add_argument("model", type=Path, help="model.keras of a run folder")
    command.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.onnx")
    command.add_argument("--precision", choices=("fp32", "int8"), default="fp32", help="default %(default)s")
    command.add_argument(
        "--calibration", metavar="DIR", help="frames for int8: a labelled folder (its train split), or one of images"
    )
    command.add_argument("--calibration-frames", type=int, default=32, metavar="N", help="default %(default)s")
    command.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="KIND:DIR",
        help="labelled folders whose val split the parity gate uses and the contract's accuracy is measured on; "
        "without any, generated scenes are used and no accuracy is stamped",
    )
    return command


def calibration_frames(text: str, count: int) -> list[Frame]:
    """Frames of a labelled folder's train split, or of a folder of images, evenly spread.

    Raises:
        DataInvalid: no such folder, or no image in it.
    """
    try:
        found = [pair.frame for pair in datasets.spread(Source.parse(text).pairs("train"), count)]
    except DataInvalid:
        folder = Path(text)
        images = sorted(path for path in folder.glob("*") if path.suffix.lower() in codecs.SUFFIXES)
        if not images:
            raise
        found = [pair.frame for pair in datasets.spread([Pair(path, path, "") for path in images], count)]
    return [codecs.read_frame(path) for path in found]


def validation_pairs(texts: list[str]) -> dict[str, list[Pair]]:
    """The val split of each labelled folder, by kind.

    Raises:
        DataInvalid: a folder that is missing, empty or incomplete.
    """
    sources = [Source.parse(text) for text in texts]
    return {source.kind: source.pairs("val") for source in sources}


def _check(arguments: argparse.Namespace) -> None:
    if arguments.precision == "int8" and not arguments.calibration:
        raise DataInvalid("int8 needs real frames: give --calibration KIND:DIR or a folder of images")
    if arguments.calibration_frames < 1:
        raise DataInvalid("--calibration-frames must be at least 1")
    if not arguments.output.name.endswith(f"-{arguments.precision}.onnx"):
        raise DataInvalid(f"the output is named NAME-{arguments.precision}.onnx, so that servers know its precision")
    if not arguments.output.parent.is_dir():
        raise DataInvalid(f"there is no folder {arguments.output.parent}")


def _accuracy(segment: Callable[[Frame], Mask], pairs: dict[str, list[Pair]], what: str) -> dict[str, Any]:
    return {
        kind: evaluate.summary(evaluate.evaluate(segment, some, title=f"{what} on {kind}"), len(some))
        for kind, some in pairs.items()
    }


def run(arguments: argparse.Namespace) -> None:
    """Convert, hold against the source, and only then write.

    Raises:
        RoadmaskError: bad input, or a model that the gate does not let through.
    """
    _check(arguments)
    pairs = validation_pairs(arguments.data)
    calibration = (
        calibration_frames(arguments.calibration, arguments.calibration_frames) if arguments.precision == "int8" else []
    )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # TensorFlow takes seconds to load: bad input is told before.
    from convert import export, graph, parity  # noqa: PLC0415

    trained = export.read_model(arguments.model)
    settings = export.read_run(arguments.model)
    geometry = Geometry(**{name: value for name, value in settings.get("geometry", {}).items() if name != "fixed"})
    some = [datasets.read(pair)[0] for kind in pairs.values() for pair in datasets.spread(kind, PARITY_FRAMES)]
    some = some or [scenes.generate(seed, 1024, 512).frame for seed in range(8)]

    with tempfile.TemporaryDirectory(dir=arguments.output.parent, prefix=".convert-") as folder:
        scratch = Path(folder)
        model = graph.fold(graph.finish(export.to_onnx(trained, geometry, scratch / "raw.onnx"), geometry), scratch / "folded.onnx")
        cost = graph.gmac(model, *export.trace_size(geometry))
        about = {"geometry": geometry, "run": settings, "data": _names(settings), "gmac": round(cost, 3)}
        floating = _open(model, Contract("fp32", **about), scratch / "check-fp32.onnx")
        found = parity.compare(parity.keras_segment(trained, geometry), floating.segment, some)
        print(f"Keras and float32 ONNX: {found.share:.4%} of pixels equal over {found.frames} frames, worst {found.worst:.4%}")
        parity.gate(found, parity.FLOAT_AGREEMENT, "Keras and onnxruntime")
        accuracy = _accuracy(floating.segment, pairs, "float32")
        if arguments.precision == "int8":
            model, accuracy = _to_int8(model, about, calibration, floating, accuracy, pairs, some, scratch)
        graph.stamp(model, Contract(arguments.precision, accuracy=accuracy, **about))
        _write(model, arguments.output, scratch)
    for kind, row in accuracy.items():
        print(f"{arguments.precision} on {kind}: mean category IoU {row['mean_iou']:.4f} over {row['frames']} frames")
    print(f"{cost:.2f} GMAC for a frame of 2048 x 1024; wrote {arguments.output}")


def _names(settings: dict[str, Any]) -> tuple[str, ...]:
    """The data sets' kinds alone: their places on the training machine are nobody's business."""
    return tuple(dict.fromkeys(text.partition(":")[0] for text in settings.pop("data", ())))


def _open(model: onnx.ModelProto, promised: Contract, path: Path) -> Segmenter:
    import onnx  # noqa: PLC0415  loaded with TensorFlow, after the checks

    from convert import graph  # noqa: PLC0415

    graph.stamp(model, promised)
    onnx.save(model, path)
    return Segmenter.load(path)


def _to_int8(
    model: onnx.ModelProto,
    about: dict[str, Any],
    calibration: list[Frame],
    floating: Segmenter,
    floating_accuracy: dict[str, Any],
    pairs: dict[str, list[Pair]],
    some: list[Frame],
    scratch: Path,
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """The quantised model and its accuracy, once it has passed the gate."""
    from convert import parity, quantize  # noqa: PLC0415

    quantised = quantize.to_int8(model, calibration, about["geometry"], scratch)
    opened = _open(quantised, Contract("int8", **about), scratch / "check-int8.onnx")
    found = parity.compare(floating.segment, opened.segment, some)
    print(f"float32 and int8 ONNX: {found.share:.4%} of pixels equal over {found.frames} frames, worst {found.worst:.4%}")
    if not pairs:
        parity.gate(found, parity.INT8_AGREEMENT, "float32 and int8")
        return quantised, {}
    accuracy = _accuracy(opened.segment, pairs, "int8")
    for kind, row in accuracy.items():
        lost = floating_accuracy[kind]["mean_iou"] - row["mean_iou"]
        if lost > parity.INT8_LOSS:
            raise parity.ParityFailed(
                f"int8 loses {lost:.4f} mean category IoU on {kind}, at most {parity.INT8_LOSS} is let through: "
                "nothing was written"
            )
        print(f"int8 loses {lost:.4f} mean category IoU on {kind}")
    return quantised, accuracy


def _write(model: onnx.ModelProto, output: Path, scratch: Path) -> None:
    import onnx  # noqa: PLC0415  as above

    part = scratch / "out.onnx"
    onnx.save(model, part)
    os.replace(part, output)


def main(argv: list[str] | None = None) -> int:
    """Exit status 0, or 2 and one line on bad input or a failed gate."""
    arguments = parser().parse_args(argv)
    try:
        run(arguments)
    except RoadmaskError as error:
        print(f"convert: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
