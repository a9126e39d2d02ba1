"""What something would cost and take, before it is done. Pure: from the plan, a decision and measured medians."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ekiden.domain.ids import NOTHING, Micros, Position, TaskId, TaskName
from ekiden.domain.plan import Plan, Provider
from ekiden.domain.progress import Decision, Order, Verdict
from ekiden.domain.session import ENDED, Session

Medians = Mapping[Provider, float]
"""How many seconds a call of each provider took in the middle; a provider never called yet has no entry."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls still to be made: how many of each provider, the most they may cost, how long they take one after another.

    `at_most` counts each task's cap once, a repeated call not included. `seconds` is None while nothing was measured.
    """

    calls: Mapping[Provider, int] = field(default_factory=dict[Provider, int])
    at_most: Micros = NOTHING
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a decision would do: order and abandon tasks, keep results, set money aside; and what is left to the end.

    `kept` are the steps whose results stay; `reserved` counts every call a policy may pay for. `to_end` includes
    what is ordered now. `cached` are the searches whose answer is there already, and `saved` what those once cost:
    they are in no other number.
    """

    tasks: tuple[TaskId, ...]
    abandoned: tuple[TaskId, ...]
    kept: tuple[str, ...]
    reserved: Micros
    now: Calls
    to_end: Calls
    cached: int = 0
    saved: Micros = NOTHING


def forecast(
    decision: Decision, plan: Plan, medians: Medians, cached: Mapping[TaskId, Micros] | None = None
) -> Forecast:
    """Say what a decision would cost if it were saved; `cached` are those `coming` that the cache would answer."""
    session, hits = decision.session, cached or {}
    free: dict[Position, int] = {}
    for task in hits:
        free[TaskName.parse(task).position] = free.get(TaskName.parse(task).position, 0) + 1
    finished = {key for key, step in session.steps.items() if step.result is not None and step.finished_at is not None}
    ordered: dict[Position, int] = {}
    for order in decision.tasks:
        ordered[order.name.position] = ordered.get(order.name.position, 0) + 1
    return Forecast(
        tasks=tuple(order.id for order in decision.tasks),
        abandoned=decision.abandon,
        kept=tuple(str(step.position) for step in plan.steps if step.position.key in finished),
        reserved=Micros(sum(order.cap for order in decision.tasks)) if decision.verdict is Verdict.MOVED else NOTHING,
        now=_calls([(place, number - free.get(place, 0)) for place, number in ordered.items()], plan, medians),
        to_end=remaining(session, plan, medians, free),
        cached=len(hits),
        saved=Micros(sum(hits.values())),
    )


def coming(decision: Decision, plan: Plan) -> tuple[Order, ...]:
    """The orders of which a decision already knows what they will ask: made by it, or waiting behind a gate."""
    return decision.tasks or planned(decision.session, plan)


def planned(session: Session, plan: Plan) -> tuple[Order, ...]:
    """What a session will order next when it is let on, if it stands before a step; empty once it has ordered."""
    position = session.position
    if position is None or session.waits_for or session.status in ENDED:
        return ()
    generation, cap = session.current.generation + 1, plan.by_position[position].reservation(session.current.fallback)
    found = enumerate(items(session, position, plan))
    return tuple(Order(TaskName(session.id, position, generation, index), item, cap) for index, item in found)


def step_calls(session: Session, position: Position, plan: Plan, medians: Medians, cached: int = 0) -> Calls:
    """The calls of one step, whose items are known, without those that the cache answers."""
    return _calls([(position, len(items(session, position, plan)) - cached)], plan, medians)


def remaining(
    session: Session,
    plan: Plan,
    medians: Medians,
    cached: Mapping[Position, int] | None = None,
    through: int | None = None,
) -> Calls:
    """The calls from where a session stands to its end, or `through` a phase, without those that the cache answers.

    A fan-out not planned yet counts as many as it may have.
    """
    if session.status in ENDED and session.status != "FAILED":
        return Calls(seconds=0.0)
    here = session.position or plan.first()
    free = cached or {}
    ahead = [place for place in plan.from_(here) if through is None or place.phase <= through]
    counts = [(place, _count(session, place, plan) - free.get(place, 0)) for place in ahead]
    return _calls(counts, plan, medians)


def items(session: Session, position: Position, plan: Plan) -> list[object]:
    """What a step's tasks would be made for; empty while an earlier step has not planned them."""
    source = plan.by_position[position].for_each
    if source is not None and position.key not in session.edited and source[0] not in session.results:
        return []
    return plan.items(position, session.results, session.edited)


def usd(amount: Micros) -> str:
    """Money for a sentence: two digits, more only where they say something."""
    text = f"{amount / 1_000_000:.6f}".rstrip("0")
    whole, _, part = text.partition(".")
    return f"{whole}.{part.ljust(2, '0')} USD"


def _count(session: Session, position: Position, plan: Plan) -> int:
    step = plan.by_position[position]
    if position == session.position and session.waits_for:
        return len(session.current.failed) or sum(task in session.money.reserved for task in session.waits_for)
    if step.for_each is None:
        return 1
    return len(items(session, position, plan)) or step.at_most


def _calls(counts: Iterable[tuple[Position, int]], plan: Plan, medians: Medians) -> Calls:
    calls: dict[Provider, int] = {}
    at_most, seconds, measured = 0, 0.0, True
    for position, count in counts:
        if not count:
            continue
        step = plan.by_position[position]
        calls[step.provider] = calls.get(step.provider, 0) + count
        at_most += step.cap * count
        measured = measured and step.provider in medians
        seconds += medians.get(step.provider, 0.0)
    return Calls(calls, Micros(at_most), round(seconds, 1) if measured else None)
