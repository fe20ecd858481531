"""`python -m gui`: the web page, in front of an API that runs somewhere."""

from __future__ import annotations

import argparse
import socket
import sys
from importlib.metadata import version
from typing import NoReturn
from urllib.parse import urlsplit

EXAMPLE = """example:
  python -m gui --api http://127.0.0.1:8000 --port 8080
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, and status 2."""
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter
    command = _Parser("python -m gui", description=__doc__, epilog=EXAMPLE, formatter_class=raw)
    command.add_argument("--version", action="version", version=f"roadmask {version('roadmask')}")
    command.add_argument("--api", default="http://127.0.0.1:8000", metavar="URL", help="default %(default)s")
    command.add_argument("--host", default="127.0.0.1", help="default %(default)s")
    command.add_argument("--port", type=int, default=8080, help="default %(default)s")
    return command


def _check(arguments: argparse.Namespace) -> str | None:
    """What is wrong with the command line, None if nothing is."""
    wrong_address = f"--api is an address like http://127.0.0.1:8000, not '{arguments.api}'"
    try:
        address = urlsplit(arguments.api)
        if address.scheme not in ("http", "https") or not address.hostname or address.port == 0:
            return wrong_address
    except ValueError:
        return wrong_address
    if not 1 <= arguments.port <= 65535:
        return f"--port is a number from 1 to 65535, not {arguments.port}"
    try:
        family = socket.AF_INET6 if ":" in arguments.host else socket.AF_INET
        socket.create_server((arguments.host, arguments.port), family=family).close()
    except OSError as error:
        return f"can't listen on {arguments.host}:{arguments.port}: {error.strerror or error}"
    return None


def main(argv: list[str] | None = None) -> int:
    """Serve until stopped; exit status 2 and one line on bad input."""
    arguments = parser().parse_args(argv)
    wrong = _check(arguments)
    if wrong is not None:
        print(f"python -m gui: {wrong}", file=sys.stderr)
        return 2
    # NiceGUI takes a second to load: bad input is told before.
    from nicegui import ui  # noqa: PLC0415

    from gui import pages  # noqa: PLC0415

    pages.register(arguments.api.rstrip("/"))
    print(f"roadmask page on http://{arguments.host}:{arguments.port}, asking the API at {arguments.api}", flush=True)
    ui.run(
        host=arguments.host,
        port=arguments.port,
        title="roadmask",
        show=False,
        reload=False,
        show_welcome_message=False,
        dark=None,
        uvicorn_logging_level="warning",
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
