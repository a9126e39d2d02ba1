"""Traces: a person's word and all that follows from it by itself, through HTTP, broker, ledger and provider, as one.

Off unless `OTEL_EXPORTER_OTLP_ENDPOINT` is set: then nothing of OpenTelemetry is imported, and a span costs one
comparison. A collector is told names, ids, counts and money; never a prompt, an answer, or the text of an error.

A message is only a wake-up and may be lost, so a trace cannot hang on messages alone. Where a task was ordered, or a
session moved, is kept beside it in the database (`traceparent`, W3C): whoever goes on from there continues its trace.
"""

import os
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import Tracer

Kind = Literal["INTERNAL", "CLIENT", "PRODUCER", "CONSUMER"]
Attributes = Mapping[str, str | bool | int | float]
SESSION_ID = "ekiden.session.id"
TASK_ID = "ekiden.task.id"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_TIMEOUTS = ("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT")
EXPORT_SECONDS = 3.0
"""A collector that is away delays the end of a process by no more than this; the exporter's own would be 10."""
_OFF: AbstractContextManager[None] = nullcontext()

_provider: "TracerProvider | None" = None
_tracer: "Tracer | None" = None


def start(service: str) -> None:
    """Send spans to the collector that `OTEL_*` names, if they name one. All of its other variables count, too.

    What is not sent yet when the process ends is sent then.
    """
    if not any(os.environ.get(name) for name in _ENDPOINTS) or os.environ.get("OTEL_SDK_DISABLED", "") == "true":
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    told = any(os.environ.get(name) for name in _TIMEOUTS)
    begin(service, BatchSpanProcessor(OTLPSpanExporter(timeout=None if told else EXPORT_SECONDS)))


def begin(service: str, processor: "SpanProcessor") -> None:
    """Trace from now on, into a processor of the SDK."""
    global _provider, _tracer
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    _provider = TracerProvider(resource=Resource.create({"service.namespace": "ekiden", "service.name": service}))
    _provider.add_span_processor(processor)
    _tracer = _provider.get_tracer("ekiden")


def end() -> None:
    """Send what is left, and trace no more."""
    global _provider, _tracer
    ended, _provider, _tracer = _provider, None, None
    if ended is not None:
        ended.shutdown()


def provider() -> "TracerProvider | None":
    """For libraries that trace by themselves. None while tracing is off."""
    return _provider


def span(
    name: str, attributes: Attributes, kind: Kind = "INTERNAL", *, within: str = "", after: str = ""
) -> AbstractContextManager[None]:
    """A span around what is done, with the error's class if one is raised.

    `within` is a stored place that it belongs to, whatever led here; what led here from another trace is linked.
    `after` is a stored place that it follows on: its parent if nothing else led here, and else linked.
    """
    return _OFF if _tracer is None else _running(_tracer, name, attributes, kind, within, after)


def note(attributes: Attributes) -> None:
    """Add to the span that is under way."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        get_current_span().set_attributes(attributes)


def here() -> str:
    """The place of the current span, to be stored (W3C `traceparent`). Empty while there is none."""
    return headers().get("traceparent", "")


def headers() -> dict[str, str]:
    """The same as headers of a message."""
    carrier: dict[str, str] = {}
    if _tracer is not None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(carrier)
    return carrier


@contextmanager
def continued(place: str) -> Generator[None]:
    """Go on at a stored place, without a span of one's own."""
    if _tracer is None or not place:
        yield
        return
    from opentelemetry import context

    token = context.attach(_read(place))
    try:
        yield
    finally:
        context.detach(token)


def ids() -> dict[str, str]:
    """Trace and span of the moment, for a log line."""
    if _tracer is None:
        return {}
    from opentelemetry.trace import format_span_id, format_trace_id, get_current_span

    current = get_current_span().get_span_context()
    if not current.is_valid:
        return {}
    return {"trace_id": format_trace_id(current.trace_id), "span_id": format_span_id(current.span_id)}


def is_on() -> bool:
    return _tracer is not None


@contextmanager
def _running(
    tracer: "Tracer", name: str, attributes: Attributes, kind: Kind, within: str, after: str
) -> Generator[None]:
    from opentelemetry.trace import Link, SpanKind, StatusCode, get_current_span

    current, stored = get_current_span().get_span_context(), _read(within or after)
    place = get_current_span(stored).get_span_context()
    parent, links = None, list[Link]()
    if place.is_valid and place.trace_id != current.trace_id:
        moves = bool(within) or not current.is_valid
        parent = stored if moves else None
        other = current if moves else place
        links = [Link(other)] if other.is_valid else []
    options: dict[str, Any] = {"record_exception": False, "set_status_on_exception": False}
    with tracer.start_as_current_span(name, parent, SpanKind[kind], attributes, links, **options) as made:
        try:
            yield
        except BaseException as error:
            made.set_attribute("error.type", type(error).__name__)  # its text may hold what nobody may see
            made.set_status(StatusCode.ERROR)
            raise


def _read(place: str) -> "Context":
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": place}, Context())
