"""`python -m api`: the segmentation server."""

from __future__ import annotations

import os
import sys

from api.settings import Settings
from runtime.commands import Parser
from runtime.errors import RoadmaskError

EXAMPLE = """\
example:
  python -m api --port 8000 &
  curl --data-binary @frame.jpg http://127.0.0.1:8000/segment -o mask.png

Each setting can also be given as ROADMASK_HOST, ROADMASK_PORT, and so on; api/settings.py lists them all.
"""


def _parser() -> Parser:
    parser = Parser("python -m api", "Serves masks of camera frames over HTTP.", EXAMPLE)
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", help="port to listen on, 0 for a free one (8000)")
    parser.add_argument("--models", metavar="DIR", help="folder of the model files (those that are shipped)")
    parser.add_argument("--providers", metavar="LIST", help="execution providers in order of preference, or auto (cpu)")
    parser.add_argument("--cache", metavar="DIR", help="where auto remembers its choice (the user's cache folder)")
    parser.add_argument("--threads", metavar="N", help="threads of one inference (the cores that may be used)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 after a signal, 2 if something that was given is wrong."""
    flags = vars(_parser().parse_args(arguments))
    try:
        settings = Settings.read(os.environ, flags)
    except ValueError as error:
        return _fail(str(error))
    from api import server  # noqa: PLC0415  --help needs neither the web server nor a second

    try:
        server.run(settings)
    except RoadmaskError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"can't listen on {settings.host}:{settings.port}: {error.strerror or error}")
    return 0


def _fail(message: str) -> int:
    print(f"python -m api: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
