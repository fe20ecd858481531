"""Numbers in a query."""

from __future__ import annotations

from collections.abc import Mapping

from api.errors import RequestMalformed


def share(query: Mapping[str, str], name: str, default: float) -> float:
    """A parameter from 0 to 1.

    Raises:
        RequestMalformed: it is something else.
    """
    text = query.get(name)
    if text is None:
        return default
    try:
        given = float(text)
    except ValueError:
        given = -1.0
    if not 0 <= given <= 1:
        raise RequestMalformed(f"{name} is '{text}': give a number from 0 to 1")
    return given
