"""What Schemathesis cannot make up: sessions in every state, their tasks and drafts, dead letters, cursors.

It loads this module into its own process. `CONFORMANCE_YARD` names a file with the gateway's address and what there is;
`CONFORMANCE_TALLY` one to write how often each operation gave each status.
"""

import atexit
import json
import os
import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import schemathesis
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation

from ekiden_gateway.listing import cursor_at
from ekiden_gateway.views.schedules import BASE as SCHEDULES
from ekiden_gateway.views.session import BASE
from ekiden_gateway.views.webhooks import BASE as WEBHOOKS
from tests.conformance.callers import KEYS, REFUSALS, TESTER, turn

YARD: dict[str, Any] = json.loads(Path(os.environ["CONFORMANCE_YARD"]).read_text())
TALLY: Counter[str] = Counter()
STRANGERS = 0.15
"""The share of calls that keep the id they were made up with, and find nobody."""
ROADS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "pending": ({}, []),
    "active": ({"start": True}, []),
    "approval": ({"start": True, "pauseBefore": ["1.THINK"]}, []),
    "budget": ({"start": True, "budgetUsd": 0.000001}, []),
    "paused": ({"start": True}, ["pause"]),
    "cancelled": ({}, ["cancel"]),
}
"""How to come to a state that no worker is needed for: what to create, and what to say then."""

KEPT = 20
"""Webhooks and schedules: an owner has no more than a hundred of each."""
_CALLERS = {secret: name for name, secret in KEYS.items()}
_calls: Counter[str] = Counter()
_made: dict[str, list[str]] = {WEBHOOKS: [], SCHEDULES: []}
_CREATING = {"createWebhook": (WEBHOOKS, "id"), "createSchedule": (SCHEDULES, "scheduleId")}
_dice = random.Random(0)
_gateway = httpx.Client(base_url=YARD["url"], headers={"X-API-Key": KEYS[TESTER]}, timeout=60, trust_env=False)


def session(state: str) -> str:
    if state in YARD["sessions"]:
        return _dice.choice(YARD["sessions"][state])
    wish, words = ROADS[state]
    created = _gateway.post(f"{BASE}/create", json={"theme": "conformance", **YARD["wish"], **wish})
    session_id: str = created.raise_for_status().json()["sessionId"]
    for word in words:
        _gateway.post(f"{BASE}/{session_id}/{word}").raise_for_status()
    return session_id


def api_key() -> str:
    """One that nobody comes with, so that it may be revoked."""
    made = _gateway.post("/api/keys", json={"client": f"c-{uuid4().hex[:12]}", "scopes": ["read"]})
    key_id: str = made.raise_for_status().json()["id"]
    return key_id


def schedule() -> str:
    """A new one, so that what is deleted, paused or fired is nobody else's."""
    session = {"theme": "conformance", **YARD["wish"]}
    wish = {"name": "conformance", "cron": "0 9 1 1 *", "timeZone": "Asia/Tokyo", "session": session}
    schedule_id: str = _gateway.post(SCHEDULES, json=wish).raise_for_status().json()["scheduleId"]
    _made[SCHEDULES].append(schedule_id)
    return schedule_id


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    if "Idempotency-Key" in case.headers and len(str(case.headers["Idempotency-Key"])) <= 200:
        case.headers["Idempotency-Key"] += uuid4().hex  # a client's part: a new request has a new key
    if "If-Match" in case.headers and _dice.random() < 0.5:
        case.headers["If-Match"] = "*"  # whatever the draft is now
    _come_as_somebody(case)
    places = case.path_parameters
    if not places or case.meta is None or case.meta.phase.name.value == "stateful" or _dice.random() < STRANGERS:
        return
    if _is_misled(case):
        return  # on purpose, and perhaps nothing else of the call is wrong
    if "sessionId" in places:
        _locate(case, places)
    if "scheduleId" in places:
        places["scheduleId"] = schedule()
    if "webhookId" in places:
        _tell(case, places)
    if "letterId" in places:
        places["letterId"] = _dice.choice(YARD["letters"])
    if "keyId" in places:
        places["keyId"] = api_key()
    if "name" in places:
        places["name"] = _dice.choice(["viral-content", "not-found"])
    if "token" in places:
        places["token"] = _link()
    if "provider" in places:
        places["provider"] = _dice.choice(["gpt", "perplexity"])


def _come_as_somebody(case: schemathesis.Case[Any]) -> None:
    """Some calls of each operation come from those who may not make them. A chain of calls is one caller's."""
    operation = case.operation
    chained = case.meta is None or case.meta.phase.name.value == "stateful"
    if chained or not _is_locked(case) or case.method.lower() != operation.method:
        return
    places = frozenset(case.path_parameters or ())
    who = turn(_calls[operation.label], method=operation.method, places=places)
    _calls[operation.label] += 1
    if who != TESTER:  # whose key is there, unless it is wrong on purpose
        case.headers["X-API-Key"] = KEYS[who]


def _is_locked(case: schemathesis.Case[Any]) -> bool:
    return bool(case.operation.definition.raw.get("security"))


@schemathesis.check
def turned_away_at_the_door(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """Whoever may not come in, or comes to what is another's, is told that and nothing else."""
    who = _CALLERS.get(str(response.request.headers.get("X-API-Key")), TESTER)
    if who not in REFUSALS or not _is_locked(case) or not _is_asked(response, case) or _is_misled(case):
        return
    assert response.status_code in REFUSALS[who], f"{who} got {response.status_code} of {case.operation.label}"


def _is_misled(case: schemathesis.Case[Any]) -> bool:
    """Whether the path is wrong on purpose, and may lead to no route at all."""
    made = case.meta.components.get(ParameterLocation.PATH) if case.meta else None
    return made is not None and made.mode.is_negative


def _is_asked(response: schemathesis.Response, case: schemathesis.Case[Any]) -> bool:
    return str(response.request.method).lower() == case.operation.method


def _locate(case: schemathesis.Case[Any], places: Any) -> None:
    if "conceptNumber" in places or "taskId" in places:
        places["sessionId"] = session("completed")
    else:
        places["sessionId"] = session(_dice.choice([*ROADS, *YARD["sessions"]]))
    if "conceptNumber" in places:
        places["conceptNumber"] = 1
    first_task = f"{places['sessionId']}.1T.g1.0"
    if "taskId" in places:
        places["taskId"] = first_task
    if isinstance(case.body, dict) and isinstance(case.body.get("taskId"), str):
        case.body["taskId"] = first_task
    if isinstance(case.body, dict) and "gate" in case.body and _dice.random() < 0.5:
        places["sessionId"], case.body["gate"] = session("approval"), "before:1.THINK"


def _link() -> str:
    made = _gateway.post(f"{BASE}/{session('approval')}/gate-link").raise_for_status()
    link: str = made.json()["apiUrl"]
    return link.rpartition("/")[2]


def _tell(case: schemathesis.Case[Any], places: Any) -> None:
    """A webhook of its own for each call: another may have been deleted, or disabled."""
    places["webhookId"] = _gateway.post(WEBHOOKS, json={"url": "https://example.com/hook"}).json()["id"]
    _made[WEBHOOKS].append(places["webhookId"])
    if "deliveryId" in places:
        ping = _gateway.post(f"{WEBHOOKS}/{places['webhookId']}/test")
        places["deliveryId"] = ping.raise_for_status().json()["id"]


@schemathesis.hook
def after_call(
    context: schemathesis.HookContext, case: schemathesis.Case[Any], response: schemathesis.Response
) -> None:
    operation = case.operation.definition.raw.get("operationId", case.operation.label)
    if operation == "openBreaker" and response.status_code == 200:
        _gateway.post(f"/api/providers/{case.path_parameters['provider']}/close").raise_for_status()
    if operation in _CREATING and response.status_code == 201:
        base, name = _CREATING[operation]
        _made[base].append(json.loads(response.content)[name])
    for base, ids in _made.items():
        while len(ids) > KEPT:
            _gateway.delete(f"{base}/{ids.pop(0)}")
    TALLY[f"{operation} {response.status_code if _is_asked(response, case) else 'another method'}"] += 1


@atexit.register
def _write_tally() -> None:
    Path(os.environ["CONFORMANCE_TALLY"]).write_text(json.dumps(TALLY, indent=1, sort_keys=True))


def _cursors(kind: str) -> st.SearchStrategy[str]:
    moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - as it asks
    return st.builds(lambda moment, last: cursor_at(moment, f"{kind}_{last.hex}"), moments, st.uuids())


schemathesis.openapi.format("session-cursor", _cursors("ses"))
schemathesis.openapi.format("dead-letter-cursor", _cursors("dl"))
schemathesis.openapi.format("key-cursor", _cursors("key"))
schemathesis.openapi.format("schedule-cursor", _cursors("sch"))
schemathesis.openapi.format("run-cursor", _cursors("run"))
schemathesis.openapi.format("cron", st.sampled_from(["* * * * *", "0 9 * * MON-FRI", "30 2 1,L * *", "0 0 29 FEB *"]))
schemathesis.openapi.format("time-zone", st.sampled_from(["UTC", "Asia/Tokyo", "Europe/Berlin", "America/New_York"]))
schemathesis.openapi.format("webhook-cursor", _cursors("whk"))
schemathesis.openapi.format("delivery-cursor", _cursors("msg"))
