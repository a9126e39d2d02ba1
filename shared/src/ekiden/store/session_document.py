"""How a session is written down: camelCase fields, one entry per step, money as lists under task ids."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ekiden.domain.ids import Micros, Position, SessionId, TaskId
from ekiden.domain.session import (
    Failure,
    Gate,
    GateDefault,
    GateTimeout,
    Money,
    Replay,
    Session,
    Status,
    StepState,
    WaitingReason,
    Wishes,
)
from ekiden.store.database import Document

SCHEMA_VERSION = 1


def to_document(session: Session) -> Document:
    return _without_steps(session) | {"steps": {key: _step(step) for key, step in session.steps.items()}}


def from_document(document: Mapping[str, Any]) -> Session:
    """Read a session. Unknown fields are ignored and missing ones have defaults, so that versions can mix."""
    failure = document.get("failure")
    reason = document.get("waitingReason")
    return Session(
        id=SessionId(document["_id"]),
        owner=document["owner"],
        workflow=document["workflow"],
        input=document["input"],
        language=document["language"],
        created_at=document["createdAt"],
        metadata=document.get("metadata", {}),
        webhook_url=document.get("webhookUrl"),
        parent=document.get("parent"),
        replay=_read_replay(document.get("replay")),
        schedule=document.get("scheduleId"),
        scheduled_at=document.get("scheduledAt"),
        wishes=Wishes(
            auto_advance=document.get("autoAdvance", True),
            pause_after=frozenset(document.get("pauseAfterPhases", ())),
            pause_before=frozenset(Position.parse(text) for text in document.get("pauseBefore", ())),
            gate_timeout=_read_timeout(document.get("gateTimeout")),
        ),
        money=Money(
            budget=Micros(document["budget"]),
            reserved=_read_amounts(document.get("reserved", ())),
            settled=_read_amounts(document.get("settled", ())),
            saved=Micros(document.get("saved", 0)),
        ),
        version=document["version"],
        move_id=document.get("moveId"),
        status=Status(document["status"]),
        waiting_reason=WaitingReason(reason) if reason else None,
        next_retry_at=document.get("nextRetryAt"),
        retry_count=document.get("retryCount", 0),
        position=Position.parse(document["position"]) if document.get("position") else None,
        gate=_read_gate(document) if reason == WaitingReason.APPROVAL else None,
        gates_reached=document.get("gatesReached", 0),
        gates_passed=frozenset(document.get("gatesPassed", ())),
        steps={key: _read_step(step) for key, step in document.get("steps", {}).items()},
        edited=document.get("edited", {}),
        failure=Failure(failure["error"], failure["message"], failure["taskId"]) if failure else None,
        started_at=document.get("startedAt"),
        finished_at=document.get("finishedAt"),
        moved_at=document.get("movedAt"),
        restored_to=document.get("restoredTo"),
    )


def changes(before: Session, after: Session) -> Document:
    """The fields to set so that the one becomes the other; steps one by one, because results are long."""
    old, new = _without_steps(before), _without_steps(after)
    changed = {name: value for name, value in new.items() if value != old[name]}
    moved = {
        key: step for key, step in after.steps.items() if step is not (was := before.steps.get(key)) and step != was
    }
    return changed | {f"steps.{key}": _step(step) for key, step in moved.items()}


def _without_steps(session: Session) -> Document:
    money, wishes, failure = session.money, session.wishes, session.failure
    return {
        "_id": session.id,
        "schemaVersion": SCHEMA_VERSION,
        "owner": session.owner,
        "workflow": session.workflow,
        "input": dict(session.input),
        "language": session.language,
        "createdAt": session.created_at,
        "metadata": dict(session.metadata),
        "webhookUrl": session.webhook_url,
        "parent": session.parent,
        **({"replay": _replay(session.replay)} if session.replay else {}),
        **({"scheduleId": session.schedule, "scheduledAt": session.scheduled_at} if session.schedule else {}),
        "autoAdvance": wishes.auto_advance,
        "pauseAfterPhases": sorted(wishes.pause_after),
        "pauseBefore": sorted(str(position) for position in wishes.pause_before),
        "gateTimeout": _timeout(wishes.gate_timeout),
        "budget": money.budget,
        "reserved": _amounts(money.reserved),
        "settled": _amounts(money.settled),
        "saved": money.saved,
        "version": session.version,
        "moveId": session.move_id,
        "status": session.status.value,
        "waitingReason": session.waiting_reason.value if session.waiting_reason else None,
        "nextRetryAt": session.next_retry_at,
        "retryCount": session.retry_count,
        "position": str(session.position) if session.position else None,
        "gate": {"since": session.gate.since, "dueAt": session.gate.due} if session.gate else None,
        "gatesReached": session.gates_reached,
        "gatesPassed": sorted(session.gates_passed),
        "edited": dict(session.edited),
        "failure": {"error": failure.error, "message": failure.message, "taskId": failure.task_id} if failure else None,
        "startedAt": session.started_at,
        "finishedAt": session.finished_at,
        "restoredTo": session.restored_to,
    }


def _step(step: StepState) -> Document:
    return {
        "generation": step.generation,
        "tasks": list(step.tasks),
        "failed": list(step.failed),
        "result": step.result,
        "missing": list(step.missing),
        "shorter": step.shorter,
        "fresh": step.fresh,
        "doubted": list(step.doubted),
        **({"fallback": step.fallback, "fallbackReason": step.fallback_reason} if step.fallback else {}),
        "flags": list(step.flags),
        "startedAt": step.started_at,
        "finishedAt": step.finished_at,
    }


def _read_step(document: Mapping[str, Any]) -> StepState:
    return StepState(
        generation=document["generation"],
        tasks=tuple(document["tasks"]),
        failed=tuple(document.get("failed", ())),
        result=document.get("result"),
        missing=tuple(document.get("missing", ())),
        shorter=document.get("shorter", 0),
        fresh=document.get("fresh", False),
        doubted=tuple(document.get("doubted", ())),
        fallback=document.get("fallback", 0),
        fallback_reason=document.get("fallbackReason", ""),
        flags=tuple(document.get("flags", ())),
        started_at=document.get("startedAt"),
        finished_at=document.get("finishedAt"),
    )


def _replay(replay: Replay) -> Document:
    return {"of": replay.of, "root": replay.root, "asOf": replay.as_of}


def _read_replay(document: Mapping[str, Any] | None) -> Replay | None:
    return Replay(SessionId(document["of"]), SessionId(document["root"]), document["asOf"]) if document else None


def _timeout(timeout: GateTimeout | None) -> Document | None:
    return {"seconds": timeout.after.total_seconds(), "then": timeout.then.value} if timeout else None


def _read_timeout(document: Mapping[str, Any] | None) -> GateTimeout | None:
    if document is None:
        return None
    return GateTimeout(timedelta(seconds=document["seconds"]), GateDefault(document["then"]))


def _read_gate(document: Mapping[str, Any]) -> Gate:
    """An older version only knew that it waits: since it moved last."""
    gate = document.get("gate") or {"since": document.get("movedAt") or document["createdAt"]}
    return Gate(gate["since"], gate.get("dueAt"))


def _amounts(amounts: Mapping[TaskId, Micros]) -> list[Document]:
    """As a list, because a task id has dots and cannot be a field's name."""
    return [{"task": task, "micros": micros} for task, micros in amounts.items()]


def _read_amounts(rows: list[Document]) -> dict[TaskId, Micros]:
    return {TaskId(row["task"]): Micros(row["micros"]) for row in rows}
