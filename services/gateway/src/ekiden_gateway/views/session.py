"""A session as its owner sees it."""

from ekiden.domain.ids import Position
from ekiden.domain.session import Failure, GateTimeout, Money, Session, Status
from ekiden.webhooks.endpoint import of_session
from ekiden.workflow.sources import Source, Sources
from ekiden_gateway.models import sessions as model
from ekiden_gateway.models.wire import usd

BASE = "/api/viral/cot-session"


def session_url(session_id: str) -> str:
    return f"{BASE}/{session_id}"


def created(session: Session) -> model.CreatedSession:
    return model.CreatedSession(
        session_id=session.id,
        status=session.status,
        workflow=session.workflow,
        language=session.language,
        input=dict(session.input),
        budget_usd=usd(session.money.budget),
        created_at=session.created_at,
        parent=session.parent,
        webhook_id=webhook_id(session),
        url=session_url(session.id),
    )


def summary(session: Session) -> model.SessionSummary:
    return model.SessionSummary.model_validate(_summary(session))


def whole(session: Session, sources: Sources) -> model.SessionAnswer:
    wishes = session.wishes
    fields: dict[str, object] = _summary(session) | {
        "version": session.version,
        "retry_count": session.retry_count,
        "auto_advance": wishes.auto_advance,
        "pause_after_phases": sorted(wishes.pause_after),
        "pause_before": sorted(str(position) for position in wishes.pause_before),
        "gate_timeout": _gate_timeout(wishes.gate_timeout),
        "webhook_url": session.webhook_url,
        "webhook_id": webhook_id(session),
        "edited": {str(Position.parse(key)): items for key, items in session.edited.items()},
        "steps": _steps(session),
        "sources": [_source(source) for source in sources.all],
    }
    return model.SessionAnswer.model_validate(fields)


def command(session: Session, *, changed: bool) -> model.CommandAnswer:
    return model.CommandAnswer(
        session_id=session.id,
        phase=session.position.phase if session.position else None,
        step=session.position.step if session.position else None,
        task_ids=list(session.waits_for),
        status=session.status,
        waiting_reason=session.waiting_reason,
        changed=changed,
        parent=session.parent,
    )


def state(session: Session) -> str:
    """Names what `whole` shows. With its time: out of a backup the same version may come a second time."""
    moved = session.moved_at or session.created_at
    return f"{session.version}-{int(moved.timestamp() * 1000)}"


def cost(money: Money) -> model.Cost:
    return model.Cost(
        spent_usd=usd(money.spent),
        reserved_usd=usd(money.held),
        budget_usd=usd(money.budget),
        saved_usd=usd(money.saved),
    )


def failure(found: Failure | None) -> model.Failure | None:
    return model.Failure(error=found.error, message=found.message, task_id=found.task_id) if found else None


def completed_at(session: Session) -> object:
    return session.finished_at if session.status is Status.COMPLETED else None


def webhook_id(session: Session) -> str | None:
    return of_session(session.owner, session.webhook_url) if session.webhook_url else None


def _summary(session: Session) -> dict[str, object]:
    return {
        "session_id": session.id,
        "status": session.status,
        "waiting_reason": session.waiting_reason,
        "workflow": session.workflow,
        "language": session.language,
        "input": dict(session.input),
        "metadata": dict(session.metadata),
        "current_phase": session.position.phase if session.position else None,
        "current_step": session.position.step if session.position else None,
        "cost": cost(session.money),
        "parent": session.parent,
        "replay_of": session.replay.of if session.replay else None,
        "schedule_id": session.schedule,
        "scheduled_at": session.scheduled_at,
        "failure": failure(session.failure),
        "next_retry_at": session.next_retry_at,
        "created_at": session.created_at,
        "started_at": session.started_at,
        "moved_at": session.moved_at,
        "completed_at": completed_at(session),
    }


def _gate_timeout(timeout: GateTimeout | None) -> model.GateTimeoutAnswer | None:
    if timeout is None:
        return None
    return model.GateTimeoutAnswer(after_seconds=round(timeout.after.total_seconds()), then=timeout.then)


def _source(source: Source) -> model.SourceAnswer:
    return model.SourceAnswer(
        source_id=source.id,
        url=source.url,
        title=source.title,
        date=source.date,
        question=source.question,
        phase=source.phase,
    )


def _steps(session: Session) -> list[model.StepAnswer]:
    order = {"T": 0, "E": 1, "I": 2}
    keys = sorted(session.steps, key=lambda key: (int(key[:-1]), order[key[-1]]))
    return [
        model.StepAnswer(
            phase=Position.parse(key).phase,
            step=Position.parse(key).step,
            generation=session.steps[key].generation,
            task_ids=list(session.steps[key].tasks),
            missing=list(session.steps[key].missing),
            fallback=session.steps[key].fallback,
            fallback_reason=session.steps[key].fallback_reason or None,
            flags=list(session.steps[key].flags),
            result=session.steps[key].result,
            started_at=session.steps[key].started_at,
            finished_at=session.steps[key].finished_at,
        )
        for key in keys
    ]
