"""What the page asks the API for, over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

TIMEOUT_S = 60
"""Far more than a frame takes: an API that is still silent then is stuck."""


class ApiError(Exception):
    """The API is away or answered an error; the message is a sentence for the person at the page."""


@dataclass(frozen=True)
class Share:
    """One category's part of a mask."""

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
    mask: str
    """Base64 of the palette PNG."""
    timings_ms: dict[str, float]


def _sentence(answer: httpx.Response) -> str:
    """What a problem+json says, or the bare status."""
    try:
        problem: dict[str, Any] = answer.json()
        return str(problem.get("detail") or problem["title"])
    except (ValueError, KeyError, AttributeError):
        return f"The API answered {answer.status_code} {answer.reason_phrase}."


async def _post(api: str, data: bytes, **asked: str) -> httpx.Response:
    try:
        async with httpx.AsyncClient(base_url=api, timeout=TIMEOUT_S) as client:
            declared = {"Content-Type": "application/octet-stream"}
            answer = await client.post("/segment", content=data, headers=declared, params=asked)
    except httpx.TimeoutException:
        raise ApiError(f"The API at {api} did not answer within {TIMEOUT_S} s. Try again.") from None
    except httpx.HTTPError:
        raise ApiError(f"The API at {api} can't be reached. Start it with: python -m api") from None
    if answer.status_code != 200:
        raise ApiError(_sentence(answer))
    return answer


async def segment(api: str, data: bytes) -> Answer:
    """Segment an encoded image.

    Args:
        api: the API's address, like `http://127.0.0.1:8000`.
        data: JPEG, PNG, WebP, BMP or TIFF; the API looks at the bytes.

    Raises:
        ApiError: the API can't be reached, is too slow, or refuses the image.
    """
    body = (await _post(api, data, format="json")).json()
    shares = tuple(Share(row["name"], tuple(row["color"]), row["share"]) for row in body["categories"])
    picked = {name: body[name] for name in ("model", "provider", "width", "height", "mask", "timings_ms")}
    return Answer(shares=shares, **picked)


async def as_jpeg(api: str, data: bytes) -> bytes:
    """The image itself as JPEG, for a format that browsers don't show. Takes and raises what `segment` does."""
    return (await _post(api, data, format="jpeg", opacity="0")).content
