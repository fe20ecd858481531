"""The choice of an answer's format."""

from __future__ import annotations

import pytest

from api.errors import NotAcceptable
from api.negotiation import choose


@pytest.mark.parametrize(
    ("accept", "format"),
    [
        (None, "png"),
        ("", "png"),
        ("*/*", "png"),
        ("*", "png"),
        ("image/*", "png"),
        ("image/png", "png"),
        ("IMAGE/PNG", "png"),
        ("image/jpeg", "jpeg"),
        ("application/json", "json"),
        ("application/json; charset=utf-8", "json"),
        ("application/x-npy", "npy"),
        ("application/*", "json"),
        ("application/json, image/png", "png"),
        ("application/json, image/png;q=0.9", "json"),
        ("image/png;q=0.1, application/x-npy;q=0.2, */*;q=0.05", "npy"),
        ("image/png;q=0, */*", "json"),
        ("image/png;q=0, image/*;q=0.5", "jpeg"),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, image/avif, image/webp, */*;q=0.8", "png"),
        ("text/html, image/jpeg;q=high, image/png;q=0.3", "png"),
        ("image/jpeg;q=nan, image/png;q=0.3", "png"),
        (",,;;q=1,application/json", "json"),
    ],
)
def test_the_best_of_what_the_client_accepts(accept, format):
    assert choose(accept, None) == format


@pytest.mark.parametrize("accept", ["text/html", "image/png;q=0", "image/webp, application/xml;q=0.5", "png", ";"])
def test_nothing_that_the_client_accepts(accept):
    with pytest.raises(NotAcceptable):
        choose(accept, None)


@pytest.mark.parametrize("asked", ["png", "json", "npy", "jpeg"])
def test_what_is_asked_for_by_name_wins(asked):
    assert choose("text/html", asked) == asked
