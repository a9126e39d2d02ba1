"""Reserve before an order, settle when it ends: each entry under its task's id, so that neither can count twice."""

from collections.abc import Mapping

from ekiden.domain.altered import altered
from ekiden.domain.ids import Micros, TaskId
from ekiden.domain.messages import FINAL, Outcome
from ekiden.domain.session import Money


def reserve(money: Money, caps: Mapping[TaskId, Micros]) -> Money | None:
    """Set aside the caps of new tasks. None when that would pass the budget: then nothing is ordered."""
    new = {task: cap for task, cap in caps.items() if task not in money.reserved and task not in money.settled}
    if sum(new.values()) > money.free:
        return None
    return altered(money, reserved={**money.reserved, **new})


def settle(money: Money, outcomes: Mapping[TaskId, Outcome]) -> Money:
    """Turn the reservations of tasks that ended into what their submissions cost.

    A task whose bill grew after it was settled (an answer that came late) is booked at its new sum.
    """
    ended = {task: o for task, o in outcomes.items() if o.status in FINAL}
    first = [task for task in ended if task in money.reserved]
    grown = [task for task in ended if task in money.settled and money.settled[task] != ended[task].billed]
    if not first and not grown:
        return money
    reserved = {task: cap for task, cap in money.reserved.items() if task not in ended}
    settled = {**money.settled, **{task: ended[task].billed for task in [*first, *grown]}}
    saved = Micros(money.saved + sum(ended[task].saved for task in first))
    return altered(money, reserved=reserved, settled=settled, saved=saved)
