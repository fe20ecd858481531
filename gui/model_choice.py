"""Choosing one of the API's models; what a choice makes the API do is told before it does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from gui.preferences import Preferences
from gui.styles import add_styles
from gui.texts.models import TEXTS

READY = "READY"
"""The state of a loaded model, in the API's repository index."""

UNLOADED = "unloaded"
"""The index's reason for a model that its operator let go: it stays so, whoever asks for it."""


class ModelChoice:
    """A list of models to choose from, and a line below it that says whether the chosen one has to be loaded."""

    def __init__(
        self,
        label: str,
        chosen: Preferences,
        on_change: Callable[[], Awaitable[None]],
        *,
        default: bool = False,
        value: str | None = None,
    ) -> None:
        """Put it where the page is being made; it shows up once there is something to choose, see `offer`.

        Args:
            label: of the list.
            chosen: the visitor's preferences.
            on_change: called when the visitor chooses.
            default: whether "the API's default" stands among them, and first.
            value: the model that is chosen already, as long as an offer has it; None for none.
        """
        self._words = TEXTS[chosen.language]
        self._default = {"": self._words.default} if default else {}
        self._states: dict[str, str] = {}
        self._on_change = on_change
        add_styles("compare.css")
        with ui.element("div").classes("rm-choice") as self._element:
            options = self._default | ({value: value} if value else {})
            self._select = ui.select(options, label=label, value=value or ("" if default else None))
            self._select.props("outlined dense options-dense").classes("w-full")
            self._note = ui.label().props("role=status").classes("rm-hint")
        self._select.on_value_change(self._changed)
        self._element.set_visibility(False)

    @property
    def value(self) -> str | None:
        """A file's stem; None for the API's default, or where nothing is chosen."""
        return self._select.value or None

    def offer(self, entries: list[dict[str, Any]], first: int = 0) -> None:
        """Let the visitor choose among models; a choice that was made stays.

        Args:
            entries: of the API's repository index. Those that failed to load are left out.
            first: which of them is chosen where nothing is yet, if there are as many.
        """
        self._states = {row["name"]: row["state"] for row in entries if row["state"] == READY or not row["reason"]}
        options = self._default | {
            name: name if state == READY else f"{name} ({self._words.not_loaded})"
            for name, state in self._states.items()
        }
        names = [*options, *[None] * (first + 1)]
        kept = self._select.value in options
        self._select.set_options(options, value=self._select.value if kept else names[first])
        self._element.set_visibility(len(self._states) > 1)
        self._tell()

    async def _changed(self) -> None:
        self._tell()
        await self._on_change()

    def _tell(self) -> None:
        unloaded = {name for name, state in self._states.items() if state != READY}
        chosen = self._select.value
        told = self._words.will_load.format(model=chosen) if chosen in unloaded else self._words.choosing_loads
        self._note.set_text(told if unloaded else "")
