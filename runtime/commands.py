"""What the command lines have in common."""

from __future__ import annotations

import argparse
from importlib.metadata import version
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """argparse's, with `--version`, an example that keeps its line breaks, and errors of one line and status 2."""

    def __init__(self, prog: str, description: str | None, epilog: str) -> None:
        raw = argparse.RawDescriptionHelpFormatter
        super().__init__(prog, description=description, epilog=epilog, formatter_class=raw)
        self.add_argument("--version", action="version", version=f"roadmask {version('roadmask')}")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong on one line of standard error, and exit with 2."""
        self.exit(2, f"{self.prog}: {message} (see --help)\n")
