"""The benchmark's figures and verdicts; what it measures is never asserted here."""

from __future__ import annotations

import importlib
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).parent


@pytest.fixture(scope="module")
def figures() -> Iterator[ModuleType]:
    """The module, imported as the command does: from its own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield importlib.import_module("figures")


@pytest.fixture(scope="module")
def workload(figures: ModuleType) -> ModuleType:
    """Likewise."""
    return importlib.import_module("workload")


@pytest.fixture
def results(figures: ModuleType) -> Any:
    """One line in each table, and a warning."""
    machine = {"cpu": "Abacus", "cores": 2, "python": "3.11", "versions": {"numpy": "2.4"}}
    server = figures.Measured("latency", "server", "png", "1", [[1.0, 2.0, 9.0], [3.0, 4.0, 5.0]], [10.0, 30.0, 20.0])
    met = figures.Verdict("latency", "png: added", 1.5, "ms", figures.Target("<=", 2), "by hand")
    unknown = figures.Verdict("overload", "png: p99 of 503", math.nan, "ms", figures.Target("<", 40))
    return figures.Results(machine, {"frames": 4}, ["it was busy"], measured=[server], verdicts=[met, unknown])


def test_a_percentile_is_the_value_of_the_nearest_rank(figures: ModuleType) -> None:
    values = [float(value) for value in range(200, 0, -1)]
    assert figures.percentile(values, 99) == 198
    assert figures.percentile(values, 100) == 200
    assert figures.percentile(values, 0.1) == 1
    assert figures.percentile([7.0], 99) == 7


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1.0], 0), ([1.0], 101)])
def test_a_percentile_of_nothing_is_refused(figures: ModuleType, values: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match="can't be told"):
        figures.percentile(values, percent)


def test_a_rate_counts_between_the_first_and_the_last_answer_that_count(figures: ModuleType) -> None:
    answers = [figures.Sample(start_s, 500) for start_s in (0.0, 0.5, 1.0, 1.5, 9.0)]
    refused = figures.Sample(0.1, 1, status=503)
    # Answers at 0.5, 1.0, 1.5 and 2.0; the one at 9.5 came when clients had stopped already.
    assert figures.rate_of([*answers, refused], until_s=2.0) == pytest.approx(2.0)


def test_a_rate_of_one_answer_is_refused(figures: ModuleType) -> None:
    with pytest.raises(ValueError, match="too few"):
        figures.rate_of([figures.Sample(0, 1), figures.Sample(0, 1, status=503)])


def test_medians_are_taken_over_rounds_and_p99_over_all(figures: ModuleType) -> None:
    row = figures.Measured("latency", "server", "png", "1", [[1.0, 2.0, 900.0], [4.0, 4.0, 4.0], [6.0, 6.0, 6.0]])
    assert row.round_medians == [2.0, 4.0, 6.0]
    assert row.median_ms == 4.0
    assert row.p99_ms == 900.0
    assert row.per_second is None


@pytest.mark.parametrize(
    ("relation", "value", "met"),
    [
        ("<=", 2.0, True),
        ("<=", 2.01, False),
        ("<", 2.0, False),
        ("<", 1.9, True),
        (">=", 2.0, True),
        (">=", 1.9, False),
    ],
)
def test_a_target_is_met_up_to_its_limit(figures: ModuleType, relation: str, value: float, met: bool) -> None:
    assert figures.Target(relation, 2).met_by(value) is met
    assert not figures.Target(relation, 2).met_by(math.nan)


def test_the_markdown_names_the_machine_the_warning_and_each_verdict(figures: ModuleType, results: Any) -> None:
    text = figures.markdown(results)
    assert text.startswith("Abacus, 2 cores; Python 3.11, numpy 2.4\n\n**it was busy**\n")
    assert "| latency | png: added | 1.50 ms | <= 2 ms | met | by hand |" in text
    assert "| overload | png: p99 of 503 | - | < 40 ms | MISSED |  |" in text
    assert "| latency | server | png | 1 | 3.00 | 2.00 to 4.00 | 9.00 | 20.0 | - |" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows[:4]}) == len({line.count("|") for line in rows[4:]}) == 1


def test_the_json_is_strict_and_says_what_was_met(figures: ModuleType, results: Any) -> None:
    def no_constant(text: str) -> None:
        raise AssertionError(f"{text} is no JSON")

    told = json.loads(results.as_json(), parse_constant=no_constant)
    assert [row["met"] for row in told["verdicts"]] == [True, False]
    assert told["verdicts"][1]["value"] is None
    assert told["measured"][0]["samples"] == 6
    assert told["measured"][0]["round_medians_ms"] == [2.0, 4.0]


def test_the_tables_have_a_line_for_each_row(figures: ModuleType, results: Any) -> None:
    assert [table.row_count for table in figures.tables(results)] == [1, 2]


def test_the_sizes_of_the_memory_scenario_all_differ_and_grow(workload: ModuleType) -> None:
    sizes = workload.sizes()
    areas = [width * height for width, height in sizes]
    assert len(set(sizes)) == 50
    assert areas == sorted(areas)
    assert areas[0] < 40_000
    assert 2_000_000 < areas[-1] <= 2048 * 1024


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "latency,speed"], "there is no scenario 'speed'"),
        (["--json", "/nowhere/at/all.json"], "can't be written"),
        (["--fast"], "unrecognized arguments"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, FOLDER / "server.py", *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
