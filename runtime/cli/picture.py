"""`python -m runtime picture`: a generated street beside the model's mask of it."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image

from runtime import categories, frames, model_files, scenes
from runtime.cli import hardware
from runtime.commands import Parser
from runtime.errors import DataInvalid
from runtime.files import write

DOES = "a generated street beside the model's mask of it"
EXAMPLE = "-o street.jpg --seed 42"


def add_arguments(command: Parser) -> None:
    """The command's own."""
    command.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=".png or .jpg")
    command.add_argument("--seed", type=int, default=42, help="of the scene (default %(default)s)")
    command.add_argument("--model", default=model_files.DEFAULT, help="a name, a stem or a file (default %(default)s)")
    hardware.add_arguments(command)


def run(arguments: argparse.Namespace) -> None:
    """Frame and mask side by side, 2048 x 512."""
    kind = {".png": "PNG", ".jpg": "JPEG"}.get(arguments.output.suffix.lower())
    if kind is None or arguments.seed < 0:
        raise DataInvalid(f"a picture is named .png or .jpg, not '{arguments.output.name}', and --seed is at least 0")
    segmenter = hardware.load(arguments)
    frame = scenes.generate(arguments.seed).frame
    both = np.hstack([frame, categories.PALETTE[segmenter.segment(frame)]])
    buffer = io.BytesIO()
    Image.fromarray(frames.resize(both, 512, 2048)).save(buffer, kind, quality=85, optimize=True)
    write(arguments.output, buffer.getvalue())
    print(f"wrote {arguments.output}")
