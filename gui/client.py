"""What the pages ask the API for, over HTTP; the API's key never leaves the page's server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from gui.settings import Settings
from gui.texts.shell import Texts

TIMEOUT_S = 60
"""Far more than a frame takes: an API that is still silent then is stuck."""

MAX_BYTES = 32 * 2**20
"""Of an image: the API's own limit where nobody set another; what is over it is not worth sending."""


class ApiError(Exception):
    """The API is away or answered an error. `reason` tells which; `said` is the API's own sentence, if it had one."""

    def __init__(self, reason: str, said: str = "", status: int | None = None) -> None:
        super().__init__(said or reason)
        self.reason = reason
        """`unreachable`, `slow` or `answered`."""
        self.said = said
        self.status = status
        """HTTP's; None where there was no answer."""

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


class Client:
    """One API, over connections that are kept. Belongs to the event loop's thread."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._http: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Let the connections go."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def headers(self) -> dict[str, str]:
        """What authorises a request; empty without a key.

        Raises:
            ApiError: the key's file can't be read.
        """
        try:
            key = self.settings.api_key()
        except OSError as error:
            raise ApiError("answered", f"The API's key can't be read: {error.strerror}.") from error
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
            self._http = httpx.AsyncClient(base_url=self.settings.api, timeout=TIMEOUT_S)
        try:
            headers = self.headers() | asked.pop("headers", {})
            answer = await self._http.request(method, path, headers=headers, **asked)
        except httpx.TimeoutException:
            raise ApiError("slow") from None
        except httpx.HTTPError:
            raise ApiError("unreachable") from None
        if not answer.is_success:
            raise ApiError("answered", _sentence(answer), answer.status_code)
        return answer

    async def segment(self, data: bytes, model: str | None = None) -> Answer:
        """Segment an encoded image: JPEG, PNG, WebP, BMP or TIFF; the API looks at the bytes. Raises as `request`."""
        asked = {"format": "json"} | ({"model": model} if model else {})
        body = (await self._post(data, asked)).json()
        shares = tuple(Share(row["id"], row["name"], tuple(row["color"]), row["share"]) for row in body["categories"])
        picked = {name: body[name] for name in ("model", "provider", "width", "height", "mask", "timings_ms")}
        return Answer(shares=shares, raw=body, **picked)

    async def as_jpeg(self, data: bytes, opacity: float = 0.0, model: str | None = None) -> bytes:
        """The image with its mask over it as JPEG; of opacity 0 it is the image, in a format that browsers show."""
        asked = {"format": "jpeg", "opacity": f"{opacity:g}"} | ({"model": model} if model else {})
        return (await self._post(data, asked)).content

    async def compare(self, image: bytes, truth: bytes, model: str | None = None) -> dict[str, Any]:
        """`POST /compare`'s JSON. Raises as `request`."""
        asked = {"model": model} if model else {}
        files = {"image": ("image", image), "truth": ("truth", truth)}
        found: dict[str, Any] = (await self.request("POST", "/compare", params=asked, files=files)).json()
        return found

    async def model(self, name: str | None = None) -> dict[str, Any]:
        """`GET /model`'s JSON. Raises as `request`."""
        found: dict[str, Any] = (await self.request("GET", "/model", params={"model": name} if name else {})).json()
        return found

    async def models(self) -> list[dict[str, Any]]:
        """The model files of the API's folder: name, version, state and reason. Raises as `request`."""
        found: list[dict[str, Any]] = (await self.request("POST", "/v2/repository/index")).json()
        return found

    async def metrics(self) -> str:
        """The text of `/metrics`. Raises as `request`."""
        return (await self.request("GET", "/metrics", timeout=5)).text

    async def ready(self) -> bool:
        """Whether the API takes requests; False where it is away."""
        try:
            await self.request("GET", "/v2/health/ready", timeout=5)
        except ApiError:
            return False
        return True

    async def _post(self, data: bytes, asked: dict[str, str]) -> httpx.Response:
        declared = {"Content-Type": "application/octet-stream"}
        return await self.request("POST", "/segment", content=data, headers=declared, params=asked)


def _sentence(answer: httpx.Response) -> str:
    """What problem+json or the protocol's error says; "" where the API has no words of its own."""
    try:
        problem: dict[str, Any] = answer.json()
        return str(problem.get("detail") or problem.get("error") or problem["title"])
    except (ValueError, KeyError, AttributeError):
        return ""
