"""The page of all metrics, made from their table.

`python -m ekiden.metrics_page > docs/metrics.md` makes the page; a test fails when it is stale.
"""

import sys
from collections.abc import Iterator

from ekiden.metric import Metric
from ekiden.metrics import EVERYBODY, TABLE

_HEAD = """\
# Metrics

Made by `python -m ekiden.metrics_page > docs/metrics.md` from the table of `ekiden.metrics`: do not edit.

Every process answers `/metrics` with its own metrics and the usual `process_*` ones (memory, CPU, open files). A
histogram has the series `_bucket`, `_sum` and `_count`. Gauges that only orchestrators export are of the whole system
and the same in each of them: take `max()`. Of everything else take `sum()`. The broker's own metrics come from its
plugin `rabbitmq_prometheus`. What to do when an alert fires is in the [runbook](runbook/alerts.md).
"""


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join([_HEAD, *(line for metric in TABLE.metrics for line in _entry(metric))])


def _entry(metric: Metric) -> Iterator[str]:
    yield f"## {metric.name}"
    yield ""
    yield f"{metric.kind.capitalize()} of {metric.unit}, exported by {_exporters(metric)}.{_labels(metric)}"
    yield ""
    yield metric.means
    yield ""
    yield f"*When it moves:* {metric.act}"
    yield ""


def _exporters(metric: Metric) -> str:
    return "every service" if metric.services == frozenset(EVERYBODY) else " and ".join(sorted(metric.services))


def _labels(metric: Metric) -> str:
    if not metric.labels:
        return ""
    each = (f"`{name}` ({', '.join(values)})" if values else f"`{name}`" for name, values in metric.labels.items())
    return f" Labels: {', '.join(each)}."


if __name__ == "__main__":
    sys.stdout.write(page())
