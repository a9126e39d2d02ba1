"""A person's word on all that is unknown of a session at once, as after a restore.

Told to the ledger task by task, as `resolve` does it, before the session looks; a restored session is trusted first,
so that whatever it orders by that look is bought. Whoever dies in between is made up for by saying it again.
"""

from collections.abc import Sequence
from dataclasses import replace

from ekiden.domain.decider import decide
from ekiden.domain.ids import TaskId
from ekiden.domain.messages import Look, Outcome, TaskStatus, Trust
from ekiden.domain.session import Session
from ekiden.store.database import Document
from ekiden.store.sessions import Idempotency
from ekiden_gateway import commands
from ekiden_gateway.models.requests import ResolveAll
from ekiden_gateway.models.sessions import CommandAnswer, DryRunAnswer
from ekiden_gateway.parts import Parts
from ekiden_gateway.resolve import announce, look
from ekiden_gateway.views import session as views


async def resolve_all(
    parts: Parts, session: Session, asked: ResolveAll, known_as: Idempotency | None
) -> CommandAnswer | DryRunAnswer:
    """Resend or give up all unknown outcomes that a session waits for. Raises KeyReused."""
    tasks = await _unknown(parts, session)
    if asked.dry_run:
        return await _foresee(parts, session, asked, tasks)
    if known_as is not None and await parts.sessions.said_before(session.id, known_as):
        return views.command(session, changed=False)
    trusts = asked.decision == "resend" and session.restored_to is not None
    if trusts:
        await commands.say(parts, session, lambda _: Trust(parts.database.clock.now()))
    for task in tasks:
        await _close(parts, session, asked, task)
    answer = await look(parts, session, known_as)
    return answer.model_copy(update={"changed": answer.changed or trusts})


async def _unknown(parts: Parts, session: Session) -> list[Document]:
    """Those that the session waits for."""
    documents = await parts.tasks.of_session(session.id)
    waited = [row for row in documents if row["_id"] in session.waits_for]
    return [row for row in waited if row["status"] == TaskStatus.OUTCOME_UNKNOWN]


async def _close(parts: Parts, session: Session, asked: ResolveAll, task: Document) -> None:
    """One whose answer has come in meanwhile stays as it is."""
    task_id = TaskId(task["_id"])
    if asked.decision == "give_up":
        await parts.tasks.give_up(task_id)
    elif task.get("runId") is None:
        await parts.tasks.resend(task_id)
    elif await parts.tasks.attach(task_id, task["runId"]):
        await announce(parts, session, task)


async def _foresee(
    parts: Parts, session: Session, asked: ResolveAll, tasks: Sequence[Document]
) -> CommandAnswer | DryRunAnswer:
    now = parts.database.clock.now()
    resends = asked.decision == "resend"
    if resends and not tasks:
        return await commands.foresee(parts, session, Trust(now))
    outcomes = await parts.tasks.outcomes({*session.waits_for, *session.money.reserved})
    for task in tasks:
        collected = resends and task.get("runId") is not None
        status = TaskStatus.SUBMITTED if collected else TaskStatus.FAILED
        known = outcomes.get(TaskId(task["_id"]), Outcome(status))
        outcomes[TaskId(task["_id"])] = replace(known, status=status, may_pass=False, resend=resends and not collected)
    workflow = await commands.workflow_of(parts, session)
    trusted = decide(session, Trust(now), workflow.plan).session if resends else session
    return await commands.foresee(parts, trusted, Look(now, outcomes))
