"""Words of the place where files are chosen."""

from __future__ import annotations

from dataclasses import dataclass

from gui.preferences import Language


@dataclass(frozen=True)
class Texts:
    """See `ENGLISH`."""

    choose: str
    hint: str
    """Where drops and pastes count anywhere on the page."""
    hint_here: str
    """Where they count only on the place itself."""
    drop: str
    sending: str
    """With {name} and {percent}."""
    several: str
    """With {count}."""
    empty: str
    """With {name}."""
    huge: str
    """With {name}, {size} and {limit}, both in MB."""
    no_image: str
    """With {name}."""
    unsent: str
    """With {name}."""


ENGLISH = Texts(
    choose="Choose a file",
    hint="or drop it anywhere on the page, or paste it",
    hint_here="or drop it here",
    drop="Drop it: it is sent at once",
    sending="Sending {name}: {percent} %",
    several="{count} files came at once, and none of them was taken. Give one image at a time.",
    empty="{name} is empty. Give a JPEG, PNG, WebP, BMP or TIFF image.",
    huge="{name} is {size} MB, more than the {limit} MB that are taken. Save it smaller, as JPEG for instance.",
    no_image="{name} is no image that can be read. Give JPEG, PNG, WebP, BMP or TIFF.",
    unsent="{name} could not be sent: the connection to this page was lost. Give it again.",
)

FRENCH = Texts(
    choose="Choisir un fichier",
    hint="ou déposez, ou collez, un fichier n’importe où sur la page",
    hint_here="ou déposez un fichier ici",
    drop="Déposez : l’envoi est immédiat",
    sending="Envoi de {name} : {percent} %",
    several="{count} fichiers sont arrivés à la fois ; aucun n’a été pris. Donnez une image à la fois.",
    empty="{name} est vide. Donnez une image JPEG, PNG, WebP, BMP ou TIFF.",
    huge="{name} pèse {size} Mo, plus que les {limit} Mo admis. Réduisez l’image, par exemple en JPEG.",
    no_image="{name} n’est pas une image lisible. Donnez du JPEG, PNG, WebP, BMP ou TIFF.",
    unsent="{name} n’a pas pu être envoyé : la connexion à cette page est perdue. Donnez-le à nouveau.",
)

TEXTS: dict[Language, Texts] = {"en": ENGLISH, "fr": FRENCH}
