"""Words of the page that compares with the ground truth."""

from __future__ import annotations

from dataclasses import dataclass

from gui.preferences import Language


@dataclass(frozen=True)
class Texts:
    """See `ENGLISH`."""

    title: str
    lead: str
    image: str
    truth: str
    truth_kinds_hint: str
    sample: str
    sample_hint: str
    model: str
    image_given: str
    """With {name}."""
    truth_given: str
    """With {name}."""
    image_missing: str
    truth_missing: str
    comparing: str
    mean_iou: str
    accuracy: str
    unscored: str
    read_as: str
    kinds: dict[str, str]
    """By the API's `truth_kind`."""
    nothing_scored: str
    by: str
    """With {model}, {provider} and {infer}."""
    download: str
    pane_image: str
    pane_truth: str
    pane_prediction: str
    pane_difference: str
    verdicts: tuple[str, str, str]
    """Not scored, right, wrong."""
    legend: str
    iou: str
    iou_hint: str
    category: str
    absent: str
    confusion: str
    confusion_hint: str
    truth_row: str
    prediction_column: str
    cell: str
    """With {truth}, {prediction}, {share} and {pixels}."""


ENGLISH = Texts(
    title="Compare with the ground truth",
    lead="Give a frame and its ground truth of the same size: the page shows where the model is right, "
    "and how far it agrees.",
    image="Frame",
    truth="Ground truth",
    truth_kinds_hint="Category ids 0 to 7, Cityscapes label ids or Cityscapes colours; which one is found out.",
    sample="Take the sample pair",
    sample_hint="a generated street with its exact ground truth",
    model="Model",
    image_given="Frame: {name}",
    truth_given="Ground truth: {name}",
    image_missing="Now give the frame that belongs to this ground truth.",
    truth_missing="Now give the ground truth of this frame.",
    comparing="Comparing…",
    mean_iou="mean IoU",
    accuracy="pixels right",
    unscored="not scored",
    read_as="The ground truth was read as",
    kinds={
        "category_ids": "category ids (0 to 7)",
        "label_ids": "Cityscapes label ids (0 to 33)",
        "colors": "Cityscapes colours",
    },
    nothing_scored="Nothing could be scored: the ground truth is void everywhere. Is it the right file?",
    by="{model} on {provider}, inference {infer}",
    download="Download the figures (JSON)",
    pane_image="Frame",
    pane_truth="Ground truth",
    pane_prediction="Prediction",
    pane_difference="Difference",
    verdicts=("not scored", "right", "wrong"),
    legend="Colours",
    iou="IoU by category",
    iou_hint="Of all pixels that the truth or the prediction gives to a category, the part that both do.",
    category="Category",
    absent="does not occur",
    confusion="Confusion matrix",
    confusion_hint="Of the pixels that the truth gives to a row’s category, the part, in per cent, that was predicted "
    "as each column’s.",
    truth_row="truth",
    prediction_column="prediction",
    cell="{truth} predicted as {prediction}: {share}, {pixels} pixels",
)

FRENCH = Texts(
    title="Comparer à la vérité terrain",
    lead="Donnez une image et sa vérité terrain de même taille : la page montre où le modèle a raison "
    "et à quel point il concorde.",
    image="Image",
    truth="Vérité terrain",
    truth_kinds_hint="Numéros de catégories 0 à 7, numéros de labels Cityscapes ou couleurs Cityscapes ; "
    "le codage est reconnu.",
    sample="Prendre la paire d’exemple",
    sample_hint="une rue générée avec sa vérité terrain exacte",
    model="Modèle",
    image_given="Image : {name}",
    truth_given="Vérité terrain : {name}",
    image_missing="Donnez maintenant l’image qui va avec cette vérité terrain.",
    truth_missing="Donnez maintenant la vérité terrain de cette image.",
    comparing="Comparaison en cours…",
    mean_iou="IoU moyen",
    accuracy="pixels justes",
    unscored="non évalués",
    read_as="La vérité terrain a été lue comme",
    kinds={
        "category_ids": "numéros de catégories (0 à 7)",
        "label_ids": "numéros de labels Cityscapes (0 à 33)",
        "colors": "couleurs Cityscapes",
    },
    nothing_scored="Rien n’a pu être évalué : la vérité terrain est vide partout. Est-ce le bon fichier ?",
    by="{model} sur {provider}, inférence {infer}",
    download="Télécharger les chiffres (JSON)",
    pane_image="Image",
    pane_truth="Vérité terrain",
    pane_prediction="Prédiction",
    pane_difference="Différence",
    verdicts=("non évalué", "juste", "faux"),
    legend="Couleurs",
    iou="IoU par catégorie",
    iou_hint="Parmi les pixels que la vérité ou la prédiction attribue à une catégorie, la part que toutes deux "
    "lui attribuent.",
    category="Catégorie",
    absent="absente",
    confusion="Matrice de confusion",
    confusion_hint="Parmi les pixels que la vérité attribue à la catégorie d’une ligne, la part, en pour cent, "
    "prédite comme celle de chaque colonne.",
    truth_row="vérité",
    prediction_column="prédiction",
    cell="{truth} prédit comme {prediction} : {share}, {pixels} pixels",
)

TEXTS: dict[Language, Texts] = {"en": ENGLISH, "fr": FRENCH}
