"""Words of the frame around every page, and of the API's categories."""

from __future__ import annotations

from dataclasses import dataclass

from gui.preferences import Language


@dataclass(frozen=True)
class Texts:
    """See `ENGLISH`."""

    segment: str
    compare: str
    live: str
    models: str
    operations: str
    skip: str
    navigation: str
    menu: str
    language: str
    theme: str
    theme_auto: str
    theme_light: str
    theme_dark: str
    palette: str
    palette_cityscapes: str
    palette_distinct: str
    api_docs: str
    categories: dict[str, str]
    unreachable: str
    """With {api}."""
    slow: str
    """With {api} and {seconds}."""
    no_key: str
    bad_key: str
    """With {status}."""
    too_large: str
    """Where the API, or a proxy before it, has no words of its own."""
    strange: str
    """With {api}."""
    answered: str
    """With {status}."""
    retrying: str


ENGLISH = Texts(
    segment="Segment",
    compare="Compare",
    live="Live",
    models="Models",
    operations="Operations",
    skip="Skip to the content",
    navigation="Pages",
    menu="Menu",
    language="Language",
    theme="Theme",
    theme_auto="As the system",
    theme_light="Light",
    theme_dark="Dark",
    palette="Colours",
    palette_cityscapes="Cityscapes",
    palette_distinct="Easy to tell apart",
    api_docs="API documentation",
    categories={name: name for name in ("void", "flat", "construction", "object", "nature", "sky", "human", "vehicle")},
    unreachable="The API at {api} can’t be reached. Start it with: python -m api.",
    slow="The API at {api} did not answer within {seconds} s. Try again.",
    no_key="The file with the API’s key can’t be read. Whoever runs this page: see --api-key-file.",
    bad_key="The API refuses this page’s key (status {status}). Whoever runs this page: put the right one into the "
    "file of --api-key-file.",
    too_large="The file is larger than the API, or a proxy before it, takes. Save it smaller, as JPEG for instance.",
    strange="What answers at {api} is not roadmask’s API, or of another version. Whoever runs this page: see --api.",
    answered="The API answered {status}. Try again; if it stays so, its log tells why.",
    retrying="The page asks again by itself.",
)

FRENCH = Texts(
    segment="Segmenter",
    compare="Comparer",
    live="En direct",
    models="Modèles",
    operations="Exploitation",
    skip="Aller au contenu",
    navigation="Pages",
    menu="Menu",
    language="Langue",
    theme="Thème",
    theme_auto="Comme le système",
    theme_light="Clair",
    theme_dark="Sombre",
    palette="Couleurs",
    palette_cityscapes="Cityscapes",
    palette_distinct="Faciles à distinguer",
    api_docs="Documentation de l’API",
    categories={
        "void": "vide",
        "flat": "surface plane",
        "construction": "construction",
        "object": "objet",
        "nature": "nature",
        "sky": "ciel",
        "human": "humain",
        "vehicle": "véhicule",
    },
    unreachable="L’API à l’adresse {api} est injoignable. Pour la démarrer : python -m api.",
    slow="L’API à l’adresse {api} n’a pas répondu en {seconds} s. Réessayez.",
    no_key="Le fichier de la clé de l’API est illisible. Pour qui exploite cette page : voir --api-key-file.",
    bad_key="L’API refuse la clé de cette page (statut {status}). Pour qui exploite cette page : mettez la bonne dans "
    "le fichier de --api-key-file.",
    too_large="Le fichier est plus gros que ce que l’API, ou un proxy devant elle, accepte. Réduisez-le, par exemple "
    "en JPEG.",
    strange="Ce qui répond à l’adresse {api} n’est pas l’API de roadmask, ou d’une autre version. Pour qui exploite "
    "cette page : voir --api.",
    answered="L’API a répondu {status}. Réessayez ; si cela dure, son journal dit pourquoi.",
    retrying="La page redemande d’elle-même.",
)

TEXTS: dict[Language, Texts] = {"en": ENGLISH, "fr": FRENCH}
