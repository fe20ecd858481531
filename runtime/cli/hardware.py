"""What every command that runs a model is told about hardware."""

from __future__ import annotations

import argparse

from runtime import model_files, providers
from runtime.commands import Parser
from runtime.segmenter import Segmenter


def add_arguments(command: Parser) -> None:
    """`--providers` and `--threads`."""
    command.add_argument("--providers", default="cpu", metavar="LIST", help="comma separated (default %(default)s)")
    command.add_argument("--threads", type=int, metavar="N", help="default: the cores that may be used")


def load(arguments: argparse.Namespace) -> Segmenter:
    """The model that `model` names, on that hardware.

    Raises:
        RoadmaskError: there is none, its file is broken, or a provider is not there.
    """
    path = model_files.find(arguments.model)
    return Segmenter.load(path, providers.parse(arguments.providers), arguments.threads)
