"""Words of the page that segments a frame."""

from __future__ import annotations

from dataclasses import dataclass

from gui.preferences import Language


@dataclass(frozen=True)
class Texts:
    """See `ENGLISH`."""

    title: str
    lead: str
    choose: str
    samples: str
    sample: str
    """With {name}: of a button that takes a sample."""
    streets: dict[str, str]
    """What each generated street shows, by the end of its file's name."""
    frames: str
    """With {count}."""
    frames_cut: str
    """With {count}: that there are more."""
    frame_gone: str
    """With {name}."""
    frame_large: str
    """With {name} and {limit}, in MB."""
    empty: str
    segmenting: str
    """With {name}."""
    result: str
    """With {name}, {width} and {height}."""
    heading: str
    model: str
    precision: str
    provider: str
    timings: str
    timings_hint: str
    stages: dict[str, str]
    total: str
    downloads: str
    mask: str
    overlay: str
    json: str
    overlay_hint: str


ENGLISH = Texts(
    title="Segment a frame",
    lead="Give an image of a street: every pixel gets one of the categories.",
    choose="Choose an image",
    samples="Or take a sample:",
    sample="Segment {name}",
    streets={
        "day": "a street by day",
        "fog": "a street in fog",
        "rain": "a street in rain",
        "night": "a street at night",
    },
    frames="Frames of the operator’s folder ({count})",
    frames_cut="The first {count} are listed.",
    frame_gone="{name} can’t be read any more. Take another frame.",
    frame_large="{name} is more than the {limit} MB that are taken. Take another frame.",
    empty="The picture and its mask appear here.",
    segmenting="Segmenting {name}…",
    result="{name}, {width} x {height}",
    heading="Result",
    model="Model",
    precision="Precision",
    provider="Provider",
    timings="Timings",
    timings_hint="As the API measured them, without the way to it and back.",
    stages={"decode": "Decode", "queue": "Queue", "infer": "Inference", "encode": "Encode"},
    total="Together",
    downloads="Downloads",
    mask="Mask (PNG)",
    overlay="Overlay (JPEG)",
    json="JSON",
    overlay_hint="The mask is the API’s own: pixel values are category ids. The overlay is as it is seen here: the "
    "opacity, the colours, and the categories that are shown.",
)

FRENCH = Texts(
    title="Segmenter une image",
    lead="Donnez l’image d’une rue : chaque pixel reçoit l’une des catégories.",
    choose="Choisir une image",
    samples="Ou prenez un exemple :",
    sample="Segmenter {name}",
    streets={
        "day": "une rue de jour",
        "fog": "une rue dans le brouillard",
        "rain": "une rue sous la pluie",
        "night": "une rue de nuit",
    },
    frames="Images du dossier de l’exploitant ({count})",
    frames_cut="Seules les {count} premières sont listées.",
    frame_gone="{name} n’est plus lisible. Prenez une autre image.",
    frame_large="{name} dépasse les {limit} Mo admis. Prenez une autre image.",
    empty="L’image et son masque apparaîtront ici.",
    segmenting="Segmentation de {name}…",
    result="{name}, {width} x {height}",
    heading="Résultat",
    model="Modèle",
    precision="Précision",
    provider="Exécution",
    timings="Durées",
    timings_hint="Mesurées par l’API, sans le trajet aller et retour.",
    stages={"decode": "Décodage", "queue": "Attente", "infer": "Inférence", "encode": "Encodage"},
    total="Ensemble",
    downloads="Téléchargements",
    mask="Masque (PNG)",
    overlay="Superposition (JPEG)",
    json="JSON",
    overlay_hint="Le masque est celui de l’API : la valeur d’un pixel est le numéro de sa catégorie. La superposition "
    "est celle que l’on voit ici : opacité, couleurs et catégories affichées.",
)

TEXTS: dict[Language, Texts] = {"en": ENGLISH, "fr": FRENCH}
