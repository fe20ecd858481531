"""What every command that runs a model is told about hardware."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runtime import auto, auto_cache, model_files, providers
from runtime.commands import Parser
from runtime.segmenter import Segmenter


def add_arguments(command: Parser) -> None:
    """`--providers` and `--threads`."""
    command.add_argument(
        "--providers",
        default="cpu",
        metavar="LIST",
        help="comma separated, in order of preference, such as openvino:device_type=NPU,cpu, or auto: the fastest "
        "that agrees with float32 on the CPU, measured once (default %(default)s)",
    )
    command.add_argument(
        "--cache", type=Path, metavar="DIR", help="where auto remembers its choice (default: the user's cache folder)"
    )
    command.add_argument("--threads", type=int, metavar="N", help="default: the cores that may be used")


def load(arguments: argparse.Namespace) -> Segmenter:
    """The model that `model` names, on that hardware.

    Raises:
        RoadmaskError: there is none, its file is broken, or a provider is not there.
    """
    if arguments.providers.strip().lower() == providers.AUTO:
        cache = arguments.cache or auto_cache.default_cache()
        choice = auto.choose(arguments.model, threads=arguments.threads, cache=cache)
        print(choice.reason, file=sys.stderr)
        return Segmenter.load(choice.path, providers.parse(choice.providers), arguments.threads)
    specs = providers.parse(arguments.providers)
    path = model_files.find(arguments.model, spec=specs[0])
    return Segmenter.load(path, specs, arguments.threads)
