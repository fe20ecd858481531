"""`python -m runtime scenes`: generated streets with exact ground truth."""

from __future__ import annotations

import argparse
from pathlib import Path

from runtime import codecs, scenes
from runtime.commands import Parser
from runtime.errors import DataInvalid

DOES = "generated streets with exact ground truth, laid out like Cityscapes"
EXAMPLE = "-o scenes --count 20 --size 1024x512"


def add_arguments(command: Parser) -> None:
    """The command's own."""
    command.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    command.add_argument("--count", type=int, default=8, help="default %(default)s")
    command.add_argument("--seed", type=int, default=0, help="of the first scene (default %(default)s)")
    command.add_argument("--size", default="2048x1024", metavar="WxH", help="default %(default)s")


def run(arguments: argparse.Namespace) -> None:
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
