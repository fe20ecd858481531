"""Figures as a visitor's language writes them."""

from __future__ import annotations

from gui.preferences import Language

_NARROW = "\u202f"
"""A narrow space that lines don't break at: before the per cent sign, and between French thousands."""

NONE = "\N{EN DASH}"
"""Where there is no figure."""


def number(value: float, language: Language, digits: int = 0) -> str:
    """`1,234.5` or `1 234,5`."""
    text = f"{value:,.{digits}f}"
    return text.translate({ord(","): _NARROW, ord("."): ","}) if language == "fr" else text


def percent(share: float | None, language: Language, digits: int = 1) -> str:
    """A share of 0..1 in per cent; a dash where there is none."""
    return NONE if share is None else f"{number(100 * share, language, digits)}{_NARROW}%"


def milliseconds(value: float, language: Language) -> str:
    """A time in ms, with a decimal where it tells something."""
    return f"{number(value, language, 0 if value >= 100 else 1)}{_NARROW}ms"
