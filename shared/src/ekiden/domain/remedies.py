"""What a person can do for a session, with what it would cost. Agreed with the decision: only what would move it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ekiden.domain.decider import Situation, decide, situation
from ekiden.domain.forecast import Forecast, Medians, forecast, items, usd
from ekiden.domain.ids import Micros, TaskId
from ekiden.domain.messages import (
    Cancel,
    Continue,
    Message,
    Pause,
    Resend,
    RestartPhase,
    Resume,
    Retry,
    Start,
    TaskStatus,
)
from ekiden.domain.plan import Plan, Provider
from ekiden.domain.progress import Verdict
from ekiden.domain.session import Money, Session


class Verb(StrEnum):
    """What a person can do; `wait` and `drafts` change nothing."""

    START = "start"
    CONTINUE = "continue"
    RETRY = "retry"
    RESTART_PHASE = "restart_phase"
    RESTART_SESSION = "restart_session"
    RESOLVE = "resolve"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    WAIT = "wait"
    DRAFTS = "drafts"


@dataclass(frozen=True, slots=True)
class TaskFact:
    """What the doctor needs to know of a task. `since` is when it came into its status.

    `worker` holds it until `lease_until`; `twin` is the task that buys the same search at the moment. `longest` says
    of one whose prompt was too long which of its texts is the longest, and how many characters that has.
    """

    id: TaskId
    status: TaskStatus
    provider: Provider
    since: datetime
    cap: Micros
    error: str = ""
    message: str = ""
    not_before: datetime | None = None
    attempt: int = 0
    worker: str | None = None
    lease_until: datetime | None = None
    run_id: str | None = None
    twin: TaskId | None = None
    longest: tuple[str, int] | None = None

    @property
    def waits_to_be_collected(self) -> bool:
        return self.status is TaskStatus.SUBMITTED and self.worker is None


@dataclass(frozen=True, slots=True)
class QueueFact:
    """A queue: `ready` messages that nobody holds, and how many workers, or orchestrators, consume."""

    ready: int
    consumers: int


@dataclass(frozen=True, slots=True)
class Action:
    verb: Verb
    description: str
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known of a session. `held` says, per provider, why its tasks are kept back.

    `queues` has an entry for each provider that was asked after: None, when the broker did not answer.
    `orchestrators` is the queue of events: None, when nobody asked or the broker did not answer.
    """

    session: Session
    tasks: Sequence[TaskFact]
    plan: Plan
    now: datetime
    medians: Medians
    held: Mapping[Provider, str]
    queues: Mapping[Provider, QueueFact | None]
    orchestrators: QueueFact | None = None

    @property
    def waited(self) -> list[TaskFact]:
        return [task for task in self.tasks if task.id in self.session.waits_for]

    def first(self, status: TaskStatus) -> list[TaskFact]:
        return [task for task in self.waited if task.status is status]


def actions(case: Case, helps: Sequence[Verb]) -> Iterable[Action]:
    """What can be done, what helps most first."""
    possible = {action.verb: action for action in _possible(case)}
    return [possible[verb] for verb in dict.fromkeys([*helps, *possible]) if verb in possible]


def _possible(case: Case) -> Iterable[Action]:
    here = situation(case.session)
    if here is Situation.ACTIVE or here is Situation.RETRY:
        yield Action(Verb.WAIT, "Nothing: it goes on by itself.")
    if here is Situation.COMPLETED:
        yield Action(Verb.DRAFTS, "Read the drafts.")
    for verb, message, description in _candidates(case):
        decision = decide(case.session, message, case.plan)
        if decision.verdict is Verdict.MOVED:
            yield Action(verb, description, forecast(decision, case.plan, case.medians))
    if here is not Situation.PENDING:
        yield Action(Verb.RESTART_SESSION, "Begin a new, linked session with the same input.", _from_scratch(case))


def _candidates(case: Case) -> Iterable[tuple[Verb, Message, str]]:
    session, now = case.session, case.now
    here = situation(session)
    if here is Situation.PENDING:
        yield Verb.START, Start(now), "Start it."
    if here is Situation.BUDGET:
        needed = needed_budget(session, case.plan)
        yield Verb.CONTINUE, Continue(now, budget=needed), f"Raise the budget to {usd(needed)} or more and go on."
    if here is Situation.APPROVAL:
        yield Verb.CONTINUE, Continue(now), "Pass the gate and go on."
    if here is Situation.UNKNOWN:
        unknown = case.first(TaskStatus.OUTCOME_UNKNOWN)
        lost = unknown[0].id if unknown else session.waits_for[0]
        yield Verb.RESOLVE, Resend(now, lost), "Resend, give up or attach a run; the forecast is that of resending."
    yield Verb.RETRY, Retry(now), "Order the failed tasks again; every result is kept."
    yield Verb.RESUME, Resume(now), "Go on from where it stands."
    phase = session.position.phase if session.position else 0
    yield (
        Verb.RESTART_PHASE,
        RestartPhase(now, phase),
        f"Do phase {phase}, or an earlier one, and all after it again; unchanged searches may come from the cache.",
    )
    yield Verb.PAUSE, Pause(now), "Stop after the calls under way."
    yield Verb.CANCEL, Cancel(now), "End it; what is under way is cancelled at the provider and booked."


def needed_budget(session: Session, plan: Plan) -> Micros:
    """The smallest budget with which a session that waits for money goes on."""
    if session.position is None:
        return session.money.budget
    ordered = len(session.current.failed) or len(items(session, session.position, plan))
    order = plan.by_position[session.position].reservation(session.current.fallback) * ordered
    return Micros(max(session.money.budget, session.money.spent + session.money.held + order))


def _from_scratch(case: Case) -> Forecast:
    session = case.session
    blank = Session(
        id=session.id,
        owner=session.owner,
        workflow=session.workflow,
        input=session.input,
        language=session.language,
        created_at=case.now,
        money=Money(budget=session.money.budget),
        wishes=session.wishes,
    )
    return forecast(decide(blank, Start(case.now), case.plan), case.plan, case.medians)
