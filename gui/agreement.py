"""How far a prediction agrees with the truth, as tables that are charts: the same for eyes and for screen readers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nicegui import ui

from gui.numerals import NONE, number, percent
from gui.palettes import CATEGORIES, PALETTES, Color
from gui.preferences import Preferences
from gui.texts.compare import TEXTS
from gui.texts.shell import TEXTS as SHELL_TEXTS


def swatch(color: Color | None) -> str:
    """A small square in a colour; None shows the page through, as the pictures do."""
    style = "" if color is None else f' style="background: rgb{color}"'
    return f'<i class="rm-swatch" aria-hidden="true"{style}></i>'


def legend(label: str, rows: Sequence[tuple[str, Color | None]]) -> None:
    """Names with their colours.

    Args:
        label: what it is the legend of.
        rows: name and colour.
    """
    items = "".join(f"<li>{swatch(color)}{escape(name)}</li>" for name, color in rows)
    ui.html(f'<ul class="rm-swatches" aria-label="{escape(label)}">{items}</ul>', sanitize=False)


def iou_bars(iou: dict[str, float | None], chosen: Preferences) -> None:
    """A bar chart: one row a category, with the figure in words.

    Args:
        iou: 0..1 by the API's category name; None where neither truth nor prediction has it.
        chosen: language and palette.
    """
    words, names = TEXTS[chosen.language], SHELL_TEXTS[chosen.language].categories
    rows = []
    for name, color in zip(CATEGORIES, PALETTES[chosen.palette], strict=True):
        if name not in iou:
            continue
        value = iou[name]
        told = words.absent if value is None else percent(value, chosen.language)
        bar = f'<i class="rm-bar" style="width: {100 * (value or 0):.2f}%; background: rgb{color}"></i>'
        rows.append(
            f'<tr><th scope="row">{swatch(color)}{escape(names[name])}</th>'
            f'<td class="rm-bar-cell" aria-hidden="true">{bar}</td><td class="rm-figure">{told}</td></tr>'
        )
    head = f'<tr><th scope="col">{words.category}</th><td aria-hidden="true"></td><th scope="col">IoU</th></tr>'
    table = f'<table class="rm-bars"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'
    ui.html(table, sanitize=False).classes("w-full")


def confusion_table(confusion: Sequence[Sequence[int]], chosen: Preferences) -> None:
    """A heat map: what became of each category's pixels.

    Args:
        confusion: pixels, 8 x 8, rows truth, columns prediction. Void is left out: as truth it is not scored,
            and it is never predicted.
        chosen: language and palette.
    """
    words, names = TEXTS[chosen.language], SHELL_TEXTS[chosen.language].categories
    scored = range(1, len(CATEGORIES))
    labels = [escape(names[name]) for name in CATEGORIES]
    colors = PALETTES[chosen.palette]
    heads = "".join(f'<th scope="col"><span>{labels[column]}</span>{swatch(colors[column])}</th>' for column in scored)
    corner = f'<td class="rm-corner">{words.truth_row} ↓ {words.prediction_column} →</td>'
    rows = []
    for row in scored:
        total = sum(confusion[row])
        cells = "".join(_cell(confusion[row][column], total, row, column, chosen) for column in scored)
        rows.append(f'<tr><th scope="row">{swatch(colors[row])}{labels[row]}</th>{cells}</tr>')
    ui.html(
        f'<div class="rm-scroll" role="region" tabindex="0" aria-label="{words.confusion}"><table class="rm-confusion">'
        f"<thead><tr>{corner}{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>",
        sanitize=False,
    ).classes("w-full")


def _cell(pixels: int, total: int, row: int, column: int, chosen: Preferences) -> str:
    if not total:
        return f"<td>{NONE}</td>"
    names = SHELL_TEXTS[chosen.language].categories
    told = TEXTS[chosen.language].cell.format(
        truth=names[CATEGORIES[row]],
        prediction=names[CATEGORIES[column]],
        share=percent(pixels / total, chosen.language),
        pixels=number(pixels, chosen.language),
    )
    share = 100 * pixels / total
    # A trace is told from nothing at all.
    shown = "0" if not pixels else "&lt;1" if share < 0.5 else number(share, chosen.language)
    kind = "rm-hit" if row == column else "rm-miss"
    return f'<td class="{kind}" style="--share: {share:.1f}" title="{escape(told)}">{shown}</td>'
