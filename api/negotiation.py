"""Which format an answer takes: by `format=` where it is given, else by `Accept` (RFC 9110, 12.5.1)."""

from __future__ import annotations

import re

from api.errors import NotAcceptable

FORMATS = {
    "png": "image/png",
    "json": "application/json",
    "npy": "application/x-npy",
    "jpeg": "image/jpeg",
}
"""`format=` to media type; where a client likes several equally, the first of them is given."""

_QUALITY = re.compile(r"[01](\.\d{0,3})?")


def _ranges(accept: str) -> dict[str, float]:
    """Media ranges to qualities; an element that is none is passed over."""
    found: dict[str, float] = {}
    for element in accept.lower().split(","):
        media_range, *parameters = (part.strip() for part in element.split(";"))
        # Java's HttpURLConnection sends a lone star.
        media_range = "*/*" if media_range == "*" else media_range
        quality = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
        if "/" in media_range and _QUALITY.fullmatch(quality):
            found[media_range] = float(quality)
    return found


def choose(accept: str | None, asked: str | None) -> str:
    """The key of FORMATS that suits best.

    Args:
        accept: the header, None or empty where there is none.
        asked: the `format=` parameter; it wins, because somebody typed it.

    Raises:
        NotAcceptable: nothing that we have suits.
    """
    there = ", ".join(FORMATS)
    if asked is not None:
        if asked in FORMATS:
            return asked
        raise NotAcceptable(f"there is no format '{asked}': there are {there}")
    if accept is None or not accept.strip():
        return "png"
    ranges = _ranges(accept)

    def quality(name: str) -> float:
        media_type = FORMATS[name]
        for media_range in (media_type, media_type.split("/")[0] + "/*", "*/*"):
            if media_range in ranges:
                return ranges[media_range]
        return 0.0

    best = max(FORMATS, key=quality)
    if quality(best) <= 0:
        raise NotAcceptable(f"nothing that Accept names can be given: there are {', '.join(FORMATS.values())}")
    return best
