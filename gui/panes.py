"""Pictures of one frame side by side, zoomed, moved and pointed at together; the browser draws them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Literal

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from gui.palettes import CATEGORIES, PALETTES, Color
from gui.preferences import Palette, Preferences
from gui.styles import add_styles
from gui.texts import panes as texts
from gui.texts.shell import TEXTS as SHELL_TEXTS

VERDICTS: dict[Palette, tuple[Color | None, ...]] = {
    "cityscapes": (None, (0, 158, 115), (213, 94, 0)),
    "distinct": (None, (0, 68, 136), (255, 200, 40)),
}
"""What a difference's values are painted in: not scored, right, wrong. None lets the page through, whichever its theme
is; the second pair differs in brightness, too, so that it can be told without any colour."""


@dataclass(frozen=True)
class Pane:
    """One picture."""

    key: str
    title: str
    """Stands above it, and before what it holds at a point."""
    kind: Literal["image", "mask", "difference"]
    alt: str
    """For a screen reader."""
    url: str = ""
    """Of an image that browsers show, the API's palette PNG or its difference map; "" where `of` is given."""
    of: tuple[str, ...] = ()
    """Keys of two masks whose difference the browser finds."""


class Panes(Element, component="panes.js", esm={"roadmask": "assets"}):
    """Pictures of one size, side by side. Once all are drawn, the attribute `data-state` is `done`."""

    def __init__(
        self,
        panes: list[Pane],
        verdicts: tuple[str, str, str],
        chosen: Preferences,
        on_measured: Callable[[float], None] | None = None,
    ) -> None:
        """Draw them; what can't be drawn says so in its place.

        Args:
            panes: in the order in which they stand.
            verdicts: words of a difference's three values: not scored, right, wrong.
            chosen: language and palette.
            on_measured: told the share, 0..1, of pixels that differ, where a pane is `of` two others.
        """
        super().__init__()
        add_styles()
        add_styles("compare.css")
        names = SHELL_TEXTS[chosen.language].categories
        self._props["panes"] = [asdict(pane) for pane in panes]
        self._props["categories"] = [
            {"name": names[name], "shown": shown}
            for name, shown in zip(CATEGORIES, PALETTES[chosen.palette], strict=True)
        ]
        self._props["verdicts"] = [
            {"name": name, "shown": shown} for name, shown in zip(verdicts, VERDICTS[chosen.palette], strict=True)
        ]
        self._props["words"] = asdict(texts.TEXTS[chosen.language])
        if on_measured is not None:

            def measured(told: GenericEventArguments) -> None:
                on_measured(told.args["differing"] / max(1, told.args["pixels"]))

            self.on("measured", measured)

    def on_unshown(self, handler: Callable[[str], Awaitable[None]]) -> None:
        """Call this with the key of an image that the browser can't show: TIFF, for instance."""

        async def unshown(told: GenericEventArguments) -> None:
            await handler(str(told.args))

        self.on("unshown", unshown)

    def replace(self, key: str, url: str) -> None:
        """Show an image from another address."""
        self._props["panes"] = [pane | {"url": url} if pane["key"] == key else pane for pane in self._props["panes"]]
        self.update()
