"""`python -m runtime`: segment frames, evaluate a model, make street scenes and a picture of one."""

from __future__ import annotations

import sys
from types import ModuleType

from runtime.cli import bench, evaluate, picture, providers, scenes, segment
from runtime.commands import Parser
from runtime.errors import RoadmaskError

COMMANDS: dict[str, ModuleType] = {
    "segment": segment,
    "evaluate": evaluate,
    "bench": bench,
    "providers": providers,
    "scenes": scenes,
    "picture": picture,
}


def parser() -> Parser:
    """The command line."""
    lines = "".join(f"  python -m runtime {name} {command.EXAMPLE}\n" for name, command in COMMANDS.items())
    made = Parser("python -m runtime", __doc__, f"examples:\n{lines}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for name, command in COMMANDS.items():
        example = f"example:\n  python -m runtime {name} {command.EXAMPLE}\n"
        command.add_arguments(commands.add_parser(name, help=command.DOES, description=command.DOES, epilog=example))
    return made


def main(argv: list[str] | None = None) -> int:
    """Exit status 0, or 2 and one line on bad input."""
    arguments = parser().parse_args(argv)
    try:
        COMMANDS[arguments.command].run(arguments)
    except RoadmaskError as error:
        print(f"runtime {arguments.command}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
