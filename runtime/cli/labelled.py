"""What every command that reads labelled folders is told about them."""

from __future__ import annotations

import argparse

from runtime import datasets
from runtime.commands import Parser
from runtime.datasets import Pair
from runtime.errors import DataInvalid


def add_arguments(command: Parser) -> None:
    """`--data`, `--split` and `--limit`."""
    command.add_argument(
        "--data", action="append", required=True, metavar="KIND:DIR", help="cityscapes:DIR or camvid:DIR"
    )
    command.add_argument("--split", default="val", help="default %(default)s")
    command.add_argument("--limit", type=int, metavar="N", help="at most N frames of each, evenly spread")


def check(arguments: argparse.Namespace) -> None:
    """Before anything is read.

    Raises:
        DataInvalid: a limit that leaves nothing.
    """
    if arguments.limit is not None and arguments.limit < 1:
        raise DataInvalid("--limit must be at least 1")


def pairs_of(arguments: argparse.Namespace) -> dict[str, list[Pair]]:
    """The pairs that were asked for, by the data set's name, in the order of the command line.

    Raises:
        DataInvalid: a folder that is missing, empty or incomplete.
    """
    found = {name: source.pairs(arguments.split) for name, source in datasets.named(arguments.data).items()}
    return {name: datasets.spread(pairs, arguments.limit or len(pairs)) for name, pairs in found.items()}
