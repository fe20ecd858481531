"""The legend of a viewer: names, colours and pixel shares, largest first, and what is shown."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from gui.client import Share
from gui.numerals import percent
from gui.palettes import CATEGORIES, PALETTES
from gui.preferences import Preferences
from gui.styles import add_styles
from gui.texts import shell, viewer
from gui.viewer import Viewer


class Legend:
    """What is hidden stays hidden from one mask to the next: a visitor looks for something."""

    def __init__(self, shown_in: Viewer, chosen: Preferences) -> None:
        """Put it where the page is being made, without rows yet."""
        add_styles()
        self._viewer = shown_in
        self._chosen = chosen
        self._names = shell.TEXTS[chosen.language].categories
        self._words = viewer.TEXTS[chosen.language]
        self._hidden: set[int] = set()
        self._boxes: dict[int, ui.checkbox] = {}
        with ui.element("section").classes("rm-legend").props(f'aria-label="{self._words.legend}"'):
            with ui.element("div").classes("rm-legend-head"):
                ui.label(self._words.legend).props("role=heading aria-level=2").classes("rm-panel-title")
                self._all = ui.checkbox(self._words.all, value=True).props("dense")
                self._all.on_value_change(lambda event: self._toggle_all(event.value))
            self._rows = ui.element("ul").classes("rm-legend-rows")

    def show(self, shares: Sequence[Share]) -> None:
        """The rows of a mask. Void is listed only where there is any: the model never predicts it."""
        self._rows.clear()
        self._boxes.clear()
        with self._rows:
            for row in sorted(shares, key=lambda share: -share.share):
                if row.id or row.share:
                    self._row(row)

    def _row(self, row: Share) -> None:
        name = self._names[CATEGORIES[row.id]]
        color = ",".join(map(str, PALETTES[self._chosen.palette][row.id]))
        share = percent(row.share, self._chosen.language)
        with ui.element("li").classes("rm-legend-row" if row.share else "rm-legend-row rm-legend-none"):
            with ui.element("div").classes("rm-legend-name"):
                box = ui.checkbox(name, value=row.id not in self._hidden).props("dense")
                ui.element("span").classes("rm-swatch").style(f"background: rgb({color})")
            box.props["aria-label"] = self._words.share.format(name=name, percent=share)
            box.on_value_change(lambda event: self._toggle(row.id, event.value))
            self._boxes[row.id] = box
            ui.label(share).classes("rm-legend-share").props("aria-hidden=true")
            with ui.element("span").classes("rm-legend-track").props("aria-hidden=true"):
                ui.element("span").style(f"width: {100 * row.share:.2f}%; background: rgb({color})")

    def _toggle(self, category: int, shown: bool) -> None:
        if shown == (category not in self._hidden):
            return
        (self._hidden.discard if shown else self._hidden.add)(category)
        self._viewer.hide(self._hidden)
        self._all.value = not self._hidden

    def _toggle_all(self, shown: bool) -> None:
        if shown == (not self._hidden):  # it was set to what is so
            return
        self._hidden = set() if shown else set(range(len(CATEGORIES)))
        self._viewer.hide(self._hidden)
        for box in self._boxes.values():
            box.value = shown
