"""The page `/operations`: how the API does, and did in the last minutes."""

from __future__ import annotations

from typing import Any

from nicegui import ui
from starlette.requests import Request

from gui import operations_charts
from gui.operations_charts import Chart, Charts
from gui.preferences import Preferences
from gui.sampler import Point, Sampler
from gui.settings import Settings
from gui.shell import Site, shell
from gui.styles import add_styles
from gui.texts import operations as texts
from gui.texts import shell as shell_texts

GOOD, BAD, AWAY = "check_circle", "error_outline", "cloud_off"
"""Icons beside the words."""

NOTHING = "\u2013"

EMPTY = {"throughput": "no_request", "latency": "no_request", "stages": "no_frame", "shares": "no_frame"}
"""Chart to the sentence that stands in its place; the others' are below."""


def register(site: Site) -> None:
    """Put the page at its address."""
    sampler = Sampler(site.client)

    @ui.page("/operations", title="roadmask")
    async def page(request: Request) -> None:
        add_styles("live.css")
        with shell(request, "operations") as chosen:
            dashboard = Dashboard(chosen, sampler, site.settings)
        client = ui.context.client
        # A client reconnects after a hiccup, and is deleted when its tab is closed.
        client.on_connect(lambda: sampler.watch(dashboard.update))
        client.on_disconnect(lambda: sampler.leave(dashboard.update))
        client.on_delete(lambda: sampler.leave(dashboard.update))


class Dashboard:
    """What one visitor sees."""

    def __init__(self, chosen: Preferences, sampler: Sampler, settings: Settings) -> None:
        self._language = chosen.language
        self._words = texts.TEXTS[chosen.language]
        self._common = shell_texts.TEXTS[chosen.language]
        self._sampler, self._settings = sampler, settings
        self._charts = Charts(chosen)
        self._quantile = 0
        self._shown: dict[str, tuple[ui.echart, ui.label]] = {}
        self._now: dict[str, ui.label] = {}
        self._make()
        self.update()

    def _make(self) -> None:
        words = self._words
        ui.html(f'<h1 class="rm-title">{words.title}</h1>', sanitize=False)
        with ui.element("div").classes("rm-ops-state").props('role="status" aria-live="polite"'):
            self._icon = ui.icon("hourglass_empty", size="sm").props('aria-hidden="true"')
            self._state = ui.label(words.reading)
        with ui.element("dl").classes("rm-live-figures rm-ops-now"):
            for name in ("health", "requests", "frames", "latency", "queue", "refused", "memory"):
                with ui.element("div"):
                    with ui.element("dt"):
                        ui.label(getattr(words, f"now_{name}"))
                    with ui.element("dd"):
                        self._now[name] = ui.label(NOTHING)
        with ui.element("div").classes("rm-ops-charts"):
            for name in ("throughput", "latency", "stages", "queue", "refusals", "shares", "memory", "cores"):
                self._box(name)
        ui.label(words.about).classes("text-caption q-mt-md")

    def _box(self, name: str) -> None:
        title = getattr(self._words, name)
        with ui.element("section").classes("rm-ops-chart").props(f'aria-label="{title}"'):
            with ui.element("div").classes("rm-ops-head"):
                ui.html(f"<h2>{title}</h2>", sanitize=False)
                self._controls(name)
            with ui.element("div").classes("rm-ops-plot"):
                empty = ui.label(self._words.no_reading).classes("rm-ops-empty")
                plot = ui.echart(operations_charts.options(Chart([]), self._language)).props('role="img"')
                self._shown[name] = (plot, empty)

    def _controls(self, name: str) -> None:
        if name == "latency":
            self._route = ui.select([], label=self._words.route, on_change=self.update).props("dense outlined")
        if name == "stages":
            options = dict(enumerate(self._words.quantiles))
            picked = ui.select(options, value=0, label=self._words.quantile, on_change=self._pick)
            picked.props("dense outlined")

    def _pick(self, event: Any) -> None:
        self._quantile = event.value
        self.update()

    def update(self) -> None:
        """Show what the sampler has now."""
        points = list(self._sampler.points)
        last = next((point for point in reversed(points) if point is not None), None)
        if last is None:
            return
        self._tell(last)
        routes = operations_charts.routes(points)
        if routes != self._route.options:
            kept = self._route.value if self._route.value in routes else None
            # What is chosen triggers an update of its own.
            self._route.set_options(routes, value=kept or next(iter(routes), None))
        made = self._charts.make(points, self._route.value, self._quantile)
        for name, chart in made.items():
            self._draw(name, Chart([]) if chart.is_empty else chart)
        self._sum_up(last)

    def _tell(self, last: Point) -> None:
        """The one line that screen readers are told when it changes."""
        words = self._words
        if last.error is not None:
            sentence = last.error.sentence(self._common, self._settings)
            intro = f"{words.no_metrics} " if last.live else ""
            text, icon = f"{intro}{sentence}\n{words.away} {self._common.retrying}", AWAY
        else:
            text, icon = (words.ready, GOOD) if last.ready else (words.not_ready, BAD)
        self._state.set_text(text)
        self._icon.set_name(icon)
        self._icon.classes(replace={GOOD: "rm-ops-good", BAD: "rm-ops-bad", AWAY: "rm-ops-bad"}[icon])

    def _draw(self, name: str, chart: Chart) -> None:
        plot, empty = self._shown[name]
        words = self._words
        empty.set_visibility(chart.is_empty)
        empty.set_text(getattr(words, EMPTY.get(name, "no_refusal" if name == "refusals" else "no_reading")))
        plot.options.clear()
        plot.options.update(operations_charts.options(chart, self._language))
        plot.classes(add="rm-ops-none" if chart.is_empty else "", remove="" if chart.is_empty else "rm-ops-none")
        now = [(series.name, series.values[-1]) for series in chart.series if series.values[-1] is not None]
        values = ", ".join(
            f"{line} {self._number(value)} {chart.unit}".strip() for line, value in now if value is not None
        )
        plot.props["aria-label"] = words.now.format(title=getattr(words, name), values=values or empty.text)
        plot.update()

    def _sum_up(self, last: Point) -> None:
        rates, scrape = last.rates, last.scrape
        found = dict.fromkeys(self._now, NOTHING)
        found["health"] = self._words.healths[last.live + (last.live and last.ready)]
        if rates is not None:
            found["requests"] = self._number(sum(rates.requests.values()))
            found["frames"] = self._number(rates.frames)
            median, _, p99 = rates.latencies.get(self._route.value or "", (None, None, None))
            if median is not None and p99 is not None:
                found["latency"] = f"{self._number(1000 * median)} / {self._number(1000 * p99)} ms"
            found["refused"] = f"{self._number(sum(rates.refused.values()))} /s"
        if scrape is not None:
            taken, places = (scrape.single.get(f"roadmask_queue_{name}") for name in ("depth", "places"))
            if taken is not None and places is not None:
                found["queue"] = self._words.of_places.format(taken=f"{taken:.0f}", places=f"{places:.0f}")
            elif taken is not None:
                found["queue"] = f"{taken:.0f}"
            memory = scrape.single.get("process_resident_memory_bytes")
            found["memory"] = NOTHING if memory is None else f"{self._number(memory / 2**20)} MiB"
        for name, text in found.items():
            self._now[name].set_text(text)

    def _number(self, value: float) -> str:
        """Three digits, with the language's decimal sign."""
        text = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
        return text.replace(".", ",") if self._language == "fr" else text
