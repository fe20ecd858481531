"""`python -m convert`: `RUN/model.keras` or a float32 `.onnx` in, a `.onnx` file that is its own contract out."""

from __future__ import annotations

import argparse
from pathlib import Path

from runtime import codecs, datasets
from runtime.commands import Parser, exit_status
from runtime.contract import PRECISIONS
from runtime.datasets import Pair, Source
from runtime.errors import DataInvalid
from runtime.frames import Frame

EXAMPLE = """example:
  python -m convert runs/lite/model.keras -o accurate-fp32.onnx --data cityscapes:/data/cityscapes \\
      --calibration-report runs/lite/calibration.json
  python -m convert runs/lite/model.keras -o accurate-int8.onnx --precision int8 \\
      --calibration cityscapes:/data/cityscapes --data cityscapes:/data/cityscapes --data camvid:/data/camvid
  python -m convert accurate-fp32.onnx -o accurate-fp16.onnx --precision fp16 --data cityscapes:/data/cityscapes
"""


def parser() -> Parser:
    """The command line."""
    command = Parser("python -m convert", __doc__, EXAMPLE)
    command.add_argument("model", type=Path, help="model.keras of a run folder, or NAME-fp32.onnx")
    command.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.onnx")
    command.add_argument("--precision", choices=PRECISIONS, default="fp32", help="default %(default)s")
    command.add_argument(
        "--calibration",
        action="append",
        default=[],
        metavar="DIR",
        help="frames for int8: a labelled folder (its train split), or one of images; repeat it for several",
    )
    command.add_argument(
        "--calibration-frames", type=int, default=32, metavar="N", help="of each (default %(default)s)"
    )
    command.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="KIND:DIR",
        help="labelled folders whose val split the parity gate uses, the contract's accuracy is measured on and the "
        "confidence is calibrated with; without any, generated scenes are used and nothing is measured or calibrated",
    )
    command.add_argument(
        "--calibration-report",
        type=Path,
        metavar="FILE.json",
        help="write the confidence's calibration error before and after, for train report: RUN/calibration.json",
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
    """The val split of each labelled folder, by name.

    Raises:
        DataInvalid: a folder that is missing, empty or incomplete.
    """
    return {name: source.pairs("val") for name, source in datasets.named(texts).items()}


def trained_pairs(texts: list[str]) -> dict[str, list[Pair]]:
    """The train split of each labelled folder, by name; the val split where there is no other.

    Raises:
        DataInvalid: as `validation_pairs`.
    """
    return {
        name: source.pairs("train" if "train" in source.splits() else "val")
        for name, source in datasets.named(texts).items()
    }


def _check(arguments: argparse.Namespace) -> None:
    if arguments.precision == "int8" and not arguments.calibration:
        raise DataInvalid("int8 needs real frames: give --calibration KIND:DIR or a folder of images")
    if not arguments.model.is_file():
        raise DataInvalid(f"there is no file {arguments.model}")
    if arguments.model.suffix == ".onnx" and arguments.precision == "fp32" and not arguments.data:
        raise DataInvalid(
            f"{arguments.model} is an .onnx file already: give --precision fp16 or int8, or --data KIND:DIR to "
            "calibrate its confidence"
        )
    if arguments.calibration_frames < 1:
        raise DataInvalid("--calibration-frames must be at least 1")
    if not arguments.output.name.endswith(f"-{arguments.precision}.onnx"):
        raise DataInvalid(f"the output is named NAME-{arguments.precision}.onnx, so that servers know its precision")
    if not arguments.output.parent.is_dir():
        raise DataInvalid(f"there is no folder {arguments.output.parent}")
    report = arguments.calibration_report
    if report and not arguments.data:
        raise DataInvalid("--calibration-report is about labelled frames: give --data KIND:DIR as well")
    if report and not report.parent.is_dir():
        raise DataInvalid(f"there is no folder {report.parent}")
    if arguments.output.is_dir():
        raise DataInvalid(f"{arguments.output} is a folder")


def run(arguments: argparse.Namespace) -> None:
    """Check everything that can be checked, then convert.

    Raises:
        RoadmaskError: bad input, or a model that the gate does not let through.
    """
    _check(arguments)
    pairs, trained = validation_pairs(arguments.data), trained_pairs(arguments.data)
    int8 = arguments.precision == "int8"
    folders = arguments.calibration if int8 else []
    calibration = [frame for text in folders for frame in calibration_frames(text, arguments.calibration_frames)]
    # TensorFlow takes seconds to load: bad input is told before.
    from convert import pipeline  # noqa: PLC0415

    job = pipeline.Job(
        arguments.model,
        arguments.output,
        arguments.precision,
        calibration,
        pairs,
        trained,
        arguments.calibration_report,
    )
    pipeline.convert(job)


def main(argv: list[str] | None = None) -> int:
    """Exit status 0, 2 and one line on bad input or a failed gate, or 130 and one line after Ctrl-C."""
    arguments = parser().parse_args(argv)
    return exit_status("convert", lambda: run(arguments))


if __name__ == "__main__":
    raise SystemExit(main())
