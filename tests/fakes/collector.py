"""A collector of spans in memory, where a process would send its own to a real one."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext

from ekiden import tracing


class Collector(InMemorySpanExporter):
    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.get_finished_spans()

    def named(self, name: str) -> ReadableSpan:
        """The one span of a name."""
        (found,) = self.all_named(name)
        return found

    def all_named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def path(self, span: ReadableSpan) -> list[str]:
        """The names from a trace's beginning to a span, as far as its parents are known here."""
        return [one.name for one in reversed([span, *self._above(span)])]

    def _above(self, span: ReadableSpan) -> Iterator[ReadableSpan]:
        known = {place(one).span_id: one for one in self.spans}
        while span.parent is not None and span.parent.span_id in known:
            span = known[span.parent.span_id]
            yield span


def place(span: ReadableSpan) -> SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


@contextmanager
def collecting() -> Generator[Collector]:
    """Trace into memory for as long as it lasts."""
    collector = Collector()
    tracing.begin("tests", SimpleSpanProcessor(collector))
    try:
        yield collector
    finally:
        tracing.end()
