"""Style sheets of elements and of single pages."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from nicegui import Client, ui

from gui.sub_path import prefix

_LINKED: WeakKeyDictionary[Client, set[str]] = WeakKeyDictionary()


def add_styles(name: str = "viewer.css") -> None:
    """Link a file of `assets/` from the page that is being made, once however many elements ask for it."""
    client = ui.context.client
    linked = _LINKED.setdefault(client, set())
    if name in linked:
        return
    linked.add(name)
    ui.add_head_html(f'<link rel="stylesheet" href="{prefix()}/assets/{name}">')
