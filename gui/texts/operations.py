"""Words of the operations page."""

from __future__ import annotations

from dataclasses import dataclass

from gui.preferences import Language


@dataclass(frozen=True)
class Texts:
    """See `ENGLISH`."""

    title: str
    reading: str
    ready: str
    not_ready: str
    away: str
    no_metrics: str
    about: str
    now_health: str
    healths: tuple[str, str, str]
    """Neither live nor ready, live, both."""
    now_requests: str
    now_frames: str
    now_latency: str
    now_queue: str
    now_refused: str
    now_memory: str
    of_places: str
    """With {taken} and {places}."""
    throughput: str
    latency: str
    stages: str
    queue: str
    refusals: str
    shares: str
    memory: str
    cores: str
    frames: str
    taken: str
    places: str
    route: str
    quantile: str
    quantiles: tuple[str, ...]
    """Of `gui.sampler.QUANTILES`."""
    stage_names: dict[str, str]
    reasons: dict[str, str]
    no_request: str
    no_frame: str
    no_refusal: str
    no_reading: str
    now_tick: str
    now: str
    """With {title} and {values}: of a chart, for screen readers."""


ENGLISH = Texts(
    title="Operations",
    reading="Reading the API’s metrics…",
    ready="The API is ready.",
    not_ready="The API runs, but takes no requests: it is loading its model, or stopping.",
    away="The charts have a gap where the API was away.",
    no_metrics="The API runs, but its metrics can’t be read.",
    about="The last 15 minutes, as of the API’s /metrics, which is read every 5 seconds while somebody looks; each "
    "point sums up 15 seconds. Requests of watchers (/metrics and health) are left out.",
    now_health="Health",
    healths=("away", "live", "live, ready"),
    now_requests="Requests a second",
    now_frames="Frames a second",
    now_latency="Latency, median / p99",
    now_queue="Queue",
    now_refused="Refused or expired",
    now_memory="Memory",
    of_places="{taken} of {places}",
    throughput="Throughput",
    latency="Latency of requests",
    stages="Time of a frame by stage",
    queue="Queue",
    refusals="Refused and expired",
    shares="Pixels by category (drift)",
    memory="Memory",
    cores="Processor cores in use",
    frames="Frames",
    taken="Places taken",
    places="Places",
    route="Route",
    quantile="Of the frames",
    quantiles=("median", "p90", "p99"),
    stage_names={"decode": "Decode", "queue": "Queue", "infer": "Inference", "encode": "Encode"},
    reasons={
        "full": "Queue full",
        "stopping": "Stopping",
        "not_ready": "Not ready",
        "body": "Body too large or late",
        "expired": "Deadline passed",
    },
    no_request="No request yet.",
    no_frame="No frame yet.",
    no_refusal="Nothing was refused, and no deadline passed.",
    no_reading="Nothing was read yet.",
    now_tick="now",
    now="{title}, now: {values}",
)

FRENCH = Texts(
    title="Exploitation",
    reading="Lecture des métriques de l’API…",
    ready="L’API est prête.",
    not_ready="L’API tourne mais ne prend pas de requêtes : elle charge son modèle, ou s’arrête.",
    away="Les graphiques ont un trou là où l’API était absente.",
    no_metrics="L’API tourne, mais ses métriques sont illisibles.",
    about="Les 15 dernières minutes, selon /metrics de l’API, lu toutes les 5 secondes tant que quelqu’un regarde ; "
    "chaque point résume 15 secondes. Les requêtes de surveillance (/metrics et santé) sont laissées de côté.",
    now_health="Santé",
    healths=("absente", "en vie", "en vie, prête"),
    now_requests="Requêtes par seconde",
    now_frames="Images par seconde",
    now_latency="Latence, médiane / p99",
    now_queue="File d’attente",
    now_refused="Refusées ou expirées",
    now_memory="Mémoire",
    of_places="{taken} sur {places}",
    throughput="Débit",
    latency="Latence des requêtes",
    stages="Temps d’une image par étape",
    queue="File d’attente",
    refusals="Refusées et expirées",
    shares="Pixels par catégorie (dérive)",
    memory="Mémoire",
    cores="Cœurs de processeur utilisés",
    frames="Images",
    taken="Places prises",
    places="Places",
    route="Route",
    quantile="Des images",
    quantiles=("médiane", "p90", "p99"),
    stage_names={"decode": "Décodage", "queue": "Attente", "infer": "Inférence", "encode": "Encodage"},
    reasons={
        "full": "File pleine",
        "stopping": "Arrêt en cours",
        "not_ready": "Pas prête",
        "body": "Corps trop grand ou tardif",
        "expired": "Échéance dépassée",
    },
    no_request="Pas encore de requête.",
    no_frame="Pas encore d’image.",
    no_refusal="Rien n’a été refusé, et aucune échéance n’est passée.",
    no_reading="Rien n’a encore été lu.",
    now_tick="maintenant",
    now="{title}, maintenant : {values}",
)

TEXTS: dict[Language, Texts] = {"en": ENGLISH, "fr": FRENCH}
