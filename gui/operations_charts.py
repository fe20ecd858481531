"""The operations page's charts, as ECharts takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gui.palettes import CATEGORIES, PALETTES, Color
from gui.preferences import Language, Preferences
from gui.sampler import STEP_S, Point
from gui.texts import operations as texts
from gui.texts import shell as shell_texts

Row = list[float | None]
"""One value a point, the newest last; None is a gap."""

Read = Callable[[Point], float | None]

COLORS = ("#0072b2", "#d55e00", "#009e73", "#b8860b", "#cc79a7", "#767676")
"""Okabe and Ito's, those that have a contrast of 3 on white and on the dark theme's ground, and two to fill up."""

DASHES = ("solid", "dashed", "dotted")
"""So that lines can be told apart without their colours."""

LEAST = 36
"""Points of a chart: 3 minutes. It grows to KEPT."""

MOST_ROUTES = 5
"""Lines of a chart that can still be told apart."""

TEXT = "getComputedStyle(document.body).color"
"""JavaScript: the theme's text colour; it is evaluated anew at each update."""


@dataclass(frozen=True)
class Series:
    """One line."""

    name: str
    values: Row
    color: str | None = None
    stack: bool = False


@dataclass(frozen=True)
class Chart:
    """What stands in one."""

    series: list[Series]
    unit: str = ""
    top: float | None = None
    """Of the axis; None follows the values."""
    whole: bool = False
    """Whether there is nothing between two whole numbers."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be seen."""
        return not any(value is not None for series in self.series for value in series.values)


def read(points: Sequence[Point | None], value: Read) -> Row:
    """One value of each point; the time before the first one is a gap."""
    found = [None if point is None else _short(value(point)) for point in points]
    return [None] * (LEAST - len(found)) + found


def _short(value: float | None) -> float | None:
    """Three digits: more nobody sees, and each visitor is sent thousands of values every few seconds."""
    return None if value is None else float(f"{value:.3g}")


def routes(points: Sequence[Point | None]) -> list[str]:
    """Those that were asked, the busiest first."""
    total: dict[str, float] = {}
    for point in points:
        for route, rate in (point.rates.requests if point is not None and point.rates else {}).items():
            total[route] = total.get(route, 0.0) + rate
    return [route for route, rate in sorted(total.items(), key=lambda pair: (-pair[1], pair[0])) if rate > 0]


class Charts:
    """All of them, for one visitor."""

    def __init__(self, chosen: Preferences) -> None:
        self._words = texts.TEXTS[chosen.language]
        self._categories = shell_texts.TEXTS[chosen.language].categories
        self._palette = PALETTES[chosen.palette]

    def make(self, points: Sequence[Point | None], route: str | None, quantile: int) -> dict[str, Chart]:
        """By the name of their title in `texts.operations`.

        Args:
            points: as of `Sampler.points`.
            route: whose latency; None where there was no request.
            quantile: of the stages, an index of `sampler.QUANTILES`.
        """
        return {
            "throughput": self._throughput(points),
            "latency": self._latency(points, route),
            "stages": self._stages(points, quantile),
            "queue": self._queue(points),
            "refusals": self._refusals(points),
            "shares": self._shares(points),
            "memory": Chart([Series(self._words.memory, read(points, _memory))], "MiB"),
            "cores": Chart([Series(self._words.cores, read(points, lambda p: p.rates.cores if p.rates else None))]),
        }

    def _throughput(self, points: Sequence[Point | None]) -> Chart:
        asked = routes(points)
        if not asked and not any(point and point.rates and point.rates.frames for point in points):
            return Chart([])
        frames = Series(self._words.frames, read(points, lambda p: p.rates.frames if p.rates else None))

        def of(route: str) -> Read:
            return lambda p: p.rates.requests.get(route, 0.0) if p.rates else None

        lines = [Series(route, read(points, of(route))) for route in asked[:MOST_ROUTES]]
        return Chart([frames, *lines], "/s")

    def _latency(self, points: Sequence[Point | None], route: str | None) -> Chart:
        if route is None:
            return Chart([])

        def at(index: int) -> Read:
            return lambda p: _ms(p.rates.latencies.get(route), index) if p.rates else None

        return Chart([Series(name, read(points, at(index))) for index, name in enumerate(self._words.quantiles)], "ms")

    def _stages(self, points: Sequence[Point | None], quantile: int) -> Chart:
        def of(stage: str) -> Read:
            return lambda p: _ms(p.rates.stages.get(stage), quantile) if p.rates else None

        return Chart([Series(name, read(points, of(stage))) for stage, name in self._words.stage_names.items()], "ms")

    def _queue(self, points: Sequence[Point | None]) -> Chart:
        def of(name: str) -> Read:
            return lambda p: p.scrape.single.get(name) if p.scrape else None

        taken = Series(self._words.taken, read(points, of("roadmask_queue_depth")))
        places = Series(self._words.places, read(points, of("roadmask_queue_places")))
        return Chart([taken] if Chart([places]).is_empty else [taken, places], whole=True)

    def _refusals(self, points: Sequence[Point | None]) -> Chart:
        def of(reason: str) -> Read:
            return lambda p: p.rates.refused.get(reason, 0.0) if p.rates else None

        found = Chart([Series(name, read(points, of(reason))) for reason, name in self._words.reasons.items()], "/s")
        return found if any(any(series.values) for series in found.series) else Chart([])

    def _shares(self, points: Sequence[Point | None]) -> Chart:
        def of(category: str) -> Read:
            return lambda p: 100 * p.rates.shares.get(category, 0.0) if p.rates and p.rates.shares else None

        rows = [
            Series(self._categories[name], read(points, of(name)), _css(color), stack=True)
            for name, color in zip(CATEGORIES, self._palette, strict=True)
        ]
        return Chart(rows[1:], "%", 100)  # void is never predicted


def _memory(point: Point) -> float | None:
    held = point.scrape.single.get("process_resident_memory_bytes") if point.scrape else None
    return None if held is None else held / 2**20


def _ms(seconds: Sequence[float | None] | None, index: int) -> float | None:
    value = None if seconds is None else seconds[index]
    return None if value is None else value * 1000


def _css(color: Color) -> str:
    return f"rgb({','.join(map(str, color))})"


def ago(index: int, count: int) -> str:
    """How long ago one of `count` points was, like -2:35."""
    seconds = round((count - 1 - index) * STEP_S)
    return "0" if seconds == 0 else f"-{seconds // 60}:{seconds % 60:02}"


def options(chart: Chart, language: Language) -> dict[str, Any]:
    """ECharts' options of a chart."""
    unit = chart.unit and (chart.unit if chart.unit == "/s" else f"\u00a0{chart.unit}")
    shown = f"value => value == null ? '\\u2013' : value.toLocaleString('{language}') + '{unit}'"
    axis_text = {":color": TEXT, "fontSize": 11}
    count = max([LEAST, *(len(series.values) for series in chart.series)])
    minutes = 1 if count <= 5 * LEAST / 3 else 3
    apart = round(minutes * 60 / STEP_S)
    tick = f"value => value === '0' ? '{texts.TEXTS[language].now_tick}' : value.replace(':00', '\u00a0min')"
    legend = {"type": "scroll", "top": 0, "textStyle": {":color": TEXT}, "pageTextStyle": {":color": TEXT}}
    if any(series.stack for series in chart.series):
        legend["icon"] = "roundRect"
    return {
        "animation": False,
        "grid": {"left": 8, "right": 40, "top": 36, "bottom": 4, "containLabel": True},
        "legend": {**legend, "show": len(chart.series) > 1},
        "tooltip": {"trigger": "axis", "confine": True, ":valueFormatter": shown},
        "xAxis": {
            "type": "category",
            "boundaryGap": False,
            "data": [ago(index, count) for index in range(count)],
            "axisLabel": {
                **axis_text,
                ":interval": f"(index) => ({count - 1} - index) % {apart} === 0",
                ":formatter": tick,
            },
            "axisTick": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "min": 0,
            "max": chart.top,
            "minInterval": 1 if chart.whole else 0,
            "axisLabel": {**axis_text, ":formatter": shown},
            "splitLine": {"lineStyle": {"color": "#8884"}},
        },
        "series": [_line(index, series) for index, series in enumerate(chart.series)],
    }


def _line(index: int, series: Series) -> dict[str, Any]:
    color = series.color or COLORS[index % len(COLORS)]
    style = (
        {"color": "#8888", "width": 0.5} if series.stack else {"color": color, "type": DASHES[index % 3], "width": 2}
    )
    line: dict[str, Any] = {
        "type": "line",
        "name": series.name,
        "data": series.values,
        "showSymbol": False,
        "itemStyle": {"color": color},
        "lineStyle": style,
    }
    return line | {"stack": "all", "areaStyle": {"color": color, "opacity": 0.9}} if series.stack else line
