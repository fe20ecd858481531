"""What every command that runs a model is told about hardware."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from runtime import auto, auto_cache, model_files, providers
from runtime.commands import Parser
from runtime.errors import DataInvalid
from runtime.segmenter import Segmenter

DEFAULT = "cpu"
"""The provider list where none is given."""


def add_arguments(command: Parser) -> None:
    """`--providers` and `--threads`."""
    command.add_argument(
        "--providers",
        default=DEFAULT,
        metavar="LIST",
        help="comma separated, in order of preference, such as openvino:device_type=NPU,cpu, or auto: the fastest "
        "that agrees with float32 on the CPU, measured once (default %(default)s)",
    )
    command.add_argument(
        "--cache", type=Path, metavar="DIR", help="where auto remembers its choice (default: the user's cache folder)"
    )
    command.add_argument("--threads", type=int, metavar="N", help="default: the cores that may be used")


def check_unasked(arguments: argparse.Namespace) -> None:
    """Refuse what `add_arguments` added where no model is run: it would be passed over in silence.

    Raises:
        DataInvalid: an option was given.
    """
    if (arguments.providers, arguments.cache, arguments.threads) != (DEFAULT, None, None):
        raise DataInvalid("--providers, --cache and --threads are about a model: name one")


def load(arguments: argparse.Namespace, *, confidence: bool = False) -> Segmenter:
    """The model that `model` names, on that hardware.

    Args:
        arguments: what `add_arguments` added, and `model`.
        confidence: keep that output.

    Raises:
        RoadmaskError: there is none, its file is broken or has no confidence, or a provider is not there.
    """
    if arguments.providers.strip().lower() == providers.AUTO:
        cache = arguments.cache or auto_cache.default_cache()
        with Console(stderr=True).status("auto: what is at hand") as status:
            choice = auto.choose(
                arguments.model,
                threads=arguments.threads,
                cache=cache,
                notify=lambda done: status.update(Text(f"auto: {done}")),
            )
        print(choice.reason, file=sys.stderr)
        return Segmenter.load(choice.path, providers.parse(choice.providers), arguments.threads, confidence=confidence)
    specs = providers.parse(arguments.providers)
    path = model_files.find(arguments.model, spec=specs[0])
    return Segmenter.load(path, specs, arguments.threads, confidence=confidence)
