"""`python -m runtime providers`: what is installed, and which provider runs what of a model."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runtime import plugins
from runtime.cli import hardware
from runtime.commands import Parser
from runtime.plugins import Installed
from runtime.provider_table import TABLE
from runtime.segmenter import Segmenter

DOES = "what is installed, and which provider runs what of a model"
EXAMPLE = "accurate --providers openvino:precision=FP32,cpu"


def add_arguments(command: Parser) -> None:
    """The command's own."""
    command.add_argument("model", nargs="?", help="a name, a stem or a file; without one, what is installed is listed")
    command.add_argument("--json", action="store_true", help="as JSON on standard output")
    hardware.add_arguments(command)


def run(arguments: argparse.Namespace) -> None:
    """Installed providers, or those that run a model."""
    if arguments.model is None:
        hardware.check_unasked(arguments)
        _list(arguments.json)
    else:
        _tell(hardware.load(arguments), arguments.providers, arguments.json)


def _list(as_json: bool) -> None:
    there = plugins.installed()
    names = {row.name for row in there}
    missing = {row.name: row.get for row in TABLE if row.name not in names}
    if as_json:
        print(json.dumps({"installed": [vars(row) for row in there], "not_installed": missing}))
        return
    console = Console()
    console.print(_installed_table(there))
    absent = Table("not installed", "to get it", box=None, pad_edge=False)
    for name, get in missing.items():
        absent.add_row(name, get)
    console.print()
    console.print(absent)


def _installed_table(there: list[Installed]) -> Table:
    table = Table("installed", "kind", "package", "devices", box=None, pad_edge=False)
    for row in there:
        devices = ", ".join(row.devices) or f"none: it {row.problem}"
        table.add_row(row.name, row.kind, f"{row.package} {row.version}", Text(devices))
    return table


def _tell(segmenter: Segmenter, asked: str, as_json: bool) -> None:
    told: dict[str, Any] = {
        "model": segmenter.name,
        "asked": asked,
        "provider": segmenter.provider,
        "nodes": segmenter.nodes,
        "threads": segmenter.threads,
        "options": segmenter.options,
    }
    if as_json:
        print(json.dumps(told))
        return
    console = Console()
    console.print(f"{segmenter.name} on {asked}, {segmenter.threads} threads", highlight=False, markup=False)
    table = Table("provider", "nodes", "of them", "options", box=None, pad_edge=False)
    for provider, operators in segmenter.nodes.items():
        kinds = ", ".join(f"{count} {kind}" for kind, count in operators.items())
        options = "\n".join(f"{key}={value}" for key, value in segmenter.options.get(provider, {}).items())
        table.add_row(provider, str(sum(operators.values())), Text(kinds), Text(options))
    console.print(table)
    session = ", ".join(f"{key}={value}" for key, value in segmenter.options["session"].items())
    console.print(f"session: {session}", highlight=False, markup=False)
