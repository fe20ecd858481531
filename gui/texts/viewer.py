"""Words of the viewer and of the legend."""

from __future__ import annotations

from dataclasses import dataclass

from gui.preferences import Language


@dataclass(frozen=True)
class Texts:
    """See `ENGLISH`."""

    view: str
    """What a screen reader calls the picture, with how it is used."""
    modes: str
    swipe: str
    overlay: str
    beside: str
    divider: str
    opacity: str
    zoom: str
    zoom_in: str
    zoom_out: str
    zoom_fit: str
    waiting: str
    """In place of a picture that the browser can’t show by itself."""
    legend: str
    all: str
    share: str
    """With {name} and {percent}."""


ENGLISH = Texts(
    view="Picture and mask. Arrow keys move a cross that names the category under it; plus, minus and 0 zoom.",
    modes="Show the mask",
    swipe="Divider",
    overlay="Over it",
    beside="Beside it",
    divider="Divider between image and mask",
    opacity="Opacity",
    zoom="Zoom",
    zoom_in="Zoom in",
    zoom_out="Zoom out",
    zoom_fit="Whole picture",
    waiting="The browser can’t show this file by itself. If the API can read it, the picture appears with its answer.",
    legend="Categories",
    all="All",
    share="{name}, {percent} of the pixels",
)

FRENCH = Texts(
    view="Image et masque. Les flèches déplacent une croix qui nomme la catégorie ; plus, moins et 0 pour le zoom.",
    modes="Affichage du masque",
    swipe="Curseur",
    overlay="Superposé",
    beside="Côte à côte",
    divider="Séparation entre l’image et le masque",
    opacity="Opacité",
    zoom="Zoom",
    zoom_in="Agrandir",
    zoom_out="Réduire",
    zoom_fit="Image entière",
    waiting="Le navigateur n’affiche pas ce fichier. Si l’API sait le lire, l’image apparaîtra avec sa réponse.",
    legend="Catégories",
    all="Toutes",
    share="{name}, {percent} des pixels",
)

TEXTS: dict[Language, Texts] = {"en": ENGLISH, "fr": FRENCH}
