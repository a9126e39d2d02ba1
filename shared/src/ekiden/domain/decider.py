"""The decision.

Two rules:

* every transition of a session is a row of the table at the end of this file;
* nothing here, nor in `progress` which makes the moves, does I/O, reads a clock or draws a random number.

`decide` looks up one row of `RULES`: what a message does in the situation the session is in. A rule **moves**
the session, or finds a **repeat** (nothing to do; what it waits for may be sent again), or the message is
**illegal**, which only a person's command can be. A `Look` is never illegal: late ones are normal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import cast

from ekiden.domain.altered import altered
from ekiden.domain.budget import settle
from ekiden.domain.gate import closed_again, gate_id, gates_before, has_passed, stands_at
from ekiden.domain.ids import Position, TaskId
from ekiden.domain.messages import (
    FINAL,
    Cancel,
    Continue,
    GateDue,
    Look,
    Message,
    Pause,
    Resend,
    RestartPhase,
    Restored,
    Resume,
    Retry,
    RetryDue,
    Start,
    TaskStatus,
    Trust,
)
from ekiden.domain.plan import Plan
from ekiden.domain.progress import (
    Decision,
    Event,
    Verdict,
    enter,
    finish_step,
    in_doubt,
    order_again,
    place,
    running,
    stamp,
    wait,
)
from ekiden.domain.session import RUNNING, GateDefault, Session, Status, StepState, WaitingReason
from ekiden.domain.told import told


class Situation(StrEnum):
    """A session's status, with a wait told apart by its reason: the rows of the table."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    APPROVAL = "WAITING approval"
    BUDGET = "WAITING budget"
    UNKNOWN = "WAITING outcome_unknown"
    PAUSED = "WAITING paused"
    RETRY = "WAITING retry"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


def decide(session: Session, message: Message, plan: Plan) -> Decision:
    """Say what a message does to a session. Illegal and repeated messages leave the session as it is."""
    rule = RULES.get((situation(session), type(message)))
    if rule is None:
        return _illegal(session, message)
    return _elsewhere(session, message, plan) or rule.apply(session, message, plan)


def situation(session: Session) -> Situation:
    if session.status in RUNNING.values():
        return Situation.ACTIVE
    if session.status is Status.WAITING:
        return Situation(f"{Status.WAITING} {session.waiting_reason}")
    return Situation(session.status.value)


# ── rules ────────────────────────────────────────────────────────────────────────────────────────────────


def _begin(session: Session, message: Start, plan: Plan) -> Decision:
    started = altered(session, started_at=message.at)
    return enter(started, plan.first(), message, plan, (Event("SessionStarted"),))


def _repeat(session: Session, message: Message, plan: Plan) -> Decision:
    return Decision(Verdict.REPEAT, session)


def _pass_gate(session: Session, message: Continue, plan: Plan) -> Decision:
    position = place(session)
    passed = session.gates_passed | gates_before(session, position, plan)
    opened = altered(_raise_budget(session, message), gates_passed=passed, gate=None)
    if message.input is not None:
        if plan.by_position[position].for_each is None:
            return _illegal(session, message, told("{where} has no list of items that could be edited", where=position))
        opened = _edit(opened, position, message.input)
    event = Event("GatePassed", position.phase, position.step, gate_id(session, plan))
    return enter(opened, position, message, plan, (event,))


def _gate_due(session: Session, message: GateDue, plan: Plan) -> Decision:
    """Do what was wished for a gate that nobody answered. Approved, it still buys nothing that passes the budget."""
    timeout, due, position = session.wishes.gate_timeout, session.gate and session.gate.due, place(session)
    if timeout is None or due is None or message.at < due:
        return _repeat(session, message, plan)
    if timeout.then is GateDefault.APPROVE:
        decision = _pass_gate(session, Continue(message.at), plan)
    else:
        decision = _cancel(session, Cancel(message.at), plan)
    event = Event("GateTimedOut", position.phase, position.step, timeout.then)
    return replace(decision, events=(event, *decision.events))


def _pass_budget(session: Session, message: Continue, plan: Plan) -> Decision:
    position = place(session)
    raised = _raise_budget(session, message)
    if message.input is not None:
        if plan.by_position[position].for_each is None or session.waits_for:
            none = told("{where} has no list of items that could still be edited", where=position)
            return _illegal(session, message, none)
        raised = _edit(raised, position, message.input)
    decision = order_again(raised, position, session.current.failed, message, plan, ())
    if situation(decision.session) is Situation.BUDGET and raised.money.budget == session.money.budget:
        return _illegal(session, message, told("the budget is still too small: raise it with budgetUsd"))
    return decision


def _continue_running(session: Session, message: Continue, plan: Plan) -> Decision:
    if message.input is not None:
        return _illegal(session, message, told("the step is running: its items can be edited with restart_phase"))
    raised = _raise_budget(session, message)
    if raised == session:
        return Decision(Verdict.REPEAT, session)
    return Decision(Verdict.MOVED, stamp(raised, message), events=(Event("BudgetRaised"),))


def _look(session: Session, message: Look, plan: Plan) -> Decision:
    """Settle what ended; if all that the session waits for has ended, or is unknown, go on.

    What a person wants sent again is ordered at once: the gateway that was told may have died behind the ledger's
    write. A step under way that waits for nothing, which no decision makes, is entered anew.
    """
    if not session.waits_for:
        return enter(session, place(session), message, plan, ())
    settled = altered(session, money=settle(session.money, message.outcomes))
    outcomes = {task: message.outcomes[task] for task in session.waits_for if task in message.outcomes}
    if resend := tuple(task for task, outcome in outcomes.items() if outcome.resend):
        return _resend_these(settled, resend, message, plan)
    closed = FINAL | {TaskStatus.OUTCOME_UNKNOWN}
    all_closed = len(outcomes) == len(session.waits_for) and all(o.status in closed for o in outcomes.values())
    unknown = [task for task, o in outcomes.items() if o.status is TaskStatus.OUTCOME_UNKNOWN]
    if not all_closed:
        waits_for_person = situation(session) is Situation.UNKNOWN
        if waits_for_person and not unknown:
            return _moved_back(settled, message)
        return _settled(session, settled, message)
    if unknown:
        return _wait_for_verdict(session, settled, message, unknown)
    return finish_step(settled, outcomes, message, plan)


def _settle_only(session: Session, message: Look, plan: Plan) -> Decision:
    return _settled(session, altered(session, money=settle(session.money, message.outcomes)), message)


def _retry(session: Session, message: Retry | RetryDue | Start | Continue, plan: Plan) -> Decision:
    if isinstance(message, Continue):
        if message.input is not None:
            return _illegal(session, message, told("a retry keeps its items: edit them with restart_phase"))
        session = _raise_budget(session, message)
    by_a_person = not isinstance(message, RetryDue)
    step = altered(session.current, fallback=0, fallback_reason="")  # whoever failed first may be back
    again = altered(session, failure=None, retry_count=0 if by_a_person else session.retry_count)
    again = altered(again, steps={**session.steps, place(session).key: step})
    return order_again(again, place(session), session.current.failed, message, plan, (Event("StepRetried"),))


def _restart(session: Session, message: RestartPhase, plan: Plan) -> Decision:
    reached = session.position.phase if session.position else 0
    if not 1 <= message.phase <= reached:
        reach = told("phase {phase} was not reached: choose 1 to {reached}", phase=message.phase, reached=reached)
        return _illegal(session, message, reach)
    first = plan.first(message.phase)
    new_items: dict[str, list[object]] = {}
    if message.input is not None:
        place = next((s.position for s in plan.steps if s.position.phase == message.phase and s.for_each), None)
        if place is None:
            none = told("phase {phase} has no list of items that could be edited", phase=message.phase)
            return _illegal(session, message, none)
        new_items = {place.key: list(message.input)}
        planned = plan.by_position[place].for_each
        first = place if planned and planned[0] in session.results else first
    again = {position.key for position in plan.from_(first)}
    steps = {**session.steps, **{key: _forgotten(session.steps.get(key), message.fresh) for key in again}}
    edited = {**{key: items for key, items in session.edited.items() if not _planned_in(again, key, plan)}, **new_items}
    gates = frozenset(gate for gate in session.gates_passed if not closed_again(gate, message.phase))
    rewound = altered(session, steps=steps, edited=edited, gates_passed=gates, gate=None)
    rewound = altered(rewound, failure=None, retry_count=0, finished_at=None)
    event = Event("PhaseRestarted", message.phase, detail="fresh" if message.fresh else "")
    return enter(rewound, first, message, plan, (event,), abandon=session.waits_for)


def _resend(session: Session, message: Resend, plan: Plan) -> Decision:
    if message.task_id not in session.waits_for:
        return _illegal(session, message, told("the session does not wait for {task}", task=message.task_id))
    return _resend_these(session, (message.task_id,), message, plan)


def _pause(session: Session, message: Pause, plan: Plan) -> Decision:
    return wait(session, WaitingReason.PAUSED, message, (Event("SessionPaused"),))


def _resume(session: Session, message: Resume | Continue, plan: Plan) -> Decision:
    if isinstance(message, Continue):
        if message.input is not None:
            return _illegal(session, message, told("the step is running: its items can be edited with restart_phase"))
        session = _raise_budget(session, message)
    return Decision(Verdict.MOVED, running(session, message), events=(Event("SessionResumed"),))


def _cancel(session: Session, message: Cancel, plan: Plan) -> Decision:
    ended = altered(
        session, status=Status.CANCELLED, waiting_reason=None, next_retry_at=None, gate=None, finished_at=message.at
    )
    events = (Event("SessionCancelled"),)
    return Decision(Verdict.MOVED, stamp(ended, message), abandon=session.waits_for, events=events)


def _restored(session: Session, message: Restored, plan: Plan) -> Decision:
    """From here on every search that it orders is one of which nobody knows whether it was bought.

    So are those it waits for now, in case the ledger has lost them. Nothing else moves: the ledger is looked at when
    its own doubts are in it.
    """
    doubtful = altered(session, restored_to=message.to)
    if session.position is not None and in_doubt(doubtful, session.position, plan):
        step = altered(session.current, doubted=session.waits_for)
        doubtful = altered(doubtful, steps={**session.steps, session.position.key: step})
    if doubtful == session:
        return Decision(Verdict.REPEAT, session)
    return Decision(Verdict.MOVED, stamp(doubtful, message), events=(Event("SessionRestored"),))


def _trust(session: Session, message: Trust, plan: Plan) -> Decision:
    if session.restored_to is None:
        return Decision(Verdict.REPEAT, session)
    steps = {key: altered(step, doubted=()) for key, step in session.steps.items()}
    trusted = altered(session, restored_to=None, steps=steps)
    return Decision(Verdict.MOVED, stamp(trusted, message), events=(Event("SessionTrusted"),))


# ── small words ────────────────────────────────────────────────────────────────────────────────


def _resend_these(session: Session, tasks: tuple[TaskId, ...], message: Message, plan: Plan) -> Decision:
    """A session in doubt buys them only on a word that is younger than its backup: an older one may have been heard."""
    event = Event("TaskResent", detail=", ".join(tasks))
    sure = isinstance(message, Resend) or all(_is_news(session, message, task) for task in tasks)
    return order_again(session, place(session), tasks, message, plan, (event,), sure=sure)


def _is_news(session: Session, message: Message, task: TaskId) -> bool:
    """Whether what the ledger says of a task was written after the backup that the session came out of."""
    outcome = message.outcomes.get(task) if isinstance(message, Look) else None
    ended = outcome.finished_at if outcome else None
    return session.restored_to is None or (ended is not None and ended > session.restored_to)


def _wait_for_verdict(before: Session, settled: Session, message: Look, unknown: list[TaskId]) -> Decision:
    if situation(before) is Situation.UNKNOWN:
        return _settled(before, settled, message)
    position = place(before)
    event = Event("OutcomeUnknown", position.phase, position.step, ", ".join(unknown))
    return wait(settled, WaitingReason.OUTCOME_UNKNOWN, message, (event,))


def _moved_back(session: Session, message: Look) -> Decision:
    return Decision(Verdict.MOVED, running(session, message), events=(Event("OutcomeResolved"),))


def _settled(before: Session, after: Session, message: Look) -> Decision:
    if before.money == after.money:
        return Decision(Verdict.REPEAT, before)
    return Decision(Verdict.MOVED, stamp(after, message), events=(Event("CostSettled"),))


def _forgotten(step: StepState | None, fresh: bool) -> StepState:
    """A step whose result has become history: only how often it was ordered is kept."""
    return StepState(generation=step.generation if step else 0, fresh=fresh)


def _planned_in(again: set[str], key: str, plan: Plan) -> bool:
    """Whether the list a person edited is planned anew, so that the edit is about a list that is history."""
    source = plan.by_position[Position.parse(key)].for_each
    return source is not None and source[0] in again


def _edit(session: Session, position: Position, items: tuple[object, ...]) -> Session:
    return altered(session, edited={**session.edited, position.key: list(items)})


def _raise_budget(session: Session, message: Continue) -> Session:
    if message.budget is None or message.budget <= session.money.budget:
        return session
    return altered(session, money=altered(session.money, budget=message.budget))


def _elsewhere(session: Session, message: Message, plan: Plan) -> Decision | None:
    """What was said of one gate never happens to another, nor to a session that has gone on. None: it is the one.

    To pass a gate that was passed already is a repeat, unless it would have edited something.
    """
    gate = message.gate if isinstance(message, Continue | RestartPhase | Cancel) else None
    if gate is None or stands_at(session, gate, plan):
        return None
    if message == Continue(message.at, gate=gate) and has_passed(session, gate):
        return Decision(Verdict.REPEAT, session)
    here = gate_id(session, plan) or told("no gate")
    return _illegal(session, message, told("it stands at {here}, and the word is about {gate}", here=here, gate=gate))


def _illegal(session: Session, message: Message, why: str = "") -> Decision:
    here = situation(session)
    no_sense = told("{word} makes no sense while the session is {here}", word=type(message).__name__, here=told(here))
    return Decision(Verdict.ILLEGAL, session, why=why or no_sense)


# ── the table ────────────────────────────────────────────────────────────────────────────────────────────

Apply = Callable[[Session, Message, Plan], Decision]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a message does in a situation, and the situations it may lead to: the diagram is drawn from these."""

    apply: Apply
    to: frozenset[Situation]


def _rule(apply: Callable[..., Decision], *to: Situation) -> Rule:
    return Rule(cast("Apply", apply), frozenset(to))


_S = Situation
_AHEAD = (_S.ACTIVE, _S.APPROVAL, _S.BUDGET)
_FINISHED = (*_AHEAD, _S.COMPLETED, _S.RETRY, _S.FAILED)
_AGAIN = _rule(_retry, _S.ACTIVE, _S.BUDGET)
_RESTART = _rule(_restart, *_AHEAD)
_CANCEL = _rule(_cancel, _S.CANCELLED)
_STAY = _rule(_repeat)
_SETTLE = _rule(_settle_only)
_RESTORED = _rule(_restored)
_TRUST = _rule(_trust)

RULES: Mapping[tuple[Situation, type[Message]], Rule] = {
    (_S.PENDING, Start): _rule(_begin, *_AHEAD),
    (_S.ACTIVE, Start): _STAY,
    (_S.RETRY, Start): _STAY,
    (_S.COMPLETED, Start): _STAY,
    (_S.FAILED, Start): _AGAIN,
    (_S.ACTIVE, Continue): _rule(_continue_running),
    (_S.COMPLETED, Continue): _STAY,
    (_S.APPROVAL, Continue): _rule(_pass_gate, *_AHEAD),
    (_S.BUDGET, Continue): _rule(_pass_budget, *_AHEAD),
    (_S.RETRY, Continue): _AGAIN,
    (_S.PAUSED, Continue): _rule(_resume, _S.ACTIVE),
    (_S.RETRY, RetryDue): _AGAIN,
    **{(s, RetryDue): _STAY for s in _S if s is not _S.RETRY},
    (_S.APPROVAL, GateDue): _rule(_gate_due, *_AHEAD, _S.CANCELLED),
    **{(s, GateDue): _STAY for s in _S if s is not _S.APPROVAL},
    (_S.RETRY, Retry): _AGAIN,
    (_S.FAILED, Retry): _AGAIN,
    (_S.ACTIVE, Look): _rule(_look, *_FINISHED, _S.UNKNOWN),
    (_S.UNKNOWN, Look): _rule(_look, *_FINISHED),
    **{(s, Look): _SETTLE for s in _S if s not in {_S.ACTIVE, _S.UNKNOWN}},
    **{(s, RestartPhase): _RESTART for s in _S if s not in {_S.PENDING, _S.CANCELLED}},
    (_S.UNKNOWN, Resend): _rule(_resend, _S.ACTIVE, _S.BUDGET),
    (_S.ACTIVE, Pause): _rule(_pause, _S.PAUSED),
    (_S.PAUSED, Pause): _STAY,
    (_S.PAUSED, Resume): _rule(_resume, _S.ACTIVE),
    (_S.ACTIVE, Resume): _STAY,
    **{(s, Cancel): _CANCEL for s in _S if s not in {_S.COMPLETED, _S.CANCELLED}},
    (_S.CANCELLED, Cancel): _STAY,
    **{(s, Restored): _RESTORED for s in _S if s not in {_S.COMPLETED, _S.CANCELLED}},
    **{(s, Trust): _TRUST for s in _S if s is not _S.CANCELLED},
}
