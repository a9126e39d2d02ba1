"""The table of metrics: each row is whole, says what to do, and its page is not out of date."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ekiden.metric import Metric
from ekiden.metrics import CALL_BUCKETS, CAUSES, EVERYBODY, TABLE
from ekiden.metrics_page import page

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
GATEWAY, ORCHESTRATOR = {"gateway"}, {"orchestrator"}
WORKERS, RELAYS = {"gpt-worker", "perplexity-worker"}, {"gateway", "orchestrator"}
PROMISED = {
    "sessions_started_total": RELAYS,
    "sessions_finished_total": RELAYS,
    "session_duration_seconds": RELAYS,
    "step_duration_seconds": RELAYS,
    "step_handoff_seconds": RELAYS,
    "tasks_outstanding": ORCHESTRATOR,
    "provider_requests_total": WORKERS,
    "provider_request_duration_seconds": WORKERS,
    "provider_tokens_total": WORKERS,
    "provider_cost_usd_total": WORKERS,
    "cost_saved_usd_total": RELAYS,
    "task_retries_total": WORKERS,
    "lease_takeovers_total": ORCHESTRATOR,
    "outcome_unknown_total": ORCHESTRATOR | WORKERS,
    "cas_conflicts_total": RELAYS,
    "reconciler_repairs_total": ORCHESTRATOR,
    "sessions_waiting": ORCHESTRATOR,
    "sessions_stalled": ORCHESTRATOR,
    "dead_letters": ORCHESTRATOR,
    "provider_breaker_open": ORCHESTRATOR | WORKERS,
    "webhook_deliveries_total": ORCHESTRATOR,
    "http_requests_total": GATEWAY,
    "http_request_duration_seconds": GATEWAY,
}
"""INTERFACE's names, and who exports them."""


def samples(service: str) -> dict[str, int]:
    """How many series a process that has just started exports, by the name of their metric."""
    families = text_string_to_metric_families(TABLE.exposition(service).decode())
    return {f"{family.name}{'_total' * (family.type == 'counter')}": len(family.samples) for family in families}


@pytest.mark.parametrize("metric", TABLE.metrics, ids=lambda metric: metric.name)
def test_a_metric_says_what_it_counts_what_it_means_and_what_to_do(metric: Metric) -> None:
    assert metric.unit
    assert metric.means.endswith(".")
    assert metric.act.endswith(".")
    assert metric.services
    assert metric.services <= set(EVERYBODY)


@pytest.mark.parametrize("metric", TABLE.metrics, ids=lambda metric: metric.name)
def test_a_metrics_name_ends_in_its_unit_and_a_counters_in_total(metric: Metric) -> None:
    stem, counts = metric.name.removesuffix("_total"), metric.name.endswith("_total")

    assert counts == (metric.kind == "counter")
    assert stem.endswith("_seconds") == (metric.unit == "seconds")
    assert stem.endswith("_usd") == (metric.unit == "USD")


@pytest.mark.parametrize("metric", TABLE.metrics, ids=lambda metric: metric.name)
def test_no_label_holds_an_id(metric: Metric) -> None:
    assert not any(name.endswith("id") or name in {"session", "task", "run", "worker"} for name in metric.labels)


def test_every_name_that_was_promised_is_exported_by_whom_it_was_promised() -> None:
    exported = {metric.name.removeprefix("ekiden_"): metric.services for metric in TABLE.metrics}

    assert {name: set(exported[name]) for name in PROMISED} == PROMISED


@pytest.mark.parametrize("service", EVERYBODY)
def test_a_service_exports_its_own_metrics_and_no_others(service: str) -> None:
    ours = {name for name in samples(service) if name.startswith("ekiden_")}

    assert ours == {metric.name for metric in TABLE.metrics if service in metric.services}


def test_series_whose_labels_are_closed_sets_are_there_before_anything_happened() -> None:
    found = samples("orchestrator")

    assert found["ekiden_tasks_outstanding"] == 4
    assert found["ekiden_sessions_waiting"] == 5
    assert found["ekiden_reconciler_repairs_total"] == len(CAUSES)


def test_calls_and_messages_are_measured_up_to_five_minutes() -> None:
    assert CALL_BUCKETS[-1] == 300
    for name in ("provider_request_duration_seconds", "received_processed_messages_duration_seconds"):
        metric = next(metric for metric in TABLE.metrics if metric.name == f"ekiden_{name}")
        assert metric.collector._kwargs["buckets"] == CALL_BUCKETS


def test_the_page_in_the_docs_is_the_one_of_the_table() -> None:
    assert PAGE.read_text("utf-8") == page(), "stale: run `make docs`"
