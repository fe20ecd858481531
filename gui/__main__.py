"""`python -m gui`: the web page, in front of an API that runs somewhere."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from urllib.parse import urlsplit

EXAMPLE = """example:
  python -m gui --api http://127.0.0.1:8000 --port 8080
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = argparse.ArgumentParser(
        "python -m gui", description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("--version", action="version", version=f"roadmask {version('roadmask')}")
    command.add_argument("--api", default="http://127.0.0.1:8000", metavar="URL", help="default %(default)s")
    command.add_argument("--host", default="127.0.0.1", help="default %(default)s")
    command.add_argument("--port", type=int, default=8080, help="default %(default)s")
    return command


def main(argv: list[str] | None = None) -> int:
    """Serve until stopped; exit status 2 and one line on bad input."""
    arguments = parser().parse_args(argv)
    address = urlsplit(arguments.api)
    if address.scheme not in ("http", "https") or not address.hostname:
        print(f"gui: --api is an address like http://127.0.0.1:8000, not '{arguments.api}'", file=sys.stderr)
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
