"""`python -m train report`: one self-contained HTML page on runs and on what a model is worth."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from runtime import datasets, model_files
from runtime.commands import Parser, exit_status
from runtime.datasets import Source
from runtime.errors import DataInvalid
from runtime.files import write
from runtime.segmenter import Segmenter
from train.reports import analysis, page, runs
from train.reports.analysis import Segment
from train.reports.page import Report
from train.reports.runs import Run

WORST = 20

EXAMPLE = """example:
  python -m train report runs/lite runs/unet -o report.html
  python -m train report runs/lite --model accurate-int8 --data cityscapes:/data/cityscapes --frames 100
"""


def parser() -> Parser:
    """The command line."""
    command = Parser("python -m train report", __doc__, EXAMPLE)
    command.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="run folders; the first one's model is reported on"
    )
    command.add_argument(
        "--data",
        action="append",
        metavar="KIND:DIR",
        help="with a split val; default: the first run's",
    )
    command.add_argument(
        "--model", metavar="FILE.onnx", help="a file, stem or name instead of RUN/model.keras: needs no TensorFlow"
    )
    command.add_argument("-o", "--output", type=Path, default=Path("report.html"), help="default %(default)s")
    command.add_argument(
        "--no-pictures",
        action="store_true",
        help="name the worst frames instead of showing them: figures may be passed on where photos may not",
    )
    command.add_argument("--frames", type=int, metavar="N", help="score at most N of each data set, evenly spread")
    return command


def run(arguments: argparse.Namespace, command: str) -> None:
    """Check what can be checked, measure, write.

    Raises:
        RoadmaskError: a bad input.
    """
    if arguments.frames is not None and arguments.frames < 1:
        raise DataInvalid("--frames must be at least 1")
    if not arguments.output.parent.is_dir():
        raise DataInvalid(f"there is no folder {arguments.output.parent} for the page")
    found = runs.read(arguments.runs)
    sources = _sources(arguments.data, found[0])
    name, segment = _model(arguments.model, found[0])
    splits = {key: analysis.statistics(key, source) for key, source in sources.items()}
    scored = [analysis.score(key, segment, source, arguments.frames) for key, source in sources.items()]
    known = {one.name: _gmac(one) for one in found}
    worst, pictures = analysis.worst(scored, WORST), not arguments.no_pictures
    text = page.render(Report(name, found, splits, scored, worst, segment, known, command, pictures))
    write(arguments.output, text.encode())
    frames = sum(len(row.pairs) for row in scored)
    warning = " (it embeds photos: keep it)" if pictures else ""
    print(f"wrote {arguments.output}: {len(text) / 1e6:.1f} MB, {name} on {frames} frames{warning}")


def _sources(data: Sequence[str] | None, first: Run) -> dict[str, Source]:
    """The data sets by name; each has a split `val`.

    Raises:
        DataInvalid: there is none, or one can't be used.
    """
    texts = data or first.settings.get("data")
    if not texts:
        raise DataInvalid(f"{first.folder} does not say what it was trained on: name it with --data KIND:DIR")
    try:
        sources = datasets.named(texts)
    except DataInvalid as error:
        hint = "" if data else " (the run was trained on it; name what is here with --data KIND:DIR)"
        raise DataInvalid(f"{error}{hint}") from error
    for source in sources.values():
        source.pairs("val")
    return sources


def _model(asked: str | None, first: Run) -> tuple[str, Segment]:
    """What is reported on, in words, and as the function from frame to mask.

    Raises:
        RoadmaskError: there is no such model, or it can't be run.
    """
    if asked is not None:
        segmenter = Segmenter.load(model_files.find(asked))
        cost = "" if segmenter.contract.gmac is None else f", {segmenter.contract.gmac:.2f} GMAC"
        return f"{segmenter.name} ({segmenter.contract.precision}{cost})", segmenter.segment
    path = first.folder / "model.keras"
    if not path.is_file():
        raise DataInvalid(f"{first.folder} has no model.keras: name a model with --model FILE.onnx")
    return f"{first.name}/model.keras (float32)", analysis.keras_segment(path, first.settings)


def _gmac(run: Run) -> float | None:
    """As a converted model in the run folder says; None where there is none."""
    files = sorted(run.folder.glob("*.onnx"))
    return Segmenter.load(files[0]).contract.gmac if files else None


def main(argv: Sequence[str]) -> int:
    """Exit status 0; 2 and one line on bad input; 130 when it is interrupted."""
    arguments = parser().parse_args(argv)
    command = shlex.join(["python", "-m", "train", "report", *map(_short, argv)])
    return exit_status("train report", lambda: run(arguments, command))


def _short(argument: str) -> str:
    """An argument without the folders of this machine above its last one: the page goes to others."""
    kind, colon, path = argument.rpartition(":")
    return f"{kind}{colon}{Path(path).name}" if "/" in path and path != "/" else argument
