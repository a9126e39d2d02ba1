"""A person's word on a call of which nobody can say whether it was bought.

The ledger hears it first, in one write that only an outcome which is still unknown lets through: whatever is known by
then is not asked for again. Then the session looks. Whoever dies in between is made up for by the next look.
"""

from collections.abc import Mapping
from dataclasses import replace

import structlog

from ekiden.domain.ids import TaskId
from ekiden.domain.messages import Look, Message, Outcome, Resend, TaskStatus
from ekiden.domain.plan import Provider
from ekiden.domain.progress import Verdict
from ekiden.domain.session import Session
from ekiden.errors import Unreachable
from ekiden.store.database import Document
from ekiden.store.sessions import Idempotency
from ekiden.store.task_writes import RESEND_ASKED
from ekiden_gateway import commands
from ekiden_gateway.kinds import UNKNOWN_TASK
from ekiden_gateway.models.requests import ResolveTask
from ekiden_gateway.models.sessions import CommandAnswer, DryRunAnswer
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem, invalid
from ekiden_gateway.views import session as views

log = structlog.get_logger()
_CLOSED_BY: Mapping[str, str] = {"give_up": "OutcomeUnknown", "resend": RESEND_ASKED}


async def resolve(
    parts: Parts, session: Session, asked: ResolveTask, known_as: Idempotency | None
) -> CommandAnswer | DryRunAnswer:
    """Resend, give up or attach; the same word said twice changes nothing the second time. Raises KeyReused."""
    task = await _task(parts, session, asked)
    if asked.decision == "attach":
        asked = _with_run(asked, task)
    if not _said_before(task, asked):
        await _check(parts, session, task, asked)
    if asked.dry_run:
        return await commands.foresee(parts, session, await _message(parts, session, task, asked))
    if known_as is not None and await parts.sessions.said_before(session.id, known_as):
        return views.command(session, changed=False)
    if not _said_before(task, asked):
        await _close(parts, session, task, asked)
        if asked.decision == "resend":
            return await _resend(parts, session, asked, known_as)
    return await look(parts, session, known_as)


def _with_run(asked: ResolveTask, task: Document) -> ResolveTask:
    """The run that the ledger has is attached when no other one is named."""
    if not Provider(task["provider"]).searches:
        raise invalid("decision", "a call for a text has no run to attach: resend or give_up")
    if asked.run_id is None and task.get("runId") is None:
        raise invalid("runId", "the ledger has no run of this task: name the one that the provider shows")
    return asked if asked.run_id is not None else asked.model_copy(update={"run_id": task["runId"]})


async def _task(parts: Parts, session: Session, asked: ResolveTask) -> Document:
    task = await parts.tasks.one(session.id, TaskId(asked.task_id))
    if task is None:
        raise Problem(UNKNOWN_TASK, f"The session {session.id} has no task {asked.task_id}.")
    return task


def _said_before(task: Document, asked: ResolveTask) -> bool:
    if asked.decision in _CLOSED_BY:
        error: Document = task.get("error") or {}
        return task["status"] == TaskStatus.FAILED and error.get("error") == _CLOSED_BY[asked.decision]
    open_question = task["status"] == TaskStatus.OUTCOME_UNKNOWN  # a lost run keeps its id, and may be attached again
    return not open_question and task.get("runId") == asked.run_id


async def _check(parts: Parts, session: Session, task: Document, asked: ResolveTask) -> None:
    if task["status"] != TaskStatus.OUTCOME_UNKNOWN:
        raise await commands.conflict(parts, session, f"the outcome of {asked.task_id} is known: {task['status']}")
    if asked.decision == "resend" and asked.task_id not in session.waits_for:
        raise await commands.conflict(parts, session, f"the session does not wait for {asked.task_id}")


async def _close(parts: Parts, session: Session, task: Document, asked: ResolveTask) -> None:
    task_id = TaskId(asked.task_id)
    match asked.decision:
        case "resend":
            closed = await parts.tasks.resend(task_id)
        case "give_up":
            closed = await parts.tasks.give_up(task_id)
        case "attach":
            closed = await parts.tasks.attach(task_id, asked.run_id or "")
            if closed:
                await announce(parts, session, task)
    if not closed and not _said_before(await _task(parts, session, asked), asked):
        raise await commands.conflict(parts, session, f"the answer of {asked.task_id} came in meanwhile")


async def _resend(parts: Parts, session: Session, asked: ResolveTask, known_as: Idempotency | None) -> CommandAnswer:
    now, by = parts.database.clock.now(), commands.key_of(session)
    decision = await parts.relay.say(session.id, lambda _: Resend(now, TaskId(asked.task_id)), known_as, by)
    if (
        decision is not None and decision.verdict is Verdict.ILLEGAL
    ):  # a look has seen the ledger and ordered it already
        return await look(parts, session, known_as)
    return await commands.answer(parts, session, decision)


async def look(parts: Parts, session: Session, known_as: Idempotency | None) -> CommandAnswer:
    """Looking is what moves the session out of its wait."""
    decision = await parts.relay.look(session.id, known_as=known_as)
    if decision is not None:
        return await commands.answer(parts, session, decision)
    loaded = await parts.sessions.load(session.id)
    return views.command(loaded or session, changed=False)


async def announce(parts: Parts, session: Session, task: Document) -> None:
    """Tell the workers of a task that became free. While the broker is away the reconciler will."""
    try:
        await parts.publisher.command(Provider(task["provider"]), TaskId(task["_id"]), session.id)
    except Unreachable as error:  # it is due in the ledger: the reconciler announces it
        log.warning("announcement_postponed", task_id=task["_id"], error=str(error))


async def _message(parts: Parts, session: Session, task: Document, asked: ResolveTask) -> Message:
    """What would be said to the session, if the ledger were already as the person wants it."""
    now, task_id = parts.database.clock.now(), TaskId(asked.task_id)
    outcomes = await parts.tasks.outcomes({*session.waits_for, *session.money.reserved})
    if task["status"] == TaskStatus.OUTCOME_UNKNOWN:
        status = TaskStatus.SUBMITTED if asked.decision == "attach" else TaskStatus.FAILED
        known = outcomes.get(task_id, Outcome(status))
        outcomes[task_id] = replace(known, status=status, may_pass=False, resend=asked.decision == "resend")
    return Look(now, outcomes)
