"""`python -m runtime segment`: frames to palette-PNG masks."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import track

from runtime import codecs, model_files
from runtime.cli import hardware
from runtime.cli.files import write
from runtime.commands import Parser
from runtime.errors import DataInvalid

DOES = "frames to palette-PNG masks"
EXAMPLE = "street.jpg folder_of_frames -o masks"


def add_arguments(command: Parser) -> None:
    """The command's own."""
    command.add_argument("frames", nargs="+", type=Path, metavar="FRAME", help="image files, or folders of them")
    command.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="where FRAME.png go")
    command.add_argument("--model", default=model_files.DEFAULT, help="a name, a stem or a file (default %(default)s)")
    hardware.add_arguments(command)


def run(arguments: argparse.Namespace) -> None:
    """A palette-PNG mask of each frame. A broken frame stops the run; the masks written before it stay."""
    files = _frame_files(arguments.frames)
    targets = [arguments.output / f"{path.stem}.png" for path in files]
    sources = {path.resolve() for path in files}
    for target in targets:
        if target.resolve() in sources:
            raise DataInvalid(f"{target} is one of the frames: its mask would overwrite it, give another -o")
    segmenter = hardware.load(arguments)
    try:
        arguments.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataInvalid(f"{arguments.output} can't be made a folder: {error.strerror}") from error
    both = list(zip(files, targets, strict=True))
    for path, target in track(both, "segment", console=Console(stderr=True), transient=True):
        write(target, codecs.encode_mask(segmenter.segment(codecs.read_frame(path))))
    print(f"{len(files)} masks in {arguments.output}, by {segmenter.name} on {segmenter.provider}")


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
