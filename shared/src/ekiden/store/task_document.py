"""A task as it is written down when it is created, and what is read of it when it has ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ekiden.domain.ids import Micros, TaskId, TaskName
from ekiden.domain.messages import Outcome, TaskStatus
from ekiden.domain.plan import Provider
from ekiden.retry import UnknownOutcome
from ekiden.store import task_writes as write
from ekiden.store.database import Document
from ekiden.workflow.record import Answer


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task as its order and its rendering make it. A `doubted` one waits for a person before it is ever sent."""

    name: TaskName
    tenant: str
    provider: Provider
    request: Mapping[str, object]
    request_hash: str
    on_unknown: UnknownOutcome
    cap: Micros
    doubted: bool = False
    traceparent: str = ""
    """Where in a trace it was ordered: a message that says so may be lost."""
    fallback_reason: str = ""
    """Why it is asked of somebody else than its step names first."""
    may_fall_back: bool = False
    """Whether its step names another provider, so that it need not wait for this one's breaker."""
    recorded: Answer | None = None
    """The answer that was bought to the same request before: it is never sent."""
    cache_seconds: float | None = None
    """How old a bought search may be to answer it, where its workflow says so."""


def ordered(task: NewTask, now: datetime) -> Document:
    """A task that is to be done; one with a recorded answer has ended, a doubted one waits for a person."""
    document = queued(task, now)
    if task.recorded is not None:
        return _answered(document, task.recorded, now)
    return _doubted(document, now) if task.doubted else document


def tombstone(task_id: TaskId, tenant: str, provider: Provider, now: datetime) -> Document:
    """What takes the place of a task that nobody waits for any more, and that was never created."""
    nobody = NewTask(TaskName.parse(task_id), tenant, provider, {}, "", UnknownOutcome.ASK, Micros(0))
    known = {name: value for name, value in queued(nobody, now).items() if name != "announceAt"}
    return known | {"status": TaskStatus.CANCELLED.value, "finishedAt": now}


def outcome(row: Mapping[str, Any]) -> Outcome:
    """What the decision needs of a task; the result only where it was read."""
    error: Mapping[str, Any] = row.get("error") or {}
    return Outcome(
        status=TaskStatus(row["status"]),
        result=row.get("result"),
        error=error.get("error", ""),
        message=error.get("message", ""),
        billed=Micros(row.get("billed", 0)),
        saved=Micros(row.get("saved", 0)),
        may_pass=error.get("mayPass", False),
        too_long=error.get("tooLong", False),
        resend=error.get("error") == write.RESEND_ASKED,
        finished_at=row.get("finishedAt"),
        maybe_paid=any(submission["outcome"] == "unknown" for submission in row.get("submissions", ())),
    )


def _answered(document: Document, answer: Answer, now: datetime) -> Document:
    """A task with a recorded answer, as `write.from_cache` would have left it."""
    known = {name: value for name, value in document.items() if name != "announceAt"}
    marks = {"flags": list(answer.flags), "simulated": answer.simulated, "cachedFrom": answer.task_id}
    times = {"startedAt": now, "finishedAt": now}
    return known | marks | times | {"status": "COMPLETED", "result": answer.result, "saved": answer.saved}


def _doubted(document: Document, now: datetime) -> Document:
    """A task of a restored session, as `write.doubt` would have left it had it been in the backup."""
    cap = document["cap"]
    lost = {"epoch": 1, "sentAt": now, "endedAt": now, "outcome": "unknown", "billed": cap, "error": write.RESTORED}
    error = {"error": "OutcomeUnknown", "message": write.WHY_DOUBTED, "mayPass": False, "tooLong": False}
    known = {name: value for name, value in document.items() if name != "announceAt"}
    unknown = {"status": TaskStatus.OUTCOME_UNKNOWN.value, "startedAt": now, "bookedAt": now, "error": error}
    return known | unknown | {"epoch": 1, "submissions": [lost], "billed": cap}


def queued(task: NewTask, now: datetime) -> Document:
    name = task.name
    return {
        "_id": name.id,
        "schemaVersion": 1,
        "sessionId": name.session,
        "tenant": task.tenant,
        "provider": task.provider.value,
        "phase": name.position.phase,
        "step": name.position.step.value,
        "generation": name.generation,
        "index": name.index,
        "request": dict(task.request),
        **({"model": task.request["model"]} if "model" in task.request else {}),
        "requestHash": task.request_hash,
        "onUnknown": task.on_unknown.value,
        "cap": task.cap,
        "status": TaskStatus.QUEUED.value,
        "epoch": 0,
        "worker": None,
        "runId": None,
        "notBefore": None,
        "announceAt": now + timedelta(seconds=write.ANNOUNCE_AGAIN_SECONDS),
        "announced": 0,
        "submissions": [],
        "billed": 0,
        "createdAt": now,
        **({"traceparent": task.traceparent} if task.traceparent else {}),
        **({"fallbackReason": task.fallback_reason} if task.fallback_reason else {}),
        **({"mayFallBack": True} if task.may_fall_back else {}),
        **({"cacheSeconds": task.cache_seconds} if task.cache_seconds is not None else {}),
    }
