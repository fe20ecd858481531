"""Ctrl-C and SIGTERM, for commands that finish what they have begun."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

TERMINATED = 143
"""Exit status after SIGTERM, as shells have it: 128 + SIGTERM. It tells an eviction from bad input."""


class Signals:
    """While it is entered: either signal ends the process at once, or calls `stop` where that is set.

    A container's first process has no default for SIGTERM: without a handler it would run on until it is killed.
    """

    def __init__(self, name: str) -> None:
        """
        Args:
            name: of the command, for the line that tells of SIGTERM.
        """
        self._name = name
        self.stop: Callable[[], None] | None = None
        self._received: int | None = None
        self._before: dict[int, Any] = {}

    def check(self, told: str = "") -> None:
        """To be called once what was begun is finished.

        Args:
            told: how far it came; follows the line about SIGTERM.

        Raises:
            KeyboardInterrupt: there was a Ctrl-C.
            SystemExit: with TERMINATED, there was a SIGTERM; one line of standard error says so.
        """
        if self._received == signal.SIGINT:
            raise KeyboardInterrupt
        if self._received is not None:
            print(f"{self._name}: stopped by SIGTERM{told}", file=sys.stderr, flush=True)
            raise SystemExit(TERMINATED)

    def _receive(self, number: int, _: FrameType | None) -> None:
        # A second Ctrl-C waits for nothing.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._received = number
        if self.stop is None:
            self.check()
        else:
            self.stop()

    def __enter__(self) -> Signals:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
