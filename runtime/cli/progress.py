"""How far a long run is: a bar for a person, a line now and then for a log."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic
from types import TracebackType

from rich import progress
from rich.console import Console

EVERY_S = 30.0
"""Between two lines: a day's log stays readable, and nobody takes the run for dead."""


class Progress:
    """Of a run over `total` frames, on standard error; where that is no terminal, a bar would only be noise."""

    def __init__(self, name: str, total: int, *, every_s: float = EVERY_S, clock: Callable[[], float] = monotonic):
        """
        Args:
            name: of the run, which begins a line.
            total: frames.
            every_s: between two lines.
            clock: seconds.
        """
        self._name, self._total, self._every_s, self._clock = name, total, every_s, clock
        self._done = self._broken = 0
        self._began = self._told = clock()
        console = Console(stderr=True)
        self._bar = progress.Progress(console=console, transient=True) if console.is_terminal else None
        self._task = self._bar.add_task(name, total=total) if self._bar else None

    def advance(self, *, is_broken: bool = False) -> None:
        """One more is done."""
        self._done += 1
        self._broken += is_broken
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task)
        elif self._clock() - self._told >= self._every_s:
            self._told = self._clock()
            print(self._line(), file=sys.stderr, flush=True)

    def _line(self) -> str:
        a_second = self._done / max(self._told - self._began, 1e-9)
        minutes = (self._total - self._done) / a_second / 60
        return (
            f"{self._name}: {self._done} of {self._total} frames, {self._broken} broken, "
            f"{a_second:.1f} a second, {minutes:.0f} min to go"
        )

    def __enter__(self) -> Progress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()
