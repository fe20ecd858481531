"""Words of the live page."""

from __future__ import annotations

from dataclasses import dataclass

from gui.preferences import Language


@dataclass(frozen=True)
class Texts:
    """See `ENGLISH`. The page's script takes them by name."""

    title: str
    camera: str
    file: str
    pause: str
    resume: str
    stop: str
    starting: str
    running: str
    paused: str
    empty: str
    waiting: str
    picture: str
    legend: str
    opacity: str
    which: str
    width: str
    model: str
    default_model: str
    rate: str
    rate_hint: str
    latency: str
    latency_p90: str
    latency_hint: str
    passed_over: str
    passed_over_hint: str
    stages: dict[str, str]
    stages_hint: str
    insecure: str
    refused: str
    no_camera: str
    busy: str
    unplugged: str
    no_video: str
    """With {file}."""
    restarting: str
    lost: str
    reconnecting: str


ENGLISH = Texts(
    title="Live",
    camera="Use the camera",
    file="Open a video",
    pause="Pause",
    resume="Go on",
    stop="Stop",
    starting="Starting…",
    running="Running",
    paused="Paused",
    empty="Use this device’s camera, or drop a video here. Frames go to the API one by one; nothing is kept.",
    waiting="Waiting for the first mask…",
    picture="The newest frame that has a mask, under its mask",
    legend="Categories that are shown",
    opacity="Opacity of the mask",
    which="Camera",
    width="Width of the frames sent",
    model="Model",
    default_model="the API’s default",
    rate="Masks a second",
    rate_hint="Of the last 5 seconds",
    latency="Latency, median",
    latency_p90="Latency, p90",
    latency_hint="From a picture of the camera to its mask on the screen, of the last 5 seconds",
    passed_over="Passed over",
    passed_over_hint="Pictures of the camera or video that got no mask, because a newer one was there",
    stages={"decode": "Decode", "queue": "Queue", "infer": "Inference", "encode": "Encode"},
    stages_hint="The API’s time for a frame, median of the last 5 seconds",
    insecure="Browsers give a camera only to pages that come over HTTPS or from this very machine. Open this page with "
    "https:// or as http://localhost, or open a video instead.",
    refused="The browser was not allowed to use the camera. Allow it for this page, beside the address bar, and start "
    "again.",
    no_camera="No camera was found. Connect one and start again, or open a video instead.",
    busy="The camera could not be started. Another program may be using it: close that one and start again.",
    unplugged="The camera is not there any more. Connect it and start again.",
    no_video="This browser can’t play {file}. Give it an MP4 (H.264) or WebM video.",
    restarting="The API is restarting.",
    lost="The connection to the page’s server was lost.",
    reconnecting="The page connects again by itself.",
)

FRENCH = Texts(
    title="En direct",
    camera="Utiliser la caméra",
    file="Ouvrir une vidéo",
    pause="Pause",
    resume="Reprendre",
    stop="Arrêter",
    starting="Démarrage…",
    running="En cours",
    paused="En pause",
    empty="Utilisez la caméra de cet appareil ou déposez une vidéo ici. Les images vont une à une à l’API ; rien n’est "
    "conservé.",
    waiting="En attente du premier masque…",
    picture="La dernière image dont le masque est connu, sous son masque",
    legend="Catégories affichées",
    opacity="Opacité du masque",
    which="Caméra",
    width="Largeur des images envoyées",
    model="Modèle",
    default_model="celui par défaut de l’API",
    rate="Masques par seconde",
    rate_hint="Sur les 5 dernières secondes",
    latency="Latence, médiane",
    latency_p90="Latence, p90",
    latency_hint="D’une image de la caméra à son masque affiché, sur les 5 dernières secondes",
    passed_over="Sautées",
    passed_over_hint="Images de la caméra ou de la vidéo restées sans masque, parce qu’une plus récente était là",
    stages={"decode": "Décodage", "queue": "Attente", "infer": "Inférence", "encode": "Encodage"},
    stages_hint="Temps passé dans l’API par image, médiane des 5 dernières secondes",
    insecure="Les navigateurs ne donnent une caméra qu’aux pages venues en HTTPS ou de cette machine même. Ouvrez "
    "cette page en https:// ou comme http://localhost, ou ouvrez plutôt une vidéo.",
    refused="Le navigateur n’a pas le droit d’utiliser la caméra. Autorisez-la pour cette page, à côté de la barre "
    "d’adresse, puis redémarrez.",
    no_camera="Aucune caméra n’a été trouvée. Branchez-en une et redémarrez, ou ouvrez plutôt une vidéo.",
    busy="La caméra n’a pas pu démarrer. Un autre programme l’utilise peut-être : fermez-le et redémarrez.",
    unplugged="La caméra n’est plus là. Rebranchez-la et redémarrez.",
    no_video="Ce navigateur ne sait pas lire {file}. Donnez-lui une vidéo MP4 (H.264) ou WebM.",
    restarting="L’API redémarre.",
    lost="La connexion au serveur de la page est perdue.",
    reconnecting="La page se reconnecte d’elle-même.",
)

TEXTS: dict[Language, Texts] = {"en": ENGLISH, "fr": FRENCH}
