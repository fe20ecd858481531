"""`python tests/benchmarks/server.py`: the server beside the same work without HTTP, and beside a plain peer."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import sys
import tempfile
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import figures
import scenarios
import workload
from bench import QUICK, Bench, Plan, helper
from figures import Results
from processes import BenchmarkFailed
from rich.console import Console
from rich.progress import Progress

from runtime import cores, model_files
from runtime.commands import Parser

EXAMPLE = """\
example:
  python tests/benchmarks/server.py --only latency,throughput --markdown table.md

A whole run takes about 10 minutes on two idle cores, --quick about 2. README.md beside it says what each figure means.
"""

PACKAGES = ("onnxruntime", "numpy", "pillow", "starlette", "uvicorn", "httptools", "uvloop", "fastapi", "locust")
"""Whose versions the figures depend on."""

WIDTH = 160
"""Columns of the tables where there is no terminal to tell."""

BUSY_LOAD = 0.5
"""Load average above which somebody else is at work on the machine."""


def parser() -> Parser:
    """The command line."""
    command = Parser("server.py", "Measures the server beside the same work without HTTP, and a plain peer.", EXAMPLE)
    command.add_argument("--quick", action="store_true", help="few rounds: shows that it works, figures are rough")
    known = ",".join(scenarios.ALL)
    command.add_argument("--only", type=_chosen, default=tuple(scenarios.ALL), metavar="LIST", help=f"of {known}")
    command.add_argument("--json", type=_file, metavar="FILE", help="write all figures as JSON")
    command.add_argument("--markdown", type=_file, metavar="FILE", help="write the tables as Markdown")
    return command


def _chosen(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in scenarios.ALL:
            raise argparse.ArgumentTypeError(f"there is no scenario '{name}': known are {', '.join(scenarios.ALL)}")
    return names


def _file(text: str) -> Path:
    path = Path(text)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"'{text}' can't be written: name a file in a folder that is there")
    return path


def check_installed() -> None:
    """Make sure that load tool and peer are there.

    Raises:
        BenchmarkFailed: one is not.
    """
    for name in ("locust", "fastapi"):
        if importlib.util.find_spec(name) is None:
            raise BenchmarkFailed(f"{name} is not installed: pip install '.[cpu,api,bench]'")


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "absent"
    text = Path("/proc/cpuinfo").read_text()
    cpu = next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")), "")
    return {
        "cpu": cpu or platform.machine(),
        "cores": cores.available(),
        "python": platform.python_version(),
        "versions": versions,
        "load_average": round(os.getloadavg()[0], 2),
        "model": model_files.find(model_files.DEFAULT).stem,
    }


def divide_cores(available: set[int]) -> tuple[set[int], set[int], list[str]]:
    """The server's core, the load tool's, and what has to be said about it."""
    first, *others = sorted(available)
    if not others:
        return {first}, {first}, ["there is one core only: server and load tool share it, the figures mean little"]
    return {first}, {others[0]}, []


def run(plan: Plan, chosen: tuple[str, ...], console: Console) -> Results:
    """The scenarios in their order.

    Raises:
        BenchmarkFailed: load tool, peer or reference are not there.
    """
    check_installed()
    server_cores, load_cores, warnings = divide_cores(os.sched_getaffinity(0))
    told = machine()
    if told["load_average"] > BUSY_LOAD:
        warnings.append(f"the machine was not idle: its load average was {told['load_average']} before the run")
    # This process waits, but it also draws a progress bar: not on the server's core.
    os.sched_setaffinity(0, load_cores)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="roadmask-benchmark-")))
        progress = stack.enter_context(Progress(console=console, transient=True, refresh_per_second=2))
        frames = workload.write_frames(folder, plan.frames)
        load = stack.enter_context(helper("load.py", load_cores, folder / "load.log"))
        reference = stack.enter_context(helper("reference.py", server_cores, folder / "reference.log"))
        results = Results(told, vars(plan), warnings)
        bench = Bench(plan, folder, server_cores, load_cores, progress, results, frames, load, reference)
        for name in scenarios.ALL:
            if name in chosen:
                try:
                    scenarios.ALL[name](bench)
                except BenchmarkFailed as error:  # what the others found out is not thrown away for it
                    results.failures.append(f"{name} could not be measured: {error}")
    return results


def main(argv: list[str] | None = None) -> int:
    """0 when everything was measured, whatever the figures; 1 where a scenario failed; 2 where none could begin."""
    arguments = parser().parse_args(argv)
    try:
        results = run(QUICK if arguments.quick else Plan(), arguments.only, Console(stderr=True))
    except (BenchmarkFailed, OSError) as error:
        print(f"server.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    if arguments.quick:
        results.warnings.append("a quick run: the figures are rough")
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    console.print(figures.machine_line(results.machine), highlight=False)
    for line in results.warnings + results.failures:
        console.print(line, style="bold yellow", highlight=False)
    for table in figures.tables(results):
        if table.row_count:
            console.print(table)
    if arguments.json:
        arguments.json.write_text(results.as_json())
    if arguments.markdown:
        arguments.markdown.write_text(figures.markdown(results))
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
