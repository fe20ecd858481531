"""HTML for figures and tables: everything that comes from outside is escaped here, and here alone.

No script, no request: pictures are data URIs, shades are CSS that follows the reader's light or dark setting.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from runtime import categories

NONE = "-"
"""Where there is nothing to tell."""


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


@dataclass(frozen=True)
class Shade:
    """A cell whose background tells its value."""

    text: str
    share: float
    """0 is the page's background, 1 the darkest."""


Cell = str | Shade | None


def text(value: object) -> Html:
    """Escaped, unless it is markup."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def join(*parts: str) -> Html:
    """Markup one after the other."""
    return Html("\n".join(text(part) for part in parts if part))


def share(value: float | None, digits: int = 3) -> str:
    """0..1, as `0.812`."""
    return NONE if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """0..1, as `81.2 %`, with a no-break space; what rounds to nothing but is something is told as less than."""
    if value is None:
        return NONE
    least = 0.5 * 10.0**-digits / 100
    # A no-break space: the sign stays with its number.
    return f"<{10.0**-digits:.{digits}f}\u00a0%" if 0 < value < least else f"{100 * value:.{digits}f}\u00a0%"


def many(count: int, noun: str) -> str:
    """`1 frame`, `2,500 frames`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def swatch(name: str) -> Html:
    """A category's name after a square of its colour."""
    red, green, blue = categories.CATEGORIES[categories.NAMES.index(name)].color
    return Html(f'<span class="swatch" style="background:rgb({red},{green},{blue})"></span>{escape(name)}')


def section(anchor: str, title: str, *parts: str) -> Html:
    """A part of the page, to which `#anchor` leads."""
    return Html(f'<section id="{anchor}"><h2>{escape(title)}</h2>\n{join(*parts)}\n</section>')


def paragraph(content: str, kind: str = "") -> Html:
    """A paragraph, of a CSS class where one is given."""
    return Html(f"<p{_class(kind)}>{text(content)}</p>")


def figure(content: str, title: str, caption: str, conclusion: str) -> Html:
    """What is shown, over what it is and what follows from it.

    Args:
        content: markup.
        title: in a few words.
        caption: what is shown, its definition, and of how many frames or pixels.
        conclusion: what a reader should take away.
    """
    return Html(
        f"<figure><h3>{text(title)}</h3>\n{text(content)}\n"
        f"<figcaption>{text(caption)} <strong>{text(conclusion)}</strong></figcaption></figure>"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], *, kind: str = "") -> Html:
    """A table whose first column names its rows; wider than the screen, it scrolls by itself.

    Args:
        head: of the columns.
        rows: a cell a column; None is left blank.
        kind: a CSS class.
    """
    columns = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    body = "\n".join(
        f'<tr><th scope="row">{text(row[0] if isinstance(row[0], str) else "")}</th>{"".join(map(_cell, row[1:]))}</tr>'
        for row in rows
    )
    return Html(
        f'<div class="scroll" tabindex="0"><table{_class(kind)}><thead><tr>{columns}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Cell) -> str:
    if isinstance(cell, Shade):
        strength = max(0, min(100, round(100 * cell.share)))
        return f'<td class="shade" style="--s:{strength}">{text(cell.text)}</td>'
    return f"<td>{'' if cell is None else text(cell)}</td>"


def picture(data: bytes, media_type: str, alternative: str) -> Html:
    """An encoded image as part of the page."""
    encoded = base64.b64encode(data).decode("ascii")
    return Html(f'<img src="data:{media_type};base64,{encoded}" alt="{escape(alternative, quote=True)}">')


def side(*figures: str) -> Html:
    """Figures in columns, as many as fit."""
    return Html(f'<div class="side">{join(*figures)}</div>')


def items(entries: Sequence[str]) -> Html:
    """A list."""
    return Html("<ul>\n" + "\n".join(f"<li>{text(entry)}</li>" for entry in entries) + "\n</ul>")


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
