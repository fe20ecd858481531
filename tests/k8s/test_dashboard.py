"""The Grafana dashboard: complete, and tied to no installation. Its queries are checked in test_queries."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import combinations
from typing import Any

import promql
import pytest

from runtime import categories

PANELS = promql.dashboard()["panels"]
GRAPHS = [panel for panel in PANELS if panel["type"] != "row"]


def test_panels_have_an_id_of_their_own() -> None:
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("panel", GRAPHS, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    for target in panel["targets"]:
        assert target["legendFormat"], "a legend that is left out shows the whole series' name"
        by = promql.read(target["expr"])[1]
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= by, "a label that the query drops"


def test_titles_tell_panels_apart() -> None:
    titles = [panel["title"] for panel in PANELS]
    assert len(set(titles)) == len(titles)


def test_panels_lie_beside_one_another() -> None:
    def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
        at = panel["gridPos"]
        return {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}

    for one, other in combinations(PANELS, 2):
        assert not cells(one) & cells(other), f"{one['title']} lies on {other['title']}"
    assert all(x < 24 for panel in PANELS for x, _ in cells(panel)), "Grafana has 24 columns"


def test_the_data_source_is_a_choice() -> None:
    def sources(value: Any) -> list[Any]:
        if isinstance(value, list):
            return [source for one in value for source in sources(one)]
        if not isinstance(value, dict):
            return []
        own = [value["datasource"]] if "datasource" in value else []
        return own + sources(list(value.values()))

    found = sources(promql.dashboard())
    assert len(found) > len(GRAPHS)
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in found)
    variables = {variable["name"] for variable in promql.dashboard()["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(promql.dashboard())))
    assert used == variables


def test_every_query_is_of_the_chosen_namespace() -> None:
    for panel in GRAPHS:
        for target in panel["targets"]:
            for selector in promql.read(target["expr"])[0]:
                assert ("namespace", "=", "$namespace") in selector.matchers, f"{panel['title']}: {selector.name}"


def test_categories_have_their_colours() -> None:
    (panel,) = [panel for panel in GRAPHS if panel["title"] == "Shares of the categories"]
    colours = {
        override["matcher"]["options"]: override["properties"][0]["value"]["fixedColor"]
        for override in panel["fieldConfig"]["overrides"]
    }
    assert colours == {c.name: "#{:02x}{:02x}{:02x}".format(*c.color) for c in categories.CATEGORIES}


def test_grafana_finds_it(rendered: Callable[[str], list[dict[str, Any]]]) -> None:
    (found,) = [
        item
        for item in rendered("cpu + monitoring")
        if item["kind"] == "ConfigMap" and item["metadata"]["labels"].get("grafana_dashboard") == "1"
    ]
    assert found["metadata"]["name"] == "roadmask-dashboard", "a hash in its name would leave old ones beside it"
    assert json.loads(found["data"]["dashboard.json"]) == promql.dashboard()
