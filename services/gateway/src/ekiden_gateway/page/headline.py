"""The one sentence: what a session waits for, or how it ended, in the visitor's language."""

from ekiden.domain.decider import Situation, situation
from ekiden.domain.diagnosis import Diagnosis
from ekiden.domain.forecast import items
from ekiden.domain.ids import Micros
from ekiden.domain.messages import TaskStatus
from ekiden.domain.plan import Plan
from ekiden.domain.progress import AUTOMATIC_RETRIES
from ekiden.domain.remedies import needed_budget
from ekiden.domain.session import Session
from ekiden.workflow.package import Workflow
from ekiden_gateway.models.sessions import AsyncTasks
from ekiden_gateway.models.wire import usd
from ekiden_gateway.page.languages import Words, in_language


def headline(
    session: Session, workflow: Workflow, diagnosis: Diagnosis, tasks: AsyncTasks, drafts: int, say: Words
) -> str:
    """Total: there is a sentence for every situation."""
    where = where_it_is(session, workflow, say)
    match situation(session):
        case Situation.PENDING:
            return say("now.pending")
        case Situation.ACTIVE:
            answered = sum(task.status is TaskStatus.COMPLETED for task in tasks.current)
            waits = max(1, len(session.waits_for) - answered)
            return say.count("now.active", waits, where=where)
        case Situation.APPROVAL:
            return _approval(session, workflow.plan, where, say)
        case Situation.BUDGET:
            needed, money = needed_budget(session, workflow.plan), session.money
            order = Micros(needed - money.spent - money.held)
            return say("now.budget", where=where, order=say.money(usd(order)), free=say.money(usd(money.free)))
        case Situation.UNKNOWN:
            lost = sum(task.status is TaskStatus.OUTCOME_UNKNOWN for task in tasks.current)
            return say.count("now.unknown", max(1, lost), where=where, risk=say.money(usd(diagnosis.at_risk)))
        case Situation.PAUSED:
            return say("now.paused", where=where)
        case Situation.RETRY:
            return say("now.retry", where=where, number=session.retry_count, of=AUTOMATIC_RETRIES)
        case Situation.COMPLETED:
            return say.count("now.completed", drafts, cost=say.money(usd(session.money.spent)))
        case Situation.FAILED:
            return say("now.failed", where=where)
        case Situation.CANCELLED:
            return say("now.cancelled")


def where_it_is(session: Session, workflow: Workflow, say: Words) -> str:
    position = session.position
    if position is None:
        return say("now.start")
    phase = workflow.definition.phases[position.phase - 1]
    title = in_language(phase.title, say.language, phase.name)
    return say("now.where", phase=title, step=say(f"step.{position.step}"))


def _approval(session: Session, plan: Plan, where: str, say: Words) -> str:
    position = session.position
    planned = items(session, position, plan) if position and plan.by_position[position].for_each else []
    if position is None or not planned:
        return say("now.approval", where=where)
    price = Micros(plan.by_position[position].cap * len(planned))
    return say.count("now.approval_items", len(planned), where=where, price=say.money(usd(price)))
