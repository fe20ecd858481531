"""What the pages ask the API for, over HTTP; the API's key never leaves the page's server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from gui.settings import Settings
from gui.texts.shell import Texts

TIMEOUT_S = 60
"""Far more than a frame takes: an API that is still silent then is stuck."""

MAX_WAIT_S = 60.0
"""Whatever `Retry-After` says: one page that looks again once a minute is no load, and its visitor waits."""

MAX_BYTES = 32 * 2**20
"""Of an image: the API's own limit where nobody set another; what is over it is not worth sending."""


REASONS = ("unreachable", "slow", "no_key", "bad_key", "too_large", "strange", "answered")
"""What can be wrong; each is the name of its sentence in `gui.texts.shell`."""


class ApiError(Exception):
    """The API is away or answered an error. `reason` tells which; `said` is the API's own sentence, if it had one."""

    def __init__(self, reason: str, said: str = "", status: int | None = None, wait_s: float = 0.0) -> None:
        super().__init__(said or reason)
        self.reason = reason
        """One of REASONS."""
        self.said = said
        self.status = status
        """HTTP's; None where there was no answer."""
        self.wait_s = wait_s
        """How long the API asks to be left alone: its `Retry-After`, 0 where it says nothing."""

    def sentence(self, words: Texts, settings: Settings) -> str:
        """What a visitor is told: what happened, and what to do."""
        if self.said:
            return self.said
        told = {"api": settings.api, "seconds": TIMEOUT_S, "status": self.status}
        return str(getattr(words, self.reason)).format(**told)


@dataclass(frozen=True)
class Share:
    """One category's part of a mask."""

    id: int
    name: str
    color: tuple[int, int, int]
    share: float
    """0..1"""


@dataclass(frozen=True)
class Answer:
    """A segmented frame."""

    model: str
    provider: str
    width: int
    height: int
    shares: tuple[Share, ...]
    """All 8 categories, by id."""
    mask: str
    """Base64 of the palette PNG."""
    timings_ms: dict[str, float]
    raw: dict[str, Any]
    """The API's JSON as it came."""


COMPARED = (
    *("model", "provider", "timings_ms", "truth_kind"),
    *("iou", "mean_iou", "accuracy", "confusion", "prediction", "truth", "difference"),
)
"""What the page needs of `POST /compare`."""


class Client:
    """One API, over connections that are kept. Belongs to the event loop's thread."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Asks nothing yet.

        Args:
            settings: name the API and its key.
            transport: instead of the network, for tests.
        """
        self.settings = settings
        self._transport = transport
        self._http: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Let the connections go."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def headers(self) -> dict[str, str]:
        """What authorises a request; empty without a key.

        Raises:
            ApiError: the key's file can't be read, or holds none.
        """
        try:
            key = self.settings.api_key()
        except (OSError, ValueError):
            raise ApiError("no_key") from None
        if key is not None and not key.isascii():
            raise ApiError("no_key")  # no header can carry it
        return {} if key is None else {"Authorization": f"Bearer {key}"}

    async def request(self, method: str, path: str, **asked: Any) -> httpx.Response:
        """An answer of status 2xx.

        Args:
            method: HTTP's.
            path: of the API, like `/model`.
            asked: as httpx takes it: params, content, files, headers, timeout.

        Raises:
            ApiError: the API can't be reached, is too slow, or answers an error.
        """
        if self._http is None:  # made late: it belongs to the loop that runs
            self._http = httpx.AsyncClient(base_url=self.settings.api, timeout=TIMEOUT_S, transport=self._transport)
        try:
            headers = self.headers() | asked.pop("headers", {})
            answer = await self._http.request(method, path, headers=headers, **asked)
        except httpx.TimeoutException:
            raise ApiError("slow") from None
        except httpx.HTTPError:
            raise ApiError("unreachable") from None
        if not answer.is_success:
            raise refused(answer.status_code, answer.headers, answer.content)
        return answer

    async def segment(self, data: bytes, model: str | None = None) -> Answer:
        """Segment an encoded image: JPEG, PNG, WebP, BMP or TIFF; the API looks at the bytes. Raises as `request`."""
        asked = {"format": "json"} | ({"model": model} if model else {})
        body = _json(await self._post(data, asked))
        try:
            shares = tuple(
                Share(row["id"], row["name"], tuple(row["color"]), row["share"]) for row in body["categories"]
            )
            picked = {name: body[name] for name in ("model", "provider", "width", "height", "mask", "timings_ms")}
        except (KeyError, TypeError):
            raise ApiError("strange", status=200) from None
        return Answer(shares=shares, raw=body, **picked)

    async def as_jpeg(self, data: bytes) -> bytes:
        """The image in a format that browsers show: the API's overlay of opacity 0. Raises as `request`."""
        return (await self._post(data, {"format": "jpeg", "opacity": "0"})).content

    async def compare(self, image: bytes, truth: bytes, model: str | None = None) -> dict[str, Any]:
        """`POST /compare`'s JSON. Raises as `request`."""
        asked = {"model": model} if model else {}
        files = {"image": ("image", image), "truth": ("truth", truth)}
        return _fields(_json(await self.request("POST", "/compare", params=asked, files=files)), COMPARED)

    async def model(self, name: str | None = None) -> dict[str, Any]:
        """`GET /model`'s JSON. Raises as `request`."""
        asked = {"model": name} if name else {}
        return _fields(_json(await self.request("GET", "/model", params=asked)), ("model", "contract", "accuracy"))

    async def models(self) -> list[dict[str, Any]]:
        """The model files of the API's folder: name, version, state and reason. Raises as `request`."""
        found = _json(await self.request("POST", "/v2/repository/index"))
        if not isinstance(found, list):
            raise ApiError("strange", status=200)
        return [_fields(row, ("name", "state", "reason")) for row in found]

    async def metrics(self) -> str:
        """The text of `/metrics`. Raises as `request`."""
        return (await self.request("GET", "/metrics", timeout=5)).text

    async def ready(self) -> bool:
        """Whether the API takes requests, and this page's key with them; False where it is away."""
        try:
            await self.request("GET", "/v2/health/ready", timeout=5)
            await self.request("GET", "/categories", timeout=5)  # health asks for no key
        except ApiError:
            return False
        return True

    async def _post(self, data: bytes, asked: dict[str, str]) -> httpx.Response:
        declared = {"Content-Type": "application/octet-stream"}
        return await self.request("POST", "/segment", content=data, headers=declared, params=asked)


def refused(status: int, headers: Mapping[str, str], body: bytes | bytearray) -> ApiError:
    """The error that an answer tells of."""
    # Who looks at the page can't mend its key: the API's words about it are meant for whoever runs the page.
    reason = {401: "bad_key", 403: "bad_key", 413: "too_large"}.get(status, "answered")
    said = "" if reason == "bad_key" else _sentence(body)
    return ApiError(reason, said, status, _seconds(headers.get("Retry-After", "")))


def _json(answer: httpx.Response) -> Any:
    """What stands before the API, like a proxy's page to log in, may answer with anything.

    Raises:
        ApiError: it is no JSON.
    """
    try:
        return answer.json()
    except ValueError:
        raise ApiError("strange", status=answer.status_code) from None


def _fields(found: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """What was found, if it is an object with these fields.

    Raises:
        ApiError: it is not.
    """
    if not (isinstance(found, dict) and all(name in found for name in names)):
        raise ApiError("strange", status=200)
    return found


def _sentence(body: bytes | bytearray) -> str:
    """What problem+json or the protocol's error says; "" where the API has no words of its own."""
    try:
        problem: dict[str, Any] = json.loads(body)
        return str(problem.get("detail") or problem.get("error") or problem["title"])
    except (ValueError, KeyError, AttributeError):
        return ""


def _seconds(retry_after: str) -> float:
    """Of `Retry-After` (RFC 9110, 10.2.3), at most MAX_WAIT_S; 0 where it is missing, or the date that it may be."""
    return min(float(retry_after), MAX_WAIT_S) if retry_after.isdecimal() else 0.0
