"""How far a session is: the body of async-status."""

from collections.abc import Mapping, Sequence
from typing import Any

from ekiden.domain.diagnosis import Diagnosis
from ekiden.domain.forecast import Medians, remaining
from ekiden.domain.ids import Position, Step
from ekiden.domain.session import Session, Status
from ekiden.workflow.package import Workflow
from ekiden_gateway.models import sessions as model
from ekiden_gateway.models.forecast import Gate
from ekiden_gateway.views import forecast, tasks
from ekiden_gateway.views.session import cost, failure

RECENT = 10
Document = Mapping[str, Any]


def async_status(
    session: Session,
    ledger: Sequence[Document],
    workflow: Workflow,
    diagnosis: Diagnosis,
    medians: Medians,
    gate: Gate | None = None,
) -> model.AsyncStatus:
    waited = [row for row in ledger if row["_id"] in session.waits_for]
    ended = sorted((row for row in ledger if row.get("finishedAt")), key=lambda row: row["finishedAt"], reverse=True)
    return model.AsyncStatus(
        session=_session(session),
        phases=[_phase(session, number, workflow) for number in range(1, workflow.plan.phases + 1)],
        async_tasks=model.AsyncTasks(
            summary=tasks.counts(ledger),
            current=[tasks.brief(row) for row in waited],
            recent=[tasks.brief(row) for row in ended[:RECENT]],
        ),
        progress=_progress(session, workflow, medians),
        cost=cost(session.money),
        next_action=forecast.next_action(session, diagnosis),
        simulated=any(row.get("simulated") for row in ledger),
        gate=gate,
    )


def _session(session: Session) -> model.StatusSession:
    return model.StatusSession(
        id=session.id,
        status=session.status,
        waiting_reason=session.waiting_reason,
        current_phase=session.position.phase if session.position else None,
        current_step=session.position.step if session.position else None,
        workflow=session.workflow,
        version=session.version,
        retry_count=session.retry_count,
        next_retry_at=session.next_retry_at,
        failure=failure(session.failure),
        created_at=session.created_at,
        started_at=session.started_at,
        moved_at=session.moved_at,
        completed_at=session.finished_at if session.status is Status.COMPLETED else None,
    )


def _phase(session: Session, number: int, workflow: Workflow) -> model.PhaseStatus:
    phase = workflow.definition.phases[number - 1]
    steps = {step: session.steps.get(Position(number, step).key) for step in Step}
    entered = [state for state in steps.values() if state is not None]
    has = {step: state is not None and state.result is not None for step, state in steps.items()}
    done = has[Step.INTEGRATE]
    return model.PhaseStatus(
        number=number,
        name=phase.name,
        title=phase.title.get(session.language, phase.name),
        status=_phase_status(session, number),
        has_think=has[Step.THINK],
        has_execute=has[Step.EXECUTE],
        has_integrate=done,
        timestamps=model.Timestamps(
            started_at=min((state.started_at for state in entered if state.started_at), default=None),
            finished_at=max((s.finished_at for s in entered if s.finished_at), default=None) if done else None,
        ),
        generation=max((state.generation for state in entered), default=0),
    )


def _phase_status(session: Session, number: int) -> Status:
    here = session.position.phase if session.position else 0
    if number < here:
        return Status.COMPLETED
    return session.status if number == here else Status.PENDING


def _progress(session: Session, workflow: Workflow, medians: Medians) -> model.Progress:
    plan = workflow.plan
    finished = [step for step in plan.steps if _has_result(session, step.position)]
    completed = session.status is Status.COMPLETED
    phases = plan.phases if completed else (session.position.phase - 1 if session.position else 0)
    return model.Progress(
        completed_phases=phases,
        total_phases=plan.phases,
        percentage=100 if completed else min(99, round(100 * len(finished) / len(plan.steps))),
        estimated_seconds_remaining=remaining(session, plan, medians).seconds,
    )


def _has_result(session: Session, position: Position) -> bool:
    state = session.steps.get(position.key)
    return state is not None and state.result is not None
