"""`python -m runtime evaluate`: mean category IoU on labelled folders."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from runtime import confusion_picture, corruptions, datasets, evaluate, robustness, robustness_picture
from runtime.cli import hardware, labelled
from runtime.commands import Parser
from runtime.datasets import Pair
from runtime.errors import DataInvalid
from runtime.evaluate import Trust
from runtime.files import write
from runtime.metrics import Confusion
from runtime.robustness import Row
from runtime.segmenter import Segmenter

DOES = "mean category IoU on labelled folders, on the hardware that runs it"
EXAMPLE = "accurate --data cityscapes:/data/cityscapes --data camvid:/data/camvid --picture confusion.png"


def add_arguments(command: Parser) -> None:
    """The command's own."""
    command.add_argument("model", help="a name, a stem or a file")
    labelled.add_arguments(command)
    command.add_argument(
        "--picture", type=Path, metavar="FILE.png", help="draw the confusion matrices, or the heat map of --corruptions"
    )
    command.add_argument(
        "--confidence",
        action="store_true",
        help="also the expected calibration error of the model's confidence, and how many frames are flagged as dark, "
        "bright, blurred or unlike the training data",
    )
    command.add_argument("--json", action="store_true", help="figures as JSON on standard output")
    changes = command.add_argument_group("robustness")
    changes.add_argument(
        "--corruptions",
        action="store_true",
        help="what share of the clean IoU is kept under the 15 common corruptions, at half and double the size, at 4:3 "
        "and 16:9 (the middle is cut out), and as JPEG of quality 80, 50, 20 and 10",
    )
    changes.add_argument(
        "--severities", type=int, nargs="+", metavar="N", help="of the corruptions, 1 to 5 (default 3): 1 3 5"
    )
    changes.add_argument(
        "--only", nargs="+", metavar="NAME", help="some of them, such as: fog jpeg_compression size aspect quality"
    )
    hardware.add_arguments(command)


def run(arguments: argparse.Namespace) -> None:
    """Figures of a model on one or more labelled folders."""
    labelled.check(arguments)
    if arguments.confidence and arguments.corruptions:
        raise DataInvalid("--confidence is measured on frames as they are: give it without --corruptions")
    check_corruptions(arguments)
    if arguments.picture is not None:
        check_picture(arguments.picture)
    sources, chosen = datasets.named(arguments.data), labelled.pairs_of(arguments)
    segmenter = hardware.load(arguments, confidence=arguments.confidence)
    found = {name: _measured(segmenter, arguments, pairs, title=str(sources[name])) for name, pairs in chosen.items()}
    panels = {name: f"{name}, {arguments.split}: {counted(len(pairs))}" for name, pairs in chosen.items()}
    if arguments.picture is not None:
        write(arguments.picture, _drawn(segmenter, {panels[name]: one for name, one in found.items()}))
    summaries = {name: evaluate.summary(one.confusion, len(chosen[name])) for name, one in found.items()}
    if arguments.json:
        data = {str(sources[name]): _figures(summaries[name], one, segmenter) for name, one in found.items()}
        print(json.dumps(answer(segmenter, arguments, data)))
        return
    console = Console()
    console.print(f"{segmenter.name} on {on_hardware(segmenter)}, split '{arguments.split}'", highlight=False)
    if arguments.corruptions:
        for name, one in found.items():
            console.print(robustness_picture.table(one.confusion, one.rows, panels[name]))
        return
    console.print(evaluate.table({str(sources[name]): row for name, row in summaries.items()}))
    if arguments.confidence:
        console.print(evaluate.trust_table({str(sources[name]): one.trust for name, one in found.items() if one.trust}))


@dataclass(frozen=True)
class _Found:
    """Of one data set."""

    confusion: Confusion
    rows: list[Row] = field(default_factory=list)
    """Of the conditions, with `--corruptions`."""
    trust: Trust | None = None
    """With `--confidence`."""


def _measured(segmenter: Segmenter, arguments: argparse.Namespace, pairs: list[Pair], *, title: str) -> _Found:
    if arguments.corruptions:
        asked = robustness.conditions(arguments.severities or [robustness_picture.SHOWN_SEVERITY], arguments.only)
        return _Found(*robustness.measure(segmenter.segment, pairs, asked, title=title))
    if arguments.confidence:
        trust = evaluate.evaluate_trust(segmenter, pairs, title=title)
        return _Found(trust.confusion, trust=trust)
    return _Found(evaluate.evaluate(segmenter.segment, pairs, title=title))


def _drawn(segmenter: Segmenter, found: Mapping[str, _Found]) -> bytes:
    """The heat map where there are conditions, else the confusion matrices; both by the panel's title."""
    title = f"{segmenter.name} on {on_hardware(segmenter)}"
    rows = {panel: one.rows for panel, one in found.items() if one.rows}
    if rows:
        return robustness_picture.draw(rows, title)
    return confusion_picture.draw({panel: one.confusion for panel, one in found.items()}, title)


def _figures(summary: Mapping[str, object], one: _Found, segmenter: Segmenter) -> dict[str, object]:
    """Of one data set, as JSON can hold them; `robustness`, or `calibration` and `quality`, where it was asked for."""
    figures = {**summary, "confusion": one.confusion.matrix.tolist()}
    if one.trust:
        calibration = {"temperature": segmenter.contract.temperature, **one.trust.reliability.summary()}
        quality = {"flagged": one.trust.flagged(), "flags": one.trust.flags()}
        return {**figures, "calibration": calibration, "quality": quality}
    return {**figures, "robustness": robustness.summary(one.rows)} if one.rows else figures


def check_corruptions(arguments: argparse.Namespace) -> None:
    """Before the work.

    Raises:
        DataInvalid: a severity or a name that there is not, or one without `--corruptions`.
    """
    if not arguments.corruptions and (arguments.severities, arguments.only) != (None, None):
        raise DataInvalid("--severities and --only are about --corruptions: give it as well")
    if not set(arguments.severities or ()) <= set(corruptions.SEVERITIES):
        raise DataInvalid("--severities are 1 to 5")
    known = (*corruptions.CORRUPTIONS, *robustness.OTHERS)
    unknown = sorted(set(arguments.only or ()) - set(known))
    if unknown:
        raise DataInvalid(f"--only knows no '{unknown[0]}': it takes {', '.join(known)}")


def check_picture(path: Path) -> None:
    """Before the work that it is to show.

    Raises:
        DataInvalid: it is not named as a PNG, its folder is missing, or nothing here can draw it.
    """
    if path.suffix.lower() != ".png":
        raise DataInvalid(f"--picture is a PNG: name it .png, not '{path.name}'")
    if not path.parent.is_dir():
        raise DataInvalid(f"there is no folder {path.parent} for the picture")
    confusion_picture.require_matplotlib()


def counted(frames: int) -> str:
    """A number of frames, in words."""
    return f"{frames} frame{'' if frames == 1 else 's'}"


def on_hardware(segmenter: Segmenter) -> str:
    """Such as `openvino (openvino 380 nodes), 2 threads`."""
    nodes = ", ".join(f"{name} {sum(types.values())} nodes" for name, types in segmenter.nodes.items())
    return f"{segmenter.provider} ({nodes}), {segmenter.threads} thread{'' if segmenter.threads == 1 else 's'}"


def answer(
    segmenter: Segmenter,
    arguments: argparse.Namespace,
    data: Mapping[str, Mapping[str, object]],
) -> dict[str, object]:
    """What `--json` prints; in `data`, `confusion` is pixels, 8 x 8, rows truth, columns prediction, by category id."""
    return {
        "model": segmenter.name,
        "precision": segmenter.contract.precision,
        "providers": arguments.providers,
        "provider": segmenter.provider,
        "nodes": {name: sum(types.values()) for name, types in segmenter.nodes.items()},
        "threads": segmenter.threads,
        "split": arguments.split,
        "data": dict(data),
    }
