"""`python -m gui`: the web page, in front of an API that runs somewhere."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from functools import partial
from importlib.metadata import version
from typing import NoReturn

from gui.settings import Settings

EXAMPLE = """example:
  python -m gui --api http://127.0.0.1:8000 --port 8080

Each flag has its variable: ROADMASK_GUI_API, ROADMASK_GUI_HOST, and so on; a flag wins.
"""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it: 128 + SIGINT."""

STOP_WITHIN_S = 20
"""For answers that are under way at SIGTERM: within the 30 s that Kubernetes grants before it kills."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, and status 2."""
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter
    command = _Parser("python -m gui", description=__doc__, epilog=EXAMPLE, formatter_class=raw)
    command.add_argument("--version", action="version", version=f"roadmask {version('roadmask')}")
    command.add_argument("--api", metavar="URL", help=f"default {Settings.api}")
    command.add_argument("--host", help=f"default {Settings.host}")
    command.add_argument("--port", help=f"default {Settings.port}; 0 takes a free one")
    command.add_argument("--frames", metavar="DIR", help="images that are offered as samples")
    command.add_argument("--api-key-file", metavar="FILE", help="the API's key, where it asks for one")
    return command


def _free_address(settings: Settings) -> int:
    """The port to listen on.

    Raises:
        ValueError: the address is taken, or not this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.create_server((settings.host, settings.port), family=family) as listening:
            return int(listening.getsockname()[1])
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise ValueError(f"can't listen on {where}: {error.strerror or error}") from error


def _end(status: int, *_signal_and_frame: object) -> NoReturn:
    sys.exit(status)


def main(argv: list[str] | None = None) -> int:
    """Serve until stopped; exit status 2 and one line on bad input."""
    try:
        settings = Settings.read(os.environ, vars(parser().parse_args(argv)))
        port = _free_address(settings)
    except ValueError as error:
        print(f"python -m gui: {error}", file=sys.stderr)
        return 2
    # NiceGUI takes a second to load: bad input is told before.
    from nicegui import ui  # noqa: PLC0415

    from gui import site  # noqa: PLC0415

    site.register(settings)
    # uvicorn ends what is under way and then raises the signal again, which finds these: no traceback, one status.
    for number, status in ((signal.SIGTERM, 0), (signal.SIGINT, INTERRUPTED)):
        signal.signal(number, partial(_end, status))
    print(f"roadmask page on http://{settings.host}:{port}, asking the API at {settings.api}", flush=True)
    ui.run(
        host=settings.host,
        port=port,
        title="roadmask",
        show=False,
        reload=False,
        show_welcome_message=False,
        dark=None,
        uvicorn_logging_level="warning",
        timeout_graceful_shutdown=STOP_WITHIN_S,
        # Images are compressed already; and what unpacks to a hundred times its size would pass by every limit.
        ws_per_message_deflate=False,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
