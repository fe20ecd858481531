"""An image with its mask over or beside it: decoded, coloured and drawn in the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Literal

from nicegui.element import Element

from gui.palettes import CATEGORIES, PALETTES, Color
from gui.preferences import Preferences
from gui.styles import add_styles
from gui.texts import shell, viewer

Mode = Literal["swipe", "overlay", "beside"]


class Viewer(Element, component="viewer.js", esm={"roadmask": "assets"}):
    """The picture with what a visitor does to it: divider, opacity, zoom, and the category under the pointer.

    Everything that a visitor changes takes effect in the browser, without a request. While a mask is drawn, the
    element's attribute `data-drawn` is the mask's address; else it is empty.
    """

    def __init__(
        self,
        chosen: Preferences,
        *,
        image: str = "",
        mask: str = "",
        colors: Sequence[Color] | None = None,
        names: Sequence[str] | None = None,
        mode: Mode = "swipe",
        opacity: float = 0.6,
        controls: bool = True,
        label: str = "",
    ) -> None:
        """Put it where the page is being made.

        Args:
            chosen: the visitor's preferences: words, and colours where none are given.
            image: address of the picture: what `Pictures.add` or `Chosen.url` gives, or a `data:` URL; "" for none yet.
            mask: address of the mask PNG, of the picture's size; "" for none yet.
            colors: what to draw each value of the mask in, RGB; its own palette counts for nothing.
            names: what each value is called; as many as `colors`.
            mode: `swipe` (mask right of a divider), `overlay` (over all of it) or `beside`.
            opacity: of the mask where it lies over the image, 0..1.
            controls: whether the bar with modes, opacity and zoom is there; wheel, pinch and keys zoom in any case.
            label: what this picture is, where a page has several; for screen readers.
        """
        super().__init__()
        add_styles()
        words = shell.TEXTS[chosen.language].categories
        self._props.update(
            image=image,
            mask=mask,
            colors=[list(color) for color in colors or PALETTES[chosen.palette]],
            names=list(names or (words[name] for name in CATEGORIES)),
            hidden=[],
            mode=mode,
            opacity=opacity,
            swipe=50,
            controls=controls,
            label=label,
            words=asdict(viewer.TEXTS[chosen.language]),
        )

    def show(self, *, image: str | None = None, mask: str | None = None) -> None:
        """Another image, another mask, or both; None leaves what is there, "" takes it away.

        Where the size stays, so do zoom and position: two masks of one picture can be compared by turns.
        """
        for name, url in (("image", image), ("mask", mask)):
            if url is not None:
                self._props[name] = url
        self.update()

    def hide(self, values: Iterable[int]) -> None:
        """Leave these values of the mask transparent, and draw all others."""
        self._props["hidden"] = sorted(values)
        self.update()

    def set_mode(self, mode: Mode) -> None:
        """Where the mask is, see the constructor."""
        self._props["mode"] = mode
        self.update()

    def on_unshown(self, handler: Callable[[str], object]) -> None:
        """Call this with `image` or `mask` when the browser can't show it: TIFF, or an address that ended."""
        self.on("unshown", lambda event: handler(str(event.args)))
