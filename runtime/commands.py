"""What the command lines have in common."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import NoReturn

from runtime.errors import RoadmaskError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it: 128 + SIGINT."""


class Parser(argparse.ArgumentParser):
    """argparse's, with `--version`, an example that keeps its line breaks, and errors of one line and status 2."""

    def __init__(self, prog: str, description: str | None, epilog: str) -> None:
        raw = argparse.RawDescriptionHelpFormatter
        super().__init__(prog, description=description, epilog=epilog, formatter_class=raw)
        self.add_argument("--version", action="version", version=f"roadmask {version('roadmask')}")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong on one line of standard error, and exit with 2."""
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


def exit_status(name: str, work: Callable[[], object]) -> int:
    """0 where the work was done; 2 where an input was bad, or 130 after Ctrl-C, and one line on standard error.

    Args:
        name: of the command, which begins the line.
        work: leaves nothing half-written behind, whatever it raises.
    """
    try:
        work()
    except RoadmaskError as error:
        print(f"{name}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0
