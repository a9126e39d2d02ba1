"""Traces: nothing at all unless asked for; then one chain, whoever goes on with it and from where."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from ekiden import tracing
from tests.fakes.collector import Collector, collecting, place

ABOUT = {"ekiden.session.id": "ses_1"}
OTHER_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


# ── off ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_an_endpoint_nothing_of_the_sdk_is_imported_and_nothing_is_traced() -> None:
    """In a process of its own, as a service starts."""
    script = """
import sys
from ekiden import tracing
import ekiden.worker.service, ekiden_orchestrator.app
tracing.start("orchestrator")
with tracing.span("work", {"a": 1}, "CLIENT", within="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"):
    tracing.note({"b": 2})
    assert (tracing.here(), tracing.headers(), tracing.ids()) == ("", {}, {})
assert (tracing.provider(), tracing.is_on()) == (None, False)
heavy = {"opentelemetry.trace", "opentelemetry.sdk", "opentelemetry.exporter", "google.protobuf", "requests"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_disabled_sdk_is_off_whatever_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    tracing.start("orchestrator")
    assert not tracing.is_on()


def test_off_a_stored_place_is_not_gone_on_from() -> None:
    with tracing.continued(OTHER_TRACE), tracing.span("work", ABOUT):
        assert tracing.here() == ""


# ── on ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_service_sends_under_its_own_name(collector: Collector) -> None:
    with tracing.span("work", ABOUT):
        pass
    resource = collector.named("work").resource.attributes
    assert (resource["service.namespace"], resource["service.name"]) == ("ekiden", "tests")


def test_a_stored_place_is_gone_on_from_where_nothing_else_led_here(collector: Collector) -> None:
    with tracing.span("ordered", ABOUT):
        stored = tracing.here()
    with tracing.span("decided", ABOUT, after=stored):
        pass
    with tracing.span("worked", ABOUT, within=stored):
        pass
    assert collector.path(collector.named("decided")) == ["ordered", "decided"]
    assert collector.path(collector.named("worked")) == ["ordered", "worked"]


def test_work_belongs_to_the_trace_that_ordered_it_whatever_message_woke_the_worker(collector: Collector) -> None:
    with tracing.span("woken", ABOUT), tracing.span("worked", ABOUT, within=OTHER_TRACE):
        pass
    worked, woken = collector.named("worked"), collector.named("woken")
    assert worked.parent is not None
    assert worked.parent.span_id == 0xB7AD6B7169203331
    assert [link.context.span_id for link in worked.links] == [place(woken).span_id]


def test_work_stays_below_the_message_that_woke_the_worker_in_the_same_trace(collector: Collector) -> None:
    with tracing.span("ordered", ABOUT):
        stored = tracing.here()
        with tracing.span("woken", ABOUT), tracing.span("worked", ABOUT, within=stored):
            pass
    worked = collector.named("worked")
    assert collector.path(worked) == ["ordered", "woken", "worked"]
    assert not worked.links


def test_a_persons_word_begins_a_trace_of_its_own_linked_to_the_one_before(collector: Collector) -> None:
    with tracing.span("asked", ABOUT), tracing.span("decided", ABOUT, after=OTHER_TRACE):
        pass
    decided = collector.named("decided")
    assert collector.path(decided) == ["asked", "decided"]
    assert [link.context.span_id for link in decided.links] == [0xB7AD6B7169203331]


@pytest.mark.parametrize("odd", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "00-é"])
def test_a_place_that_is_none_begins_a_new_trace(collector: Collector, odd: str) -> None:
    with tracing.span("worked", ABOUT, within=odd):
        pass
    worked = collector.named("worked")
    assert worked.parent is None
    assert not worked.links


def test_a_trace_that_was_not_sampled_where_it_began_is_sent_by_nobody(collector: Collector) -> None:
    with tracing.span("worked", ABOUT, within=UNSAMPLED):
        assert tracing.here().endswith("-00")
    assert collector.spans == ()


def test_a_place_without_a_span_of_its_own_goes_into_the_headers_of_a_message(collector: Collector) -> None:
    with tracing.continued(OTHER_TRACE):
        assert tracing.headers() == {"traceparent": OTHER_TRACE}
    assert tracing.headers() == {}


def test_an_errors_class_is_told_and_its_text_is_not(collector: Collector) -> None:
    with pytest.raises(ValueError), tracing.span("sent", ABOUT, "CLIENT"):
        raise ValueError("Authorization: Bearer sk-secret")
    sent = collector.named("sent")
    assert sent.kind is SpanKind.CLIENT
    assert sent.status.status_code is StatusCode.ERROR
    assert sent.attributes is not None
    assert sent.attributes["error.type"] == "ValueError"
    assert "sk-secret" not in sent.to_json()


def test_log_lines_can_name_the_span_they_were_written_in(collector: Collector) -> None:
    assert tracing.ids() == {}
    with tracing.span("worked", ABOUT):
        named = tracing.ids()
    assert named == {
        "trace_id": f"{place(collector.named('worked')).trace_id:032x}",
        "span_id": f"{place(collector.named('worked')).span_id:016x}",
    }
