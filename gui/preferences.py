"""What a visitor likes: language, theme and palette, kept in a cookie of their browser and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.parse import parse_qs, unquote

from starlette.requests import Request

Language = Literal["en", "fr"]
Theme = Literal["auto", "light", "dark"]
Palette = Literal["cityscapes", "distinct"]

COOKIE = "roadmask"
"""A query string, percent-encoded: `language=fr&theme=dark&palette=distinct`. The page's script writes it, see
assets/preferences.js."""


@dataclass(frozen=True)
class Preferences:
    """Each is what the visitor chose, or what suits most."""

    language: Language = "en"
    theme: Theme = "auto"
    palette: Palette = "cityscapes"

    @classmethod
    def of(cls, request: Request) -> Preferences:
        """Those of a request: its cookie, for the language else its `Accept-Language`; what is unknown is ignored."""
        chosen = {name: values[-1] for name, values in parse_qs(unquote(request.cookies.get(COOKIE, ""))).items()}
        return cls(
            language=_of(chosen.get("language"), get_args(Language), _spoken(request)),
            theme=_of(chosen.get("theme"), get_args(Theme), "auto"),
            palette=_of(chosen.get("palette"), get_args(Palette), "cityscapes"),
        )


def _of(value: str | None, known: tuple[str, ...], otherwise: str) -> Any:
    return value if value in known else otherwise


def _spoken(request: Request) -> Language:
    """The first of the browser's languages that there are texts in (RFC 9110, 12.5.4; weights fall in practice)."""
    for part in request.headers.get("accept-language", "").split(","):
        language = part.split(";")[0].strip().lower().partition("-")[0]
        if language in get_args(Language):
            return "fr" if language == "fr" else "en"
    return "en"
