"""What a loaded model promises and how it runs: the API's `GET /model`, as tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from nicegui import ui

from gui.agreement import swatch
from gui.numerals import NONE, number, percent
from gui.palettes import CATEGORIES, PALETTES
from gui.preferences import Preferences
from gui.texts.models import TEXTS, Texts
from gui.texts.shell import TEXTS as SHELL_TEXTS


def model_card(told: Mapping[str, Any], is_default: bool, chosen: Preferences) -> None:
    """Show one model.

    Args:
        told: the JSON of `GET /model`; `nodes` may be missing.
        is_default: whether it answers where a request names none.
        chosen: language and palette.
    """
    words = TEXTS[chosen.language]
    badge = f'<span class="rm-badge">{words.is_default}</span>' if is_default else ""
    with ui.element("section").classes("rm-model"):
        ui.html(f"{escape(told['model'])}{badge}", sanitize=False).props("role=heading aria-level=2").classes(
            "rm-heading"
        )
        with ui.element("div").classes("rm-two"):
            with ui.element("div"):
                _facts(words.running, _running(told, words, chosen))
                _facts(words.contract, _contract(told["contract"], words, chosen))
                _run(told["contract"]["run"], words)
            with ui.element("div"):
                _title(words.accuracy)
                if told["accuracy"]:
                    ui.label(words.accuracy_hint).classes("rm-hint")
                    accuracy_table(told["accuracy"], chosen)
                else:
                    ui.label(words.accuracy_none).classes("rm-hint")


def _title(text: str) -> None:
    ui.label(text).props("role=heading aria-level=3").classes("font-bold")


def _facts(title: str, facts: Mapping[str, str]) -> None:
    """Names and values; the values are HTML."""
    _title(title)
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in facts.items())
    ui.html(f'<dl class="rm-terms">{rows}</dl>', sanitize=False).classes("q-mb-md")


def _running(told: Mapping[str, Any], words: Texts, chosen: Preferences) -> dict[str, str]:
    nodes = ", ".join(
        words.nodes_row.format(provider=escape(provider), count=number(count, chosen.language))
        for provider, count in told.get("nodes", {}).items()
    )
    return {
        words.provider: escape(told["provider"]),
        words.nodes: nodes or words.unknown,
        words.threads: escape(str(told["threads"])),
        words.version: escape(told["version"]),
    }


def _contract(contract: Mapping[str, Any], words: Texts, chosen: Preferences) -> dict[str, str]:
    geometry = contract["geometry"]
    if geometry["fixed"]:
        height, width = geometry["fixed"]
        frame = words.geometry_fixed.format(width=width, height=height)
    else:
        pixels = number(geometry["pixel_budget"], chosen.language)
        upscale = f"{geometry['max_upscale']:g}"
        frame = words.geometry_free.format(pixels=pixels, stride=geometry["stride"], upscale=upscale)
    gmac = contract["gmac"]
    names = SHELL_TEXTS[chosen.language].categories
    colors = dict(zip(CATEGORIES, PALETTES[chosen.palette], strict=True))
    categories = "".join(
        f"<li>{swatch(colors.get(row['name']))}{escape(names.get(row['name'], row['name']))}</li>"
        for row in contract["categories"]
    )
    return {
        words.precision: escape(contract["precision"]),
        words.geometry: escape(frame),
        words.gmac: f"{number(gmac, chosen.language, 2)} GMAC" if gmac is not None else NONE,
        words.data: escape(", ".join(contract["data"])) or NONE,
        words.categories: f'<ul class="rm-swatches">{categories}</ul>',
    }


def _run(run: Mapping[str, Any], words: Texts) -> None:
    if not run:
        return
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value if isinstance(value, str) else json.dumps(value))}</dd>"
        for name, value in run.items()
    )
    summary = f"<summary>{words.details}</summary>"
    ui.html(f'<details>{summary}<dl class="rm-terms">{rows}</dl></details>', sanitize=False)


def accuracy_table(accuracy: Mapping[str, Mapping[str, Any]], chosen: Preferences) -> None:
    """IoU by category, mean IoU, pixels right and frames; a column for each data set.

    Args:
        accuracy: of a contract, by data set; what is missing of it shows as a dash.
        chosen: language and palette.
    """
    words, language = TEXTS[chosen.language], chosen.language
    names, colors = SHELL_TEXTS[language].categories, PALETTES[chosen.palette]
    sets = list(accuracy.values())
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in accuracy)
    rows = [
        table_row(
            swatch(colors[i]) + escape(names[name]), [percent(row.get("iou", {}).get(name), language) for row in sets]
        )
        for i, name in enumerate(CATEGORIES)
        if any(name in row.get("iou", {}) for row in sets)
    ]
    rows.append(table_row(words.mean_iou, [percent(row.get("mean_iou"), language) for row in sets], "rm-sum"))
    rows.append(table_row(words.pixels_right, [percent(row.get("accuracy"), language) for row in sets]))
    counts = [number(row["frames"], language) if "frames" in row else NONE for row in sets]
    rows.append(table_row(words.frames, counts))
    plain_table(f'<th scope="col">{words.category}</th>{head}', rows)


def table_row(title: str, cells: list[str], kind: str = "") -> str:
    """Of `plain_table`; title and cells are HTML."""
    return f'<tr class="{kind}"><th scope="row">{title}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def plain_table(head: str, rows: list[str]) -> None:
    """A table of figures, from HTML."""
    thead = f"<thead><tr>{head}</tr></thead>"
    ui.html(f'<table class="rm-plain">{thead}<tbody>{"".join(rows)}</tbody></table>', sanitize=False).classes("w-full")
