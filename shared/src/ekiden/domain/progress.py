"""How a session moves along its positions: finish a step, come to the next one, buy its tasks.

Pure like `decider`, which says when these moves are made.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from ekiden.domain.altered import altered
from ekiden.domain.budget import reserve
from ekiden.domain.gate import closed_before, gate_id, reached
from ekiden.domain.ids import Micros, Position, TaskId, TaskName
from ekiden.domain.messages import Look, Message, Outcome, TaskStatus
from ekiden.domain.plan import Plan
from ekiden.domain.session import RUNNING, Failure, Session, Status, StepState, WaitingReason

AUTOMATIC_RETRIES = 5
FIRST_RETRY_SECONDS = 5


class Verdict(StrEnum):
    MOVED = "moved"
    REPEAT = "repeat"
    ILLEGAL = "illegal"


@dataclass(frozen=True, slots=True)
class Order:
    """A task to create: the `index`-th item of a step, under a generation. A `doubted` one may have been bought."""

    name: TaskName
    item: object | None
    cap: Micros
    doubted: bool = False

    @property
    def id(self) -> TaskId:
        return self.name.id


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, in the past tense; goes into the history with the state it describes."""

    type: str
    phase: int | None = None
    step: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    verdict: Verdict
    session: Session
    tasks: tuple[Order, ...] = ()
    abandon: tuple[TaskId, ...] = ()
    events: tuple[Event, ...] = ()
    why: str = ""


def orders(session: Session, plan: Plan) -> tuple[Order, ...]:
    """All that the session waits for, made again from the session alone."""
    if session.position is None or not session.waits_for:
        return ()
    items = plan.items(session.position, session.results, session.edited)
    cap = plan.by_position[session.position].reservation(session.current.fallback)
    names, doubted = [TaskName.parse(task_id) for task_id in session.waits_for], session.current.doubted
    return tuple(Order(name, items[name.index], cap, name.id in doubted) for name in names)


def abandoned(session: Session) -> tuple[TaskId, ...]:
    """What was ordered and is no longer waited for, made from the session alone: money is still held for it."""
    awaited = () if session.status is Status.CANCELLED else session.waits_for
    return tuple(task for task in session.money.reserved if task not in awaited)


def finish_step(session: Session, outcomes: Mapping[TaskId, Outcome], message: Look, plan: Plan) -> Decision:
    position = place(session)
    step = plan.by_position[position]
    failed = tuple(task for task, outcome in outcomes.items() if outcome.status is not TaskStatus.COMPLETED)
    done = len(outcomes) - len(failed)
    if done < step.enough(len(outcomes)):
        return _fail_step(session, outcomes, failed, message, plan)
    results = [outcomes[task].result for task in session.waits_for if task not in failed]
    missing = tuple(TaskName.parse(task).index for task in failed)
    flags = tuple(flag for task in session.waits_for if task not in failed for flag in outcomes[task].flags)
    result = results[0] if step.for_each is None else results
    finished = altered(
        session.current, result=result, missing=missing, failed=failed, flags=flags, finished_at=message.at
    )
    kept = altered(session, steps={**session.steps, position.key: finished}, retry_count=0)
    events = (Event("StepCompleted", position.phase, position.step, f"{len(missing)} missing" if missing else ""),)
    return _advance(kept, position, message, plan, events)


def _advance(session: Session, position: Position, message: Message, plan: Plan, events: tuple[Event, ...]) -> Decision:
    following = plan.after(position)
    if following is None or following.phase != position.phase:
        events = (*events, Event("PhaseCompleted", position.phase))
    if following is not None:
        return enter(session, following, message, plan, events)
    ended = altered(session, status=Status.COMPLETED, waiting_reason=None, finished_at=message.at)
    return Decision(Verdict.MOVED, stamp(ended, message), events=(*events, Event("SessionCompleted")))


def _fail_step(
    session: Session, outcomes: Mapping[TaskId, Outcome], failed: tuple[TaskId, ...], message: Look, plan: Plan
) -> Decision:
    """Shorten and order again, ask somebody else, wait and order again, or leave it to a person.

    By itself only what may pass is ordered again: a search that was refused, or that a person gave up, stays as it is.
    """
    position = place(session)
    first = outcomes[failed[0]]
    failure = Failure(first.error, first.message, failed[0])
    step = altered(session.current, failed=failed)
    stopped = altered(session, steps={**session.steps, position.key: step}, failure=failure)
    too_long = tuple(task for task in failed if outcomes[task].too_long)
    if step.shorter == 0 and too_long:
        shorter = {**session.steps, position.key: altered(step, shorter=1)}
        event = Event("PromptShortened", position.phase, position.step)
        return order_again(altered(session, steps=shorter), position, too_long, message, plan, (event,))
    if (elsewhere := _fall_back(session, outcomes, failed, message, plan)) is not None:
        return elsewhere
    passing = tuple(task for task in failed if outcomes[task].may_pass)
    done = len(outcomes) - len(failed)
    may_succeed = done + len(passing) >= plan.by_position[position].enough(len(outcomes))
    if may_succeed and session.retry_count < AUTOMATIC_RETRIES:
        pause = timedelta(seconds=FIRST_RETRY_SECONDS * 3**session.retry_count)
        steps = {**session.steps, position.key: altered(step, failed=passing)}
        waiting = altered(stopped, steps=steps, next_retry_at=message.at + pause, retry_count=session.retry_count + 1)
        event = Event("RetryScheduled", position.phase, position.step, failure.error)
        return wait(waiting, WaitingReason.RETRY, message, (event,))
    ended = altered(stopped, status=Status.FAILED, waiting_reason=None, next_retry_at=None, finished_at=message.at)
    event = Event("SessionFailed", position.phase, position.step, failure.error)
    return Decision(Verdict.MOVED, stamp(ended, message), events=(event,))


def _fall_back(
    session: Session, outcomes: Mapping[TaskId, Outcome], failed: tuple[TaskId, ...], message: Look, plan: Plan
) -> Decision | None:
    """Order what failed again, from the next in the step's list. None when there is none, or too little would be saved.

    Under the next generation, like all that is ordered again: its money is reserved anew, or the budget is waited for.
    """
    position, step = place(session), session.current
    asked = plan.by_position[position]
    again = tuple(task for task in failed if outcomes[task].may_fall_back)
    saved = len(outcomes) - len(failed) + len(again)
    if step.fallback >= len(asked.fallback) or not again or saved < asked.enough(len(outcomes)):
        return None
    why = outcomes[again[0]]
    said = f"{asked.source(step.fallback)} → {asked.source(step.fallback + 1)}: {why.error}"
    moved = altered(step, fallback=step.fallback + 1, fallback_reason=f"{why.error}: {why.message}")
    there = altered(session, steps={**session.steps, position.key: moved})
    event = Event("StepFellBack", position.phase, position.step, said)
    return order_again(there, position, again, message, plan, (event,))


def enter(
    session: Session,
    position: Position,
    message: Message,
    plan: Plan,
    events: tuple[Event, ...],
    abandon: tuple[TaskId, ...] = (),
) -> Decision:
    """Come to a position: stop at its gate, or order its tasks. A fan-out over nothing is finished at once."""
    here = altered(session, position=position)
    if closed_before(session, position, plan):
        emptied = {**here.steps, position.key: altered(here.current, tasks=(), failed=())}
        stopped = altered(here, steps=emptied, gate=reached(here, message.at), gates_reached=here.gates_reached + 1)
        event = Event("GateReached", position.phase, position.step, gate_id(stopped, plan))
        return wait(stopped, WaitingReason.APPROVAL, message, (*events, event), abandon)
    items = plan.items(position, here.results, here.edited)
    if not items:
        finished = altered(here.current, tasks=(), result=[], started_at=message.at, finished_at=message.at)
        done = altered(here, steps={**here.steps, position.key: finished})
        return _join(_advance(done, position, message, plan, events), abandon)
    generation = here.current.generation + 1
    tasks = tuple(TaskName(session.id, position, generation, index).id for index in range(len(items)))
    idle = altered(
        here.current, tasks=(), failed=(), result=None, missing=(), flags=(), started_at=None, finished_at=None
    )
    return _join(_buy(here, idle, altered(idle, tasks=tasks), tasks, message, plan, events), abandon)


def order_again(
    session: Session,
    position: Position,
    again: tuple[TaskId, ...],
    message: Message,
    plan: Plan,
    events: tuple[Event, ...],
    *,
    sure: bool = False,
) -> Decision:
    """Order some tasks of the current step again under its next generation, and abandon the ones they replace.

    `sure`: a person wants just these bought, also by a session that is in doubt.

    They are abandoned also when the budget stops the order: an unknown one must not be answered while a higher
    budget, which orders it again, is waited for.

    A step that never ordered anything, because the budget stopped it first, is entered anew.
    """
    if not again:
        return enter(session, position, message, plan, events)
    step = session.current
    generation = step.generation + 1
    replaced = {task: replace(TaskName.parse(task), generation=generation).id for task in again}
    tasks = tuple(replaced.get(task, task) for task in step.tasks)
    renewed = altered(step, tasks=tasks, failed=())
    new = tuple(replaced.values())
    decision = _buy(session, altered(step, failed=again), renewed, new, message, plan, events, sure=sure)
    return _join(decision, again)


def _buy(
    session: Session,
    idle: StepState,
    renewed: StepState,
    new: tuple[TaskId, ...],
    message: Message,
    plan: Plan,
    events: tuple[Event, ...],
    *,
    sure: bool = False,
) -> Decision:
    """Reserve the money for `new` tasks and run it `renewed`; or leave the step `idle`, waiting for a higher budget."""
    position = place(session)
    money = reserve(session.money, dict.fromkeys(new, plan.by_position[position].reservation(idle.fallback)))
    if money is None:
        waiting = altered(session, steps={**session.steps, position.key: idle})
        event = Event("BudgetReached", position.phase, position.step)
        return wait(waiting, WaitingReason.BUDGET, message, (*events, event))
    generation = TaskName.parse(new[0]).generation
    doubted = new if in_doubt(session, position, plan) and not sure else ()
    kept = tuple(task for task in renewed.doubted if task in renewed.tasks)
    started = renewed.started_at or message.at
    step = altered(renewed, generation=generation, doubted=(*kept, *doubted), started_at=started)
    bought = running(altered(session, money=money, steps={**session.steps, position.key: step}), message)
    ordered = tuple(order for order in orders(bought, plan) if order.id in new)
    return Decision(
        Verdict.MOVED, bought, tasks=ordered, events=(*events, Event("StepStarted", position.phase, position.step))
    )


def in_doubt(session: Session, position: Position, plan: Plan) -> bool:
    """Whether what a session orders there may have been bought before it was restored. A text is just written."""
    return session.restored_to is not None and plan.by_position[position].provider.searches


def place(session: Session) -> Position:
    if session.position is None:
        raise ValueError(f"{session.id} is {session.status} and has no position")
    return session.position


def stamp(session: Session, message: Message) -> Session:
    return altered(session, moved_at=message.at)


def running(session: Session, message: Message) -> Session:
    status = RUNNING[place(session).step]
    return stamp(altered(session, status=status, waiting_reason=None, next_retry_at=None, finished_at=None), message)


def wait(
    session: Session,
    reason: WaitingReason,
    message: Message,
    events: tuple[Event, ...],
    abandon: tuple[TaskId, ...] = (),
) -> Decision:
    date = session.next_retry_at if reason is WaitingReason.RETRY else None
    waiting = altered(session, status=Status.WAITING, waiting_reason=reason, next_retry_at=date, finished_at=None)
    return Decision(Verdict.MOVED, stamp(waiting, message), abandon=abandon, events=events)


def _join(decision: Decision, abandon: Collection[TaskId]) -> Decision:
    if not abandon:
        return decision
    return replace(decision, abandon=tuple(dict.fromkeys([*abandon, *decision.abandon])))
