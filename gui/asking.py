"""Asking the API on a page's behalf: what goes wrong is told where the visitor looks, and asked again by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic
from typing import TypeVar

from nicegui import ui

from gui.client import ApiError
from gui.preferences import Preferences
from gui.shell import Site
from gui.styles import add_styles
from gui.texts import shell as texts

T = TypeVar("T")

RETRY_S = 2.0
"""Between two looks at an API that is away: soon enough for a visitor, and nothing for the API."""

MOST_RETRY_S = 30.0
"""An API that is ready and refuses the same question again and again is asked less and less often."""

PASSING = (200, 401, 403, 408, 429, 500, 502, 503, 504)
"""States of the API, or of what stands before it: the same question may be answered later, with another key for
instance. 200 is that of an answer that makes no sense, like a proxy's page to log in."""


class Asking:
    """A place on the page that tells what is under way and what failed. A newer question replaces an older one."""

    def __init__(self, site: Site, chosen: Preferences) -> None:
        """Put it where the page is being made."""
        self._site = site
        self._words = texts.TEXTS[chosen.language]
        self._turn = 0
        self._again: Callable[[], Awaitable[None]] | None = None
        self._told = ""
        self._failures = 0
        self._not_before = 0.0
        add_styles("compare.css")
        with ui.element("div").classes("rm-asking"):
            with ui.element("div").props('role="status"').classes("rm-busy"):
                self._spinner = ui.spinner(size="1.4em")
                self._busy = ui.label()
            self._alert = ui.element("div").props('role="alert"')
        self._timer = ui.timer(RETRY_S, self._retry, active=False)
        self._spinner.set_visibility(False)

    async def ask(
        self,
        question: Callable[[], Awaitable[T]],
        show: Callable[[T], Awaitable[None] | None],
        busy: str,
        passing: tuple[int, ...] = PASSING,
    ) -> None:
        """Ask, and show the answer unless a newer question came meanwhile.

        Args:
            question: may be asked several times; its `ApiError` is told.
            show: gets the answer.
            busy: what is told while it is under way; "" for nothing.
            passing: statuses after which it is asked again by itself, as it always is where there was no answer.
        """
        self._failures = 0
        if busy:
            self.refuse("")  # it was about the question before
        await self._ask(question, show, busy, passing)

    async def _ask(
        self,
        question: Callable[[], Awaitable[T]],
        show: Callable[[T], Awaitable[None] | None],
        busy: str,
        passing: tuple[int, ...],
    ) -> None:
        self._turn += 1
        turn = self._turn
        self._timer.deactivate()
        self._again = None
        self._say(busy)
        try:
            answer = await question()
        except ApiError as error:
            if self._is_current(turn):
                again = error.status is None or error.status in passing
                self._tell(error, partial(self._ask, question, show, busy, passing) if again else None)
            return
        if self._is_current(turn):
            self._say("")
            self.refuse("")
            under_way = show(answer)
            if under_way is not None:
                await under_way

    def drop(self) -> None:
        """Let the question go: its answer is not shown any more, and it is not asked again."""
        self._turn += 1
        self._timer.deactivate()
        self._again = None
        self._say("")

    @property
    def waits(self) -> bool:
        """Whether the last question failed and is asked again by itself."""
        return self._again is not None

    def refuse(self, sentence: str) -> None:
        """Tell what is wrong; "" takes it away."""
        if sentence == self._told:
            return  # a screen reader would read it out once more
        self._told = sentence
        self._alert.clear()
        if sentence:
            with self._alert, ui.element("div").classes("rm-notice"):
                ui.label(sentence)

    def _is_current(self, turn: int) -> bool:
        return turn == self._turn and not self._alert.is_deleted

    def _say(self, busy: str) -> None:
        self._spinner.set_visibility(bool(busy))
        self._busy.set_text(busy)

    def _tell(self, error: ApiError, again: Callable[[], Awaitable[None]] | None) -> None:
        sentence = error.sentence(self._words, self._site.settings)
        self._say("")
        self.refuse(f"{sentence} {self._words.retrying}" if again else sentence)
        self._again = again
        if again is not None:
            wait_s = min(RETRY_S * 2**self._failures, MOST_RETRY_S) if error.status is not None else 0.0
            self._not_before = monotonic() + max(wait_s, error.wait_s)
            self._failures += 1
            self._timer.activate()

    async def _retry(self) -> None:
        again, turn = self._again, self._turn
        if again is None or monotonic() < self._not_before:
            return
        if await self._site.client.ready() and self._is_current(turn):
            await again()
