"""What is told of a session, and under which ids."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ekiden.domain.ids import SessionId
from ekiden.webhooks.endpoint import Secret, Webhook, of_session
from ekiden.webhooks.events import SESSION_PATH, EventKind, Told, told
from ekiden_gateway.views.session import session_url

AT = datetime(2026, 11, 22, 9, 30, 0, 123_000, tzinfo=UTC)
SESSION = SessionId("ses_" + "0" * 32)


def entry(*types: str, status: str = "THINKING", reason: str | None = None, **more: Any) -> dict[str, Any]:
    events = [{"type": name, "phase": 1, "step": None, "detail": ""} for name in types]
    made = {"version": 7, "at": AT, "status": status, "waitingReason": reason, "phase": 2, "step": "THINK"}
    return made | {"events": events} | more


def one(*types: str, **more: Any) -> Told:
    (found,) = told(SESSION, entry(*types, **more))
    return found


@pytest.mark.parametrize(
    ("types", "kinds"),
    [
        (["SessionStarted", "StepStarted"], ["session.started"]),
        (["StepCompleted", "StepStarted"], []),
        (["StepCompleted", "PhaseCompleted", "StepStarted"], ["session.phase_completed"]),
        (["StepCompleted", "PhaseCompleted", "GateReached"], ["session.phase_completed", "session.waiting"]),
        (["BudgetReached"], ["session.waiting"]),
        (["OutcomeUnknown"], ["session.waiting"]),
        (["SessionPaused"], ["session.waiting"]),
        (["RetryScheduled"], []),
        (["PhaseCompleted", "SessionCompleted"], ["session.phase_completed", "session.completed"]),
        (["SessionFailed"], ["session.failed"]),
        (["SessionCancelled"], ["session.cancelled"]),
        (["SessionCreated"], []),
        (["AnEventOfALaterVersion"], []),
        (["PhaseCompleted", "PhaseCompleted"], ["session.phase_completed"]),
    ],
)
def test_what_happened_is_told_as_kinds_to_choose_from(types: list[str], kinds: list[str]) -> None:
    assert [found.kind for found in told(SESSION, entry(*types))] == kinds


def test_every_kind_can_happen() -> None:
    from ekiden.webhooks.events import KINDS

    assert set(KINDS.values()) == set(EventKind)


def test_a_payload_has_ids_and_no_results() -> None:
    payload = json.loads(one("GateReached", status="WAITING", reason="approval").body)
    assert payload == {
        "type": "session.waiting",
        "timestamp": "2026-11-22T09:30:00.123Z",
        "data": {
            "sessionId": SESSION,
            "status": "WAITING",
            "waitingReason": "approval",
            "phase": 1,
            "step": "THINK",
            "version": 7,
            "url": session_url(SESSION),
        },
    }
    assert session_url(SESSION) == f"{SESSION_PATH}/{SESSION}"


def test_an_id_says_what_is_told_and_to_whom() -> None:
    found = one("SessionFailed")
    others = [
        found.id_for("whk_2"),
        replace(found, version=8).id_for("whk_1"),
        replace(found, kind=EventKind.WAITING).id_for("whk_1"),
        replace(found, at=AT + timedelta(milliseconds=1)).id_for("whk_1"),
        replace(found, session_id=SessionId("ses_" + "1" * 32)).id_for("whk_1"),
    ]
    assert found.id_for("whk_1") == one("SessionFailed").id_for("whk_1")
    assert len({found.id_for("whk_1"), *others}) == 6


# ── who hears of it ──────────────────────────────────────────────────────────────────────────────────────


def webhook(**more: Any) -> Webhook:
    return replace(Webhook("whk_1", "me", "https://a.example/", "a.example", AT, AT, (Secret("s"),)), **more)


@pytest.mark.parametrize(
    ("more", "hears"),
    [
        ({}, True),
        ({"events": frozenset({EventKind.FAILED, EventKind.WAITING})}, True),
        ({"events": frozenset({EventKind.COMPLETED})}, False),
        ({"disabled_at": AT}, False),
        ({"hears_since": AT + timedelta(milliseconds=1)}, False),
        ({"hears_since": AT - timedelta(days=1)}, True),
    ],
)
def test_a_webhook_hears_of_what_it_chose_while_it_is_enabled(more: dict[str, Any], *, hears: bool) -> None:
    assert webhook(**more).hears(one("SessionFailed")) is hears


def test_all_sessions_of_an_owner_that_name_an_address_have_one_webhook() -> None:
    ids = {of_session(owner, url) for owner in ("me", "you") for url in ("https://a.example/", "https://b.example/")}
    assert of_session("me", "https://a.example/") == of_session("me", "https://a.example/")
    assert len(ids) == 4
