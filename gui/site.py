"""All pages of the site."""

from __future__ import annotations

from gui import compare_page, health, live_page, models_page, operations_page, segment_page
from gui.client import Client
from gui.settings import Settings
from gui.shell import Site


def register(settings: Settings) -> None:
    """Put every page, and what they share, at its address."""
    site = Site(settings, Client(settings))
    health.register()
    site.register()
    for page in (segment_page, compare_page, live_page, models_page, operations_page):
        page.register(site)
