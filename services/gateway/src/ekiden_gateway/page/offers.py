"""What the page offers to do for a session: what its doctor says would move it, each with its form and its price."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ekiden.domain.messages import TaskStatus
from ekiden.domain.remedies import Verb, needed_budget
from ekiden.domain.session import Session, WaitingReason
from ekiden.workflow.package import Workflow
from ekiden_gateway.models.forecast import ForecastAnswer
from ekiden_gateway.models.health import HealthAnswer
from ekiden_gateway.models.sessions import AsyncStatus, TaskBrief
from ekiden_gateway.models.wire import usd
from ekiden_gateway.page.items import EditableItem, editable_item

_SHOWN_NOT_SAID = frozenset({Verb.WAIT, Verb.DRAFTS})


class Look(StrEnum):
    """How an offer is made: with a button alone, or with something to fill in first."""

    BUTTON = "button"
    BUDGET = "budget"
    ITEMS = "items"
    RESOLVE = "resolve"
    PHASE = "phase"
    SURE = "sure"


@dataclass(frozen=True, slots=True)
class Offer:
    """`first` is what helps most. `gate` is the one it passes, and no other.

    `lost` are the calls nobody can say of whether they were bought.
    """

    verb: Verb
    look: Look
    first: bool
    forecast: ForecastAnswer | None
    gate: str = ""
    items: Sequence[EditableItem] = ()
    most_items: int = 0
    budget_usd: float = 0.0
    phase: int = 0
    lost: Sequence[TaskBrief] = ()


def offers(session: Session, workflow: Workflow, health: HealthAnswer, status: AsyncStatus) -> list[Offer]:
    """In the doctor's order: what helps most first."""
    found = [action for action in health.available_actions if Verb(action.action) not in _SHOWN_NOT_SAID]
    helping = health.available_actions[0].action if health.available_actions else ""
    return [
        _offer(session, workflow, status, Verb(action.action), action.forecast, first=action.action == helping)
        for action in found
    ]


def _offer(
    session: Session,
    workflow: Workflow,
    status: AsyncStatus,
    verb: Verb,
    forecast: ForecastAnswer | None,
    *,
    first: bool,
) -> Offer:
    match verb:
        case Verb.CONTINUE if session.waiting_reason is WaitingReason.BUDGET:
            needed = usd(needed_budget(session, workflow.plan))
            return Offer(verb, Look.BUDGET, first, forecast, budget_usd=needed)
        case Verb.CONTINUE if status.gate is not None and session.position is not None:
            most = workflow.plan.by_position[session.position].at_most
            editable = [editable_item(item) for item in status.gate.items]
            return Offer(verb, Look.ITEMS, first, forecast, gate=status.gate.id, items=editable, most_items=most)
        case Verb.RESOLVE:
            lost = [task for task in status.async_tasks.current if task.status is TaskStatus.OUTCOME_UNKNOWN]
            return Offer(verb, Look.RESOLVE, first, forecast, lost=lost)
        case Verb.RESTART_PHASE:
            phase = session.position.phase if session.position else 1
            return Offer(verb, Look.PHASE, first, forecast, phase=phase)
        case Verb.CANCEL | Verb.RESTART_SESSION:
            return Offer(verb, Look.SURE, first, forecast)
        case _:
            return Offer(verb, Look.BUTTON, first, forecast)
