"""Colours of the categories: Cityscapes' own, and a second set that the colour-blind can tell apart."""

from __future__ import annotations

from gui.preferences import Palette

Color = tuple[int, int, int]

CATEGORIES = ("void", "flat", "construction", "object", "nature", "sky", "human", "vehicle")
"""By id."""

CITYSCAPES: tuple[Color, ...] = (
    (0, 0, 0),
    (128, 64, 128),
    (70, 70, 70),
    (153, 153, 153),
    (107, 142, 35),
    (70, 130, 180),
    (220, 20, 60),
    (0, 0, 142),
)
"""cityscapesScripts' labels.py; also what the API's masks are coloured with."""

DISTINCT: tuple[Color, ...] = (
    (0, 0, 0),
    (204, 121, 167),
    (153, 153, 153),
    (240, 228, 66),
    (0, 158, 115),
    (86, 180, 233),
    (213, 94, 0),
    (0, 114, 178),
)
"""Okabe and Ito, "Color Universal Design" (2008), with grey for what is built."""

PALETTES: dict[Palette, tuple[Color, ...]] = {"cityscapes": CITYSCAPES, "distinct": DISTINCT}
