"""A person's word on a call of which nobody can say whether it was bought."""

from dataclasses import replace

import structlog

from ekiden.domain.ids import TaskId
from ekiden.domain.messages import Look, Message, Outcome, Resend, TaskStatus
from ekiden.domain.plan import Provider
from ekiden.domain.session import Session
from ekiden.errors import Unreachable
from ekiden.store.database import Document
from ekiden_gateway import commands
from ekiden_gateway.models.requests import ResolveTask
from ekiden_gateway.models.sessions import CommandAnswer, DryRunAnswer
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import UNKNOWN_TASK, Problem, invalid
from ekiden_gateway.views import session as views

log = structlog.get_logger()


async def resolve(parts: Parts, session: Session, asked: ResolveTask) -> CommandAnswer | DryRunAnswer:
    """Resend, give up or attach; the same word said twice changes nothing the second time."""
    task = await parts.tasks.one(session.id, TaskId(asked.task_id))
    if task is None:
        raise Problem(UNKNOWN_TASK, f"The session {session.id} has no task {asked.task_id}.")
    if asked.decision == "attach" and Provider(task["provider"]) is Provider.GPT:
        raise invalid("decision", "a GPT call has no run to attach: resend or give_up")
    if _said_before(task, asked):
        return await _look(parts, session)
    if task["status"] != TaskStatus.OUTCOME_UNKNOWN:
        raise await commands.conflict(parts, session, f"the outcome of {asked.task_id} is known: {task['status']}")
    if asked.dry_run:
        return await commands.foresee(parts, session, await _message(parts, session, asked))
    if asked.decision == "resend":
        now = parts.database.clock.now()
        return await commands.say(parts, session, lambda _: Resend(now, TaskId(asked.task_id)))
    if asked.decision == "give_up":
        await parts.tasks.give_up(TaskId(asked.task_id))
    elif await parts.tasks.attach(TaskId(asked.task_id), asked.run_id or ""):
        await _announce(parts, session, task)
    return await _look(parts, session)


def _said_before(task: Document, asked: ResolveTask) -> bool:
    error: Document = task.get("error") or {}
    if asked.decision == "give_up":
        return task["status"] == TaskStatus.FAILED and error.get("error") == "OutcomeUnknown"
    open_question = task["status"] == TaskStatus.OUTCOME_UNKNOWN  # a lost run keeps its id, and may be attached again
    return asked.decision == "attach" and not open_question and task.get("runId") == asked.run_id


async def _look(parts: Parts, session: Session) -> CommandAnswer:
    """Looking is what moves the session out of its wait."""
    decision = await parts.relay.look(session.id)
    if decision is not None:
        return await commands.answer(parts, session, decision)
    loaded = await parts.sessions.load(session.id)
    return views.command(loaded or session, changed=False)


async def _announce(parts: Parts, session: Session, task: Document) -> None:
    try:
        await parts.publisher.command(Provider(task["provider"]), TaskId(task["_id"]), session.id)
    except Unreachable as error:  # it is due in the ledger: the reconciler announces it
        log.warning("announcement_postponed", task_id=task["_id"], error=str(error))


async def _message(parts: Parts, session: Session, asked: ResolveTask) -> Message:
    """What would be said to the session, if the ledger were already as the person wants it."""
    task_id, now = TaskId(asked.task_id), parts.database.clock.now()
    if asked.decision == "resend":
        return Resend(now, task_id)
    outcomes = await parts.tasks.outcomes({*session.waits_for, *session.money.reserved})
    status = TaskStatus.FAILED if asked.decision == "give_up" else TaskStatus.SUBMITTED
    wanted = replace(outcomes.get(task_id, Outcome(status)), status=status, may_pass=False)
    return Look(now, {**outcomes, task_id: wanted})
