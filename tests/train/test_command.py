"""`python -m train`, the command: how it ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

# The training itself is left out: it is the signal's way to the exit status that is looked at.
STOPPED = """
import signal, sys
import train.__main__ as command

command.run = lambda _arguments: signal.raise_signal(getattr(signal, sys.argv[1]))
sys.exit(command.main(["--data", "cityscapes:nowhere", "--out", "run"]))
"""


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_ends_it_with_one_line_that_says_how_to_go_on(name, status):
    ended = subprocess.run([sys.executable, "-c", STOPPED, name], capture_output=True, text=True)
    assert ended.returncode == status
    assert len(ended.stderr.splitlines()) == 1
    assert "--resume" in ended.stderr
