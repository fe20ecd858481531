"""`python -m runtime`: segment frames, evaluate a model, make street scenes and a picture of one."""

from __future__ import annotations

from types import ModuleType

from runtime.cli import bench, evaluate, picture, providers, scenes, segment, tradeoff
from runtime.commands import Parser, exit_status

COMMANDS: dict[str, ModuleType] = {
    "segment": segment,
    "evaluate": evaluate,
    "bench": bench,
    "tradeoff": tradeoff,
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
    """Exit status 0, 2 and one line on bad input, or 130 and one line after Ctrl-C."""
    arguments = parser().parse_args(argv)
    return exit_status(f"runtime {arguments.command}", lambda: COMMANDS[arguments.command].run(arguments))


if __name__ == "__main__":
    raise SystemExit(main())
