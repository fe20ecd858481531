"""OpenTelemetry traces, where an exporter is configured: a span for each request, and one for each stage of a frame.

`OTEL_EXPORTER_OTLP_ENDPOINT` turns them on; they go out as OTLP over HTTP (`ENDPOINT/v1/traces`). The other standard
variables (OTEL_SERVICE_NAME, OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, ...) are read by the SDK itself. Whether
a trace is recorded is decided by whoever began it; nothing global of OpenTelemetry is touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from threading import Thread
from time import monotonic_ns, time_ns
from typing import TYPE_CHECKING

from starlette.types import Scope

from api.trace_context import TraceContext
from runtime.errors import RoadmaskError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

CLOSE_TIMEOUT_S = 5.0
"""For what was not sent yet: of the 30 s until Kubernetes kills, the requests have taken up to 25 already."""

SERVICE = "roadmask"
"""`service.name`, unless the environment has another."""


class TracesUnavailable(RoadmaskError):
    """Traces were asked for, and can't be made."""


class ServerSpan:
    """The span of a request."""

    def __init__(self, tracer: Tracer, span: Span, context: TraceContext, began_ns: int) -> None:
        """Wraps a span that was started just now; `began_ns` is that moment by `monotonic_ns`."""
        self.context = context
        """What a child of it has as its parent."""
        self._tracer, self._span = tracer, span
        # Both clocks at one moment: times measured by the monotonic one are told in those of the wall.
        self._offset_ns = time_ns() - monotonic_ns()
        self._began_ns = began_ns

    def stages(self, intervals: Iterable[tuple[str, float, float]]) -> None:
        """A child for each stage: its name, when it began and when it ended, in seconds of `time.monotonic`."""
        from opentelemetry import trace  # noqa: PLC0415  there only with the extra

        if not self._span.is_recording() and not self.context.flags & 1:
            return
        parent = trace.set_span_in_context(self._span, _empty())
        for name, began, ended in intervals:
            child = self._tracer.start_span(name, parent, start_time=round(began * 1e9) + self._offset_ns)
            child.end(round(ended * 1e9) + self._offset_ns)

    def end(self, route: str | None, method: str, status: int) -> None:
        """The request is over. What belongs to it may still be told afterwards."""
        from opentelemetry.trace import StatusCode  # noqa: PLC0415

        if route is not None:
            self._span.update_name(f"{method} {route}")
            self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


CURRENT: ContextVar[ServerSpan | None] = ContextVar("span", default=None)
"""The span of the request that is being worked on; None where traces are off."""


def stages(intervals: Iterable[tuple[str, float, float]]) -> None:
    """Tell the current request's trace of stages; does nothing where traces are off.

    Args:
        intervals: name, beginning and end of each, in seconds of `time.monotonic`.
    """
    span = CURRENT.get()
    if span is not None:
        span.stages(intervals)


class Traces:
    """Makes spans and sends them, on a thread of its own."""

    def __init__(self, endpoint: str) -> None:
        """Sends nothing yet.

        Args:
            endpoint: the collector's base URL, `http://collector:4318`.

        Raises:
            TracesUnavailable: the extra is not installed.
        """
        self._provider = _provider(f"{endpoint.rstrip('/')}/v1/traces")
        self._tracer = self._provider.get_tracer(SERVICE)

    def begin(self, scope: Scope, caller: TraceContext | None) -> ServerSpan:
        """The span of a request that just came.

        Args:
            scope: of ASGI, HTTP or WebSocket.
            caller: where in a trace its sender is; None begins a trace.
        """
        from opentelemetry.trace import SpanKind  # noqa: PLC0415

        began_ns = monotonic_ns()
        client = scope.get("client")
        attributes = {
            "http.request.method": scope.get("method", "GET"),
            "url.path": scope["path"],
            "url.scheme": scope.get("scheme", "http"),
            "network.protocol.version": scope.get("http_version", "1.1"),
        }
        if client:
            attributes["client.address"] = client[0]
        span = self._tracer.start_span(
            attributes["http.request.method"], _parent(caller), kind=SpanKind.SERVER, attributes=attributes
        )
        told = span.get_span_context()
        state = caller.state if caller is not None else ""
        context = TraceContext(f"{told.trace_id:032x}", f"{told.span_id:016x}", int(told.trace_flags) & 3, state)
        return ServerSpan(self._tracer, span, context, began_ns)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Send what is left, and give up what can't be sent in time. Blocks for no longer than that."""
        # The SDK's own bound is 30 s and can't be set, and a collector that hangs takes all of it.
        closing = Thread(target=self._provider.shutdown, name="roadmask-traces", daemon=True)
        closing.start()
        closing.join(timeout_s)


def _empty() -> Context:
    """A context in which no span is current, whatever the process around it does."""
    from opentelemetry.context import Context  # noqa: PLC0415

    return Context()


def _parent(caller: TraceContext | None) -> Context:
    from opentelemetry import trace  # noqa: PLC0415

    if caller is None:
        return _empty()
    remote = trace.SpanContext(
        int(caller.trace_id, 16),
        int(caller.span_id, 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(caller.flags),
        trace_state=trace.TraceState.from_header([caller.state]),
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(remote), _empty())


def _provider(url: str) -> TracerProvider:
    """Spans of this service, sent to the collector's URL in batches. Raises as `Traces`."""
    try:
        # Heavy, and there only with the extra.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise TracesUnavailable(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed: pip install 'roadmask[traces]'"
        ) from error

    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: SERVICE}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    return provider
