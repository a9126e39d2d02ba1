"""Dashboards and alerts ask only for what is exported, and what is exported is asked for."""

import re
from pathlib import Path

import pytest
import yaml

from ekiden.metrics import TABLE
from tests.dashboards import OURS, Expression, annotations, expressions, metrics_in

ALERTS = Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yml"
ON_BOARDS = [*expressions(), *annotations()]
ASKED = [
    *ON_BOARDS,
    *(
        Expression("alerts", str(rule.get("alert", rule.get("record"))), rule["expr"])
        for group in yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    ),
]

UNASKED = {
    "ekiden_pruned_cost_usd_total": "for bookkeeping: nobody acts on it",
}
"""Metrics that no panel and no alert needs, each with the reason why it is exported all the same."""

FOREIGN = {
    *("ALERTS", "up"),  # Prometheus's own
    *("process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes", "process_start_time_seconds"),
    *("rabbitmq_alarms_free_disk_space_watermark", "rabbitmq_alarms_memory_used_watermark"),
    *("rabbitmq_detailed_queue_consumers", "rabbitmq_detailed_queue_messages_ready"),
    *("rabbitmq_detailed_queue_messages_unacked", "rabbitmq_process_resident_memory_bytes"),
    *("rabbitmq_resident_memory_limit_bytes", "rabbitmq_global_messages_acknowledged_total"),
    *("rabbitmq_global_messages_confirmed_total", "rabbitmq_global_messages_received_total"),
    *("rabbitmq_global_messages_redelivered_total", "rabbitmq_global_messages_unroutable_returned_total"),
    "rabbitmq_global_messages_dead_lettered_delivery_limit_total",
}
"""What others export and we ask for. RabbitMQ 3.10 and 4.x name these alike; tests/integration sees them."""

BY_PROMETHEUS = {"job", "instance", "alertname", "alertstate", "severity"}
LABELS = {metric.name: metric.labels for metric in TABLE.metrics}

_SELECTOR = re.compile(r"\b([a-zA-Z_:][\w:]*)\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPED = re.compile(r"\bby\s*\(([^)]*)\)")
_SHOWN = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def has(asked: Expression) -> set[str]:
    """The labels of the series an expression is made of."""
    ours = [OURS[name] for name in metrics_in(asked.text) if name in OURS]
    return BY_PROMETHEUS | {"le"} | {label for name in ours for label in LABELS[name]}


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('sum by (le, status) (rate(a_total{x="up{y}", b!~"c"}[$__rate_interval])) * 60 > 0', {"a_total"}),
        ("max(a) + max(b:c) or vector(0)", {"a", "b:c"}),
        ("a / on (x) group_left (y) b < Inf", {"a", "b"}),
        ('count(up{job="x"} == 0) unless on (job) a offset 5m', {"up", "a"}),
        ("1e3 * a", {"a"}),
    ],
)
def test_the_metrics_of_an_expression_are_found(expression: str, names: set[str]) -> None:
    assert metrics_in(expression) == names


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_only_metrics_that_are_exported_are_asked_for(asked: Expression) -> None:
    assert metrics_in(asked.text) <= OURS.keys() | FOREIGN


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_every_label_that_is_matched_is_a_label_of_that_metric_with_a_value_it_has(asked: Expression) -> None:
    """A wrong label is no error to Prometheus: `!=` then matches everything, `=` nothing."""
    for series, matchers in _SELECTOR.findall(asked.text):
        if series not in OURS:
            continue
        labels = LABELS[OURS[series]]
        for label, operator, value in _MATCHER.findall(matchers):
            assert label in {*labels, *BY_PROMETHEUS}, f"{series} has no label {label}"
            allowed = labels.get(label)
            if allowed is not None:
                named = value.split("|") if "~" in operator else [value]
                assert set(named) <= set(allowed), f"{label} of {series} is never {value}"


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_every_label_that_is_grouped_by_or_shown_is_a_label_of_what_is_asked_for(asked: Expression) -> None:
    foreign = metrics_in(asked.text) - OURS.keys()
    grouped = [{label.strip() for label in labels.split(",")} for labels in _GROUPED.findall(asked.text)]
    if not foreign:
        assert set().union(*grouped) <= has(asked)
    shown = set(_SHOWN.findall(asked.legend))
    assert shown <= (grouped[0] if grouped else has(asked)), "the legend shows what the expression has lost"


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_only_counters_are_taken_a_rate_of(asked: Expression) -> None:
    counted = {name for name in OURS if name.endswith(("_total", "_bucket", "_sum", "_count"))}
    for taken in re.findall(r"\b(?:rate|increase|irate)\(([\w:]+)", asked.text):
        assert taken in counted or taken.endswith("_total")


def test_every_metric_is_on_a_board_or_in_an_alert_or_there_is_a_reason() -> None:
    asked = {OURS[name] for one in ASKED for name in metrics_in(one.text) if name in OURS}
    unasked = {metric.name for metric in TABLE.metrics} - asked

    assert unasked == set(UNASKED)


def test_nothing_of_others_is_named_here_that_nobody_asks_for() -> None:
    asked = set().union(*(metrics_in(one.text) for one in ASKED))

    assert FOREIGN - {"up"} <= asked
