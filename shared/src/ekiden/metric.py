"""What a metric is: what Prometheus is told, what a person is told, and who exports it. All are in `metrics`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

PREFIX = "ekiden_"
Labels = Mapping[str, Iterable[str] | None]
"""The values of each label where they are a closed set; None where they are not known before they come."""
M = TypeVar("M", Counter, Gauge, Histogram)

disable_created_metrics()  # a second series for each counter, which nobody asks for


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table. `services` are those that export it; `act` says what to do when it moves."""

    name: str
    unit: str
    labels: Labels
    means: str
    act: str
    services: frozenset[str]
    collector: Counter | Gauge | Histogram

    @property
    def kind(self) -> str:
        return type(self.collector).__name__.lower()


class Table:
    """The metrics in the order of their definition. Each is defined by one call, and used as what that returns.

    A series whose labels are all closed sets exists, with 0, from the start: dashboards have data, and `rate()` sees
    the first increment. A service that the table does not name exports what `like_others` does: it is a worker that
    somebody added.
    """

    def __init__(self, like_others: str) -> None:
        self.metrics: list[Metric] = []
        self._like_others = like_others

    def counter(
        self, name: str, unit: str, *, of: Collection[str], means: str, act: str, labels: Labels | None = None
    ) -> Counter:
        made = Counter(PREFIX + name, means, list(labels or {}))
        return self._add(made, name, unit, of, means, act, labels or {})

    def gauge(
        self, name: str, unit: str, *, of: Collection[str], means: str, act: str, labels: Labels | None = None
    ) -> Gauge:
        made = Gauge(PREFIX + name, means, list(labels or {}))
        return self._add(made, name, unit, of, means, act, labels or {})

    def histogram(
        self,
        name: str,
        unit: str,
        *,
        of: Collection[str],
        means: str,
        act: str,
        buckets: Sequence[float],
        labels: Labels | None = None,
    ) -> Histogram:
        made = Histogram(PREFIX + name, means, list(labels or {}), buckets=buckets)
        return self._add(made, name, unit, of, means, act, labels or {})

    def exposition(self, service: str) -> bytes:
        """Return what a process of this service exports, in the format that Prometheus reads."""
        return generate_latest(self._registry(service))

    def _add(self, made: M, name: str, unit: str, of: Collection[str], means: str, act: str, labels: Labels) -> M:
        closed = [tuple(values) for values in labels.values() if values is not None]
        if labels and len(closed) == len(labels):
            for values in product(*closed):
                made.labels(*values)
        self.metrics.append(Metric(PREFIX + name, unit, labels, means, act, frozenset(of), made))
        return made

    @cache  # noqa: B019 - there is one table, and it lives as long as its process
    def _registry(self, service: str) -> CollectorRegistry:
        named = any(service in metric.services for metric in self.metrics)
        exporter = service if named else self._like_others
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        for metric in self.metrics:
            if exporter in metric.services:
                registry.register(metric.collector)
        return registry
