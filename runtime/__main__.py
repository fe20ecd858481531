"""`python -m runtime`: segment frames, evaluate a model, make street scenes and a picture of one."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track

from runtime import categories, codecs, datasets, evaluate, frames, model_files, providers, scenes
from runtime.commands import Parser
from runtime.datasets import Pair, Source
from runtime.errors import DataInvalid, RoadmaskError
from runtime.segmenter import Segmenter

EXAMPLES = {
    "segment": "street.jpg folder_of_frames -o masks",
    "evaluate": "accurate --data cityscapes:/data/cityscapes --data camvid:/data/camvid",
    "scenes": "-o scenes --count 20 --size 1024x512",
    "picture": "-o street.jpg --seed 42",
}
EXAMPLE = "examples:\n" + "".join(f"  python -m runtime {name} {rest}\n" for name, rest in EXAMPLES.items())


def parser() -> Parser:
    """The command line."""
    command = Parser("python -m runtime", __doc__, EXAMPLE)
    commands = command.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    def add(name: str, does: str) -> Parser:
        example = f"example:\n  python -m runtime {name} {EXAMPLES[name]}\n"
        return commands.add_parser(name, help=does, description=does, epilog=example)

    segment = add("segment", "frames to palette-PNG masks")
    segment.add_argument("frames", nargs="+", type=Path, metavar="FRAME", help="image files, or folders of them")
    segment.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="where FRAME.png go")
    segment.add_argument("--model", default=model_files.DEFAULT, help="a name, a stem or a file (default %(default)s)")
    _add_hardware(segment)

    score = add("evaluate", "mean category IoU on labelled folders")
    score.add_argument("model", help="a name, a stem or a file")
    score.add_argument(
        "--data", action="append", required=True, metavar="KIND:DIR", help="cityscapes:DIR or camvid:DIR"
    )
    score.add_argument("--split", default="val", help="default %(default)s")
    score.add_argument("--limit", type=int, metavar="N", help="at most N frames of each, evenly spread")
    score.add_argument("--json", action="store_true", help="figures as JSON on standard output")
    _add_hardware(score)

    streets = add("scenes", "generated streets with exact ground truth, laid out like Cityscapes")
    streets.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    streets.add_argument("--count", type=int, default=8, help="default %(default)s")
    streets.add_argument("--seed", type=int, default=0, help="of the first scene (default %(default)s)")
    streets.add_argument("--size", default="2048x1024", metavar="WxH", help="default %(default)s")

    pair = add("picture", "a generated street beside the model's mask of it")
    pair.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=".png or .jpg")
    pair.add_argument("--seed", type=int, default=42, help="of the scene (default %(default)s)")
    pair.add_argument("--model", default=model_files.DEFAULT, help="a name, a stem or a file (default %(default)s)")
    _add_hardware(pair)
    return command


def _add_hardware(command: Parser) -> None:
    command.add_argument("--providers", default="cpu", metavar="LIST", help="comma separated (default %(default)s)")
    command.add_argument("--threads", type=int, metavar="N", help="default: the cores that may be used")


def _load(arguments: argparse.Namespace) -> Segmenter:
    path = model_files.find(arguments.model)
    return Segmenter.load(path, providers.parse(arguments.providers), arguments.threads)


def _frame_files(named: Iterable[Path]) -> list[Path]:
    """The files that are named, and the images of the folders that are named.

    Raises:
        DataInvalid: something is missing, a folder holds no image, or two masks would get the same name.
    """
    found: list[Path] = []
    for path in named:
        if path.is_dir():
            images = sorted(file for file in path.iterdir() if file.suffix.lower() in codecs.SUFFIXES)
            if not images:
                raise DataInvalid(f"{path} holds no image ({', '.join(codecs.SUFFIXES)})")
            found += images
        elif path.is_file():
            found.append(path)
        else:
            raise DataInvalid(f"there is no file {path}")
    stems = [path.stem for path in found]
    doubled = sorted({stem for stem in stems if stems.count(stem) > 1})
    if doubled:
        raise DataInvalid(f"several frames are called {doubled[0]}: their masks would overwrite each other")
    return found


def segment(arguments: argparse.Namespace) -> None:
    """A palette-PNG mask of each frame. A broken frame stops the run; the masks written before it stay."""
    files = _frame_files(arguments.frames)
    targets = [arguments.output / f"{path.stem}.png" for path in files]
    sources = {path.resolve() for path in files}
    for target in targets:
        if target.resolve() in sources:
            raise DataInvalid(f"{target} is one of the frames: its mask would overwrite it, give another -o")
    segmenter = _load(arguments)
    try:
        arguments.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataInvalid(f"{arguments.output} can't be made a folder: {error.strerror}") from error
    both = list(zip(files, targets, strict=True))
    for path, target in track(both, "segment", console=Console(stderr=True), transient=True):
        _write(target, codecs.encode_mask(segmenter.segment(codecs.read_frame(path))))
    print(f"{len(files)} masks in {arguments.output}, by {segmenter.name} on {segmenter.provider}")


def _write(target: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        DataInvalid: it can't be written.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_bytes(data)
        part.replace(target)
    except OSError as error:
        raise DataInvalid(f"{target} can't be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def score(arguments: argparse.Namespace) -> None:
    """Figures of a model on one or more labelled folders."""
    if arguments.limit is not None and arguments.limit < 1:
        raise DataInvalid("--limit must be at least 1")
    sources = [Source.parse(text) for text in arguments.data]
    chosen: dict[str, list[Pair]] = {}
    for source in sources:
        pairs = source.pairs(arguments.split)
        chosen[str(source)] = datasets.spread(pairs, arguments.limit or len(pairs))
    segmenter = _load(arguments)
    rows = {
        name: evaluate.summary(evaluate.evaluate(segmenter.segment, pairs, title=name), len(pairs))
        for name, pairs in chosen.items()
    }
    if arguments.json:
        print(
            json.dumps(
                {"model": segmenter.name, "provider": segmenter.provider, "split": arguments.split, "data": rows}
            )
        )
    else:
        console = Console()
        console.print(f"{segmenter.name} on {segmenter.provider}, split '{arguments.split}'")
        console.print(evaluate.table(rows))


def make_scenes(arguments: argparse.Namespace) -> None:
    """Scenes and their ground truth."""
    width, _, height = arguments.size.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise DataInvalid(f"--size is WxH, like 2048x1024, not '{arguments.size}'")
    if int(width) * int(height) > codecs.Limits.max_pixels:
        raise DataInvalid(f"--size {arguments.size} is more than {codecs.Limits.max_pixels} pixels")
    if arguments.count < 1 or arguments.seed < 0:
        raise DataInvalid("--count must be at least 1 and --seed at least 0")
    try:
        scenes.write(arguments.output, arguments.count, seed=arguments.seed, width=int(width), height=int(height))
    except (ValueError, OSError) as error:
        raise DataInvalid(str(error)) from error
    print(f"{arguments.count} scenes in {arguments.output}: read them as cityscapes:{arguments.output}, split val")


def draw_picture(arguments: argparse.Namespace) -> None:
    """Frame and mask side by side, 2048 x 512."""
    kind = {".png": "PNG", ".jpg": "JPEG"}.get(arguments.output.suffix.lower())
    if kind is None or arguments.seed < 0:
        raise DataInvalid(f"a picture is named .png or .jpg, not '{arguments.output.name}', and --seed is at least 0")
    segmenter = _load(arguments)
    frame = scenes.generate(arguments.seed).frame
    both = np.hstack([frame, categories.PALETTE[segmenter.segment(frame)]])
    buffer = io.BytesIO()
    Image.fromarray(frames.resize(both, 512, 2048)).save(buffer, kind, quality=85, optimize=True)
    _write(arguments.output, buffer.getvalue())
    print(f"wrote {arguments.output}")


COMMANDS = {"segment": segment, "evaluate": score, "scenes": make_scenes, "picture": draw_picture}


def main(argv: list[str] | None = None) -> int:
    """Exit status 0, or 2 and one line on bad input."""
    arguments = parser().parse_args(argv)
    try:
        COMMANDS[arguments.command](arguments)
    except RoadmaskError as error:
        print(f"runtime {arguments.command}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
