"""How a schedule is written down. The session it begins is a session's own document, without what only a run has."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ekiden.domain.cron import Cron
from ekiden.domain.ids import Micros, ScheduleId, SessionId
from ekiden.domain.schedule import Outcome, Overlap, Reason, Run, Schedule
from ekiden.store.database import Document
from ekiden.store.session_document import from_document as read_session
from ekiden.store.session_document import to_document as write_session

SCHEMA_VERSION = 1


def to_document(schedule: Schedule) -> Document:
    """`queuedAt` and `decidedAt` are there for the indexes that find what is left to do."""
    return {
        "_id": schedule.id,
        "schemaVersion": SCHEMA_VERSION,
        "owner": schedule.owner,
        "name": schedule.name,
        "cron": schedule.cron.expression,
        "timeZone": schedule.cron.zone,
        "overlap": schedule.overlap.value,
        "catchUpSeconds": schedule.catch_up.total_seconds(),
        "budget": schedule.budget,
        "session": write_session(schedule.session),
        "asked": dict(schedule.asked),
        "createdAt": schedule.created_at,
        "updatedAt": schedule.updated_at,
        "nextAt": schedule.next_at,
        "pausedAt": schedule.paused_at,
        "pauseReason": schedule.pause_reason,
        "queued": run_to_document(schedule.queued) if schedule.queued else None,
        "queuedAt": schedule.queued.at if schedule.queued else None,
        "decided": [run_to_document(run) for run in schedule.decided],
        "decidedAt": schedule.decided_at,
        "lastRun": run_to_document(schedule.last_run) if schedule.last_run else None,
        "version": schedule.version,
        "revision": schedule.revision,
    }


def from_document(document: Mapping[str, Any]) -> Schedule:
    """Read a schedule. Unknown fields are ignored and missing ones have defaults, so that versions can mix."""
    budget = document.get("budget")
    return Schedule(
        id=ScheduleId(document["_id"]),
        owner=document["owner"],
        name=document["name"],
        cron=Cron(document["cron"], document["timeZone"]),
        session=read_session(document["session"]),
        asked=document["asked"],
        created_at=document["createdAt"],
        overlap=Overlap(document["overlap"]),
        catch_up=timedelta(seconds=document["catchUpSeconds"]),
        budget=Micros(budget) if budget is not None else None,
        next_at=document.get("nextAt"),
        paused_at=document.get("pausedAt"),
        pause_reason=document.get("pauseReason", ""),
        queued=_read_run(document.get("queued")),
        decided=tuple(read_run(run) for run in document.get("decided", ())),
        decided_at=document.get("decidedAt"),
        last_run=_read_run(document.get("lastRun")),
        version=document["version"],
        revision=document.get("revision", 0),
        updated_at=document.get("updatedAt"),
    )


def run_to_document(run: Run) -> Document:
    return {
        "at": run.at,
        "outcome": run.outcome.value,
        "reason": run.reason.value if run.reason else None,
        "lastAt": run.last_at,
        "ticks": run.ticks,
        "order": run.order,
        "cancels": list(run.cancels),
    }


def read_run(document: Mapping[str, Any]) -> Run:
    reason = document.get("reason")
    return Run(
        at=document["at"],
        outcome=Outcome(document["outcome"]),
        reason=Reason(reason) if reason else None,
        last_at=document.get("lastAt"),
        ticks=document.get("ticks", 1),
        order=document.get("order"),
        cancels=tuple(SessionId(session_id) for session_id in document.get("cancels", ())),
    )


def _read_run(document: Mapping[str, Any] | None) -> Run | None:
    return read_run(document) if document else None
