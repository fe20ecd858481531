"""Words of the pictures side by side."""

from __future__ import annotations

from dataclasses import dataclass

from gui.preferences import Language


@dataclass(frozen=True)
class Texts:
    """See `ENGLISH`."""

    label: str
    zoom: str
    closer: str
    farther: str
    whole: str
    hint: str
    colon: str
    """Between a picture's title and what it holds at a point."""
    failed: str


ENGLISH = Texts(
    label="Pictures side by side: arrow keys move the point, plus and minus zoom, 0 shows all",
    zoom="Zoom",
    closer="Zoom in",
    farther="Zoom out",
    whole="Show all",
    hint="Point at a picture, or press the arrow keys: what is there is told here. Ctrl and wheel, or + and -, zoom.",
    colon=": ",
    failed="This picture can’t be shown here any more. Compare again.",
)

FRENCH = Texts(
    label="Images côte à côte : les flèches déplacent le point, plus et moins zooment, 0 montre tout",
    zoom="Zoom",
    closer="Agrandir",
    farther="Réduire",
    whole="Tout montrer",
    hint="Pointez une image, ou utilisez les flèches : ce qui s’y trouve s’affiche ici. Ctrl et molette, ou + et -, "
    "pour zoomer.",
    colon=" : ",
    failed="Cette image ne peut plus être affichée ici. Relancez la comparaison.",
)

TEXTS: dict[Language, Texts] = {"en": ENGLISH, "fr": FRENCH}
