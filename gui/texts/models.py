"""Words of the page about the models, and of the choice among them."""

from __future__ import annotations

from dataclasses import dataclass

from gui.preferences import Language


@dataclass(frozen=True)
class Texts:
    """See `ENGLISH`."""

    title: str
    lead: str
    reading: str
    empty: str
    model: str
    state: str
    loaded: str
    not_loaded: str
    unloaded: str
    failed: str
    default: str
    """The choice that leaves it to the API."""
    is_default: str
    load: str
    load_label: str
    """With {model}."""
    load_hint: str
    loading: str
    """With {model}."""
    will_load: str
    """With {model}."""
    choosing_loads: str
    running: str
    contract: str
    precision: str
    version: str
    provider: str
    nodes: str
    nodes_row: str
    """With {provider} and {count}."""
    unknown: str
    threads: str
    geometry: str
    geometry_free: str
    """With {pixels}, {stride} and {upscale}."""
    geometry_fixed: str
    """With {width} and {height}."""
    gmac: str
    data: str
    run: str
    categories: str
    accuracy: str
    accuracy_hint: str
    accuracy_none: str
    category: str
    mean_iou: str
    pixels_right: str
    frames: str
    details: str
    pair: str
    pair_lead: str
    pair_alone: str
    pair_image: str
    pair_image_given: str
    """With {name}."""
    pair_sample: str
    first: str
    second: str
    same: str
    segmenting: str
    """With {model}."""
    pane_image: str
    pane_differing: str
    verdicts: tuple[str, str, str]
    """Of two masks: the first never occurs, alike, different."""
    legend: str
    differing: str
    """With {share}."""
    alike: str
    shares: str
    shares_hint: str
    timings: str
    timings_hint: str
    stages: dict[str, str]
    """By the API's name of a stage; `total` is their sum."""


ENGLISH = Texts(
    title="Models",
    lead="Every model file of the API’s folder, what each promises, and how it runs here.",
    reading="Reading the list of models…",
    empty="The API has no models.",
    model="Model",
    state="State",
    loaded="loaded",
    not_loaded="not loaded",
    unloaded="unloaded by whoever runs the API",
    failed="can’t be loaded",
    default="The API’s default",
    is_default="default",
    load="Load it",
    load_label="Load it: {model}",
    load_hint="Loading makes the API read the file and run it once: some seconds, and memory that stays taken.",
    loading="The API loads {model}…",
    will_load="{model} is not loaded: the next image makes the API load it, which takes some seconds, and memory.",
    choosing_loads="Choosing one that is not loaded makes the API load it: some seconds, and memory.",
    running="How it runs here",
    contract="Contract",
    precision="Precision",
    version="Version",
    provider="Execution provider",
    nodes="Nodes of the graph",
    nodes_row="{provider}: {count}",
    unknown="not told by this API",
    threads="Threads of one inference",
    geometry="Frame",
    geometry_free="any size, fitted to at most {pixels} pixels "
    "(sides multiples of {stride}, enlarged at most {upscale} times)",
    geometry_fixed="fitted to {width} x {height}",
    gmac="Work for a full frame",
    data="Trained on",
    run="Training run",
    categories="Categories",
    accuracy="Accuracy",
    accuracy_hint="IoU, as measured when the file was made.",
    accuracy_none="The file carries no accuracy.",
    category="Category",
    mean_iou="mean IoU",
    pixels_right="pixels right",
    frames="frames",
    details="Training run in full",
    pair="Two models on one image",
    pair_lead="Choose two models and give an image: both masks, where they differ, and what each took.",
    pair_alone="The API has one model alone: there is nothing to hold against it.",
    pair_image="Image",
    pair_image_given="Image: {name}",
    pair_sample="Take the sample frame",
    first="First model",
    second="Second model",
    same="Both are the same model: choose two.",
    segmenting="{model} segments…",
    pane_image="Frame",
    pane_differing="Where they differ",
    verdicts=("", "alike", "different"),
    legend="Colours",
    differing="The two masks differ in {share} of the pixels.",
    alike="The two masks are the same, pixel by pixel.",
    shares="Share of the pixels",
    shares_hint="By category.",
    timings="Time",
    timings_hint="Of this one request to each; loading is not counted.",
    stages={"decode": "decode", "queue": "queue", "infer": "infer", "encode": "encode", "total": "all together"},
)

FRENCH = Texts(
    title="Modèles",
    lead="Tous les fichiers de modèle du dossier de l’API, ce que chacun promet, et comment il tourne ici.",
    reading="Lecture de la liste des modèles…",
    empty="L’API n’a pas de modèle.",
    model="Modèle",
    state="État",
    loaded="chargé",
    not_loaded="non chargé",
    unloaded="déchargé par qui exploite l’API",
    failed="impossible à charger",
    default="Celui de l’API par défaut",
    is_default="par défaut",
    load="Le charger",
    load_label="Le charger : {model}",
    load_hint="Charger fait lire le fichier par l’API, qui l’exécute une fois : quelques secondes, et de la mémoire "
    "qui reste prise.",
    loading="L’API charge {model}…",
    will_load="{model} n’est pas chargé : la prochaine image le fera charger par l’API, ce qui prend quelques secondes "
    "et de la mémoire.",
    choosing_loads="Choisir un modèle non chargé le fait charger par l’API : quelques secondes, et de la mémoire.",
    running="Comment il tourne ici",
    contract="Contrat",
    precision="Précision",
    version="Version",
    provider="Fournisseur d’exécution",
    nodes="Nœuds du graphe",
    nodes_row="{provider} : {count}",
    unknown="non indiqué par cette API",
    threads="Fils d’exécution par inférence",
    geometry="Image",
    geometry_free="toute taille, ramenée à {pixels} pixels au plus "
    "(côtés multiples de {stride}, agrandie {upscale} fois au plus)",
    geometry_fixed="ramenée à {width} x {height}",
    gmac="Calcul pour une image entière",
    data="Entraîné sur",
    run="Entraînement",
    categories="Catégories",
    accuracy="Exactitude",
    accuracy_hint="IoU mesuré à la création du fichier.",
    accuracy_none="Le fichier n’indique aucune exactitude.",
    category="Catégorie",
    mean_iou="IoU moyen",
    pixels_right="pixels justes",
    frames="images",
    details="Entraînement en détail",
    pair="Deux modèles sur une image",
    pair_lead="Choisissez deux modèles et donnez une image : les deux masques, où ils diffèrent, "
    "et le temps de chacun.",
    pair_alone="L’API n’a qu’un modèle : rien à lui opposer.",
    pair_image="Image",
    pair_image_given="Image : {name}",
    pair_sample="Prendre l’image d’exemple",
    first="Premier modèle",
    second="Second modèle",
    same="C’est deux fois le même modèle : choisissez-en deux.",
    segmenting="{model} segmente…",
    pane_image="Image",
    pane_differing="Où ils diffèrent",
    verdicts=("", "identique", "différent"),
    legend="Couleurs",
    differing="Les deux masques diffèrent sur {share} des pixels.",
    alike="Les deux masques sont identiques, pixel à pixel.",
    shares="Part des pixels",
    shares_hint="Par catégorie.",
    timings="Temps",
    timings_hint="De cette seule requête à chacun ; le chargement ne compte pas.",
    stages={"decode": "décodage", "queue": "attente", "infer": "inférence", "encode": "encodage", "total": "en tout"},
)

TEXTS: dict[Language, Texts] = {"en": ENGLISH, "fr": FRENCH}
