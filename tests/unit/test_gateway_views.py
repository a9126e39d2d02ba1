"""From what is stored to what is shown: camelCase, USD, UTC with a Z, and nothing internal."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from ekiden.domain.ids import Micros, SessionId, TaskId
from ekiden.domain.plan import Provider
from ekiden.domain.session import Money, Session
from ekiden.retry import UnknownOutcome
from ekiden.store.providers import ProviderState
from ekiden.store.task_facts import read_fact
from ekiden.workflow.sources import Sources
from ekiden_gateway import items, listing
from ekiden_gateway.models import forecast, health, parts, requests, sessions
from ekiden_gateway.models.wire import micros, usd
from ekiden_gateway.problems import Problem
from ekiden_gateway.views import drafts, events, providers, tasks
from ekiden_gateway.views import session as session_views
from tests.fakes.workflow import small_package

AT = datetime(2026, 11, 22, 9, 30, 0, 120000, tzinfo=UTC)
ID = SessionId("ses_" + "b" * 32)
POLICIES = {Provider.GPT: UnknownOutcome.RESEND, Provider.PERPLEXITY: UnknownOutcome.ASK}
WORKFLOW = small_package().compile(POLICIES)


def a_session() -> Session:
    money = Money(Micros(1_000_000), {TaskId("a"): Micros(60_000)}, {TaskId("b"): Micros(1_234)}, Micros(5))
    return Session(ID, "ada", "small@1", {"theme": "t"}, "en", AT, money, webhook_url="https://x.example/hook")


def a_task(**more: Any) -> dict[str, Any]:
    submission = {"epoch": 1, "sentAt": AT, "endedAt": AT, "outcome": "completed", "billed": 1234, "inputTokens": 7}
    return {
        "_id": f"{ID}.1E.g1.0",
        "sessionId": ID,
        "tenant": "ada",
        "provider": "perplexity",
        "phase": 1,
        "step": "EXECUTE",
        "generation": 1,
        "index": 0,
        "request": {"user": "u"},
        "requestHash": "h",
        "onUnknown": "ask",
        "cap": 50_000,
        "status": "COMPLETED",
        "epoch": 1,
        "worker": "w",
        "submissions": [submission],
        "billed": 1234,
        "createdAt": AT,
        "finishedAt": AT,
    } | more


def shown(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True)


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


def test_money_is_shown_in_usd_and_read_exactly() -> None:
    assert shown(session_views.cost(a_session().money)) == {
        "spentUsd": 0.001234,
        "reservedUsd": 0.06,
        "budgetUsd": 1.0,
        "savedUsd": 0.000005,
    }
    assert all(micros(usd(amount)) == amount for amount in range(0, 2_000_000, 777))


def test_times_are_utc_with_a_z() -> None:
    assert shown(session_views.summary(a_session()))["createdAt"] == "2026-11-22T09:30:00.120000Z"


def test_a_session_shows_nothing_internal() -> None:
    body = shown(session_views.whole(a_session(), Sources(())))
    assert not {"owner", "_id", "schemaVersion", "gatesPassed", "reserved", "settled", "history"} & set(keys_of(body))
    assert all("_" not in key for key in body)


def test_a_task_has_all_fields_of_the_first_version() -> None:
    body = shown(tasks.task(a_task()))
    old = "id type sessionId phaseNumber stepName request response status retryCount error"
    assert {*old.split(), "createdAt", "startedAt", "completedAt"} <= set(body)
    assert (body["type"], body["costUsd"], body["capUsd"]) == ("PERPLEXITY_SEARCH", 0.001234, 0.05)
    assert body["submissions"][0]["costUsd"] == 0.001234
    assert not {"worker", "tenant", "requestHash", "onUnknown"} & set(keys_of(body))


def test_a_claim_after_which_nothing_was_sent_is_no_retry() -> None:
    sent = [
        {"epoch": n, "sentAt": AT, "outcome": outcome} for n, outcome in enumerate(["not_sent", "refused", "pending"])
    ]
    assert tasks.retry_count(a_task(submissions=sent)) == 1
    assert tasks.retry_count(a_task(submissions=[])) == 0


def test_a_fact_is_dated_by_what_happened_last() -> None:
    late = AT.replace(hour=10)
    submission = {"epoch": 1, "sentAt": late, "outcome": "accepted"}
    running = a_task(status="SUBMITTED", finishedAt=None, submissions=[submission])
    assert read_fact(running).since == late
    assert read_fact(a_task(status="QUEUED", finishedAt=None)).since == AT


def test_a_draft_keeps_its_fields_and_its_mark() -> None:
    document = {
        "conceptNumber": 1,
        "fields": {"title": "T", "hashtags": ["#a"]},
        "flags": ["content_too_long"],
        "status": "DRAFT",
        "editedContent": None,
        "createdAt": AT,
    }
    body = shown(drafts.draft(document, simulated=True))
    assert (body["title"], body["simulated"], body["flags"]) == ("T", True, ["content_too_long"])
    assert drafts.drafts(a_session(), [document], simulated=False).total_drafts == 1


def test_an_event_of_a_stream_is_numbered_by_version() -> None:
    document = {
        "version": 3,
        "at": AT,
        "cause": "Look",
        "status": "THINKING",
        "waitingReason": None,
        "phase": 1,
        "step": "THINK",
        "events": [{"type": "StepStarted", "phase": 1, "step": "THINK", "detail": "a\nb"}],
    }
    lines = events.transition(document).decode().split("\n")
    assert lines[0] == "event: session"
    assert lines[1].startswith('data: {"id":3,')
    assert lines[2:] == ["id: 3", "", ""]


def test_a_cursor_comes_back_as_it_was() -> None:
    assert listing.read_cursor(listing.cursor(a_session())) == (AT, ID)
    too_late = base64.urlsafe_b64encode(f"{'9' * 15}|{ID}".encode()).decode()
    for wrong in ("", "x", "éé", "MTIz", too_late, listing.cursor_at(AT, f"dl_{'0' * 32}")):
        with pytest.raises(Problem):
            listing.read_cursor(wrong)


def test_a_moment_out_of_the_calendar_is_the_nearest_in_it() -> None:
    moment = TypeAdapter[datetime](listing.Moment)
    assert moment.validate_python("0001-01-01T00:00:00+14:00").year == 1970
    assert moment.validate_python("9999-12-31T23:59:59-14:00").year == 9000
    for wrong in ("1700000000", 1700000000, "2026-11-22", "2026-11-22T09:30:00"):
        with pytest.raises(ValidationError):
            moment.validate_python(wrong)


def test_a_filter_is_never_a_query() -> None:
    wanted = listing.Wanted("ada", workflow=".*", metadata=["a:$ne"])
    assert wanted.filters() == {
        "owner": "ada",
        "workflow": {"$gte": ".*@", "$lt": ".*A"},
        "$and": [{"metadata.a": "$ne"}],
    }
    with pytest.raises(Problem):
        listing.Wanted("ada", metadata=["a.$where:1"]).filters()


def test_an_edited_text_is_an_items_question() -> None:
    position = items.fan_out_of(1, WORKFLOW)
    assert items.edited(a_session(), position, ["Why?"], WORKFLOW) == ({"question": "Why?"},)
    for wrong in ([{"other": "x"}], [{"question": "x", "more": "y"}], ["x"] * 6):
        with pytest.raises(Problem):
            items.edited(a_session(), position, wrong, WORKFLOW)


EXAMPLED = [
    model
    for module in (forecast, health, parts, requests, sessions)
    for model in vars(module).values()
    if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ == module.__name__
]


@pytest.mark.parametrize("model", EXAMPLED, ids=lambda model: model.__name__)
def test_the_example_of_a_model_is_one(model: type[BaseModel]) -> None:
    for example in model.model_json_schema().get("examples", []):
        model.model_validate(example)


@pytest.mark.parametrize("off_ms", [-30, 0, 30])
def test_a_clock_that_is_a_little_off_puts_nobody_into_the_line_for_a_rate(off_ms: int) -> None:
    state = ProviderState(rate_per_minute=6, slot_at=AT + timedelta(seconds=10, milliseconds=off_ms))

    assert providers.provider(Provider.GPT, state, AT).rate_slots_ahead == 1
