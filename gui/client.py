"""What the page asks the API for, over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx


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


async def segment(api: str, data: bytes) -> Answer:
    """Segment an encoded image.

    Args:
        api: the API's address, like `http://127.0.0.1:8000`.
        data: JPEG, PNG, WebP, BMP or TIFF; the API looks at the bytes.

    Raises:
        ApiError: the API can't be reached, is too slow, or refuses the image.
    """
    try:
        async with httpx.AsyncClient(base_url=api, timeout=60) as client:
            answer = await client.post(
                "/segment",
                content=data,
                headers={"Accept": "application/json", "Content-Type": "application/octet-stream"},
            )
    except httpx.TimeoutException:
        raise ApiError(f"The API at {api} did not answer within a minute. Try again.") from None
    except httpx.HTTPError:
        raise ApiError(f"The API at {api} can't be reached. Start it with: python -m api") from None
    if answer.status_code != 200:
        raise ApiError(_sentence(answer))
    body = answer.json()
    shares = tuple(Share(row["name"], tuple(row["color"]), row["share"]) for row in body["categories"])
    picked = {name: body[name] for name in ("model", "provider", "width", "height", "mask", "timings_ms")}
    return Answer(shares=shares, **picked)
