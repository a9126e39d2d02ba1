"""The smallest workflow that has everything: phase 1 fans out, phase 2 has no EXECUTE."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ekiden.domain.decider import Situation, decide, situation
from ekiden.domain.ids import Micros, Position, SessionId, Step, TaskId
from ekiden.domain.messages import Look, Message, Outcome, Start, TaskStatus
from ekiden.domain.plan import Plan, Provider, StepPlan
from ekiden.domain.progress import Decision
from ekiden.domain.session import GateDefault, GateTimeout, Money, Session, Wishes

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ID = SessionId("ses_" + "0" * 32)
PLENTY = Micros(1_000_000)
GPT_CAP, SEARCH_CAP = Micros(10), Micros(60)
GPT_CALLS = 2


def plan(*, min_success: int | None = None, at_most: int = 4) -> Plan:
    def gpt(phase: int, step: Step) -> StepPlan:
        return StepPlan(Position(phase, step), Provider.GPT, GPT_CAP, paid_calls=GPT_CALLS)

    searches = StepPlan(
        Position(1, Step.EXECUTE),
        Provider.PERPLEXITY,
        SEARCH_CAP,
        for_each=("1T", "questions"),
        at_most=at_most,
        min_success=min_success,
    )
    return Plan(
        (gpt(1, Step.THINK), searches, gpt(1, Step.INTEGRATE), gpt(2, Step.THINK), gpt(2, Step.INTEGRATE)),
    )


def new_session(*, budget: int = PLENTY, wishes: Wishes | None = None) -> Session:
    return Session(
        id=ID,
        owner="owner",
        workflow="small@0",
        input={"theme": "tea"},
        language="en",
        created_at=AT,
        money=Money(Micros(budget)),
        wishes=wishes or Wishes(),
    )


def questions(count: int) -> dict[str, object]:
    return {"questions": [f"question {number}" for number in range(count)]}


def task(place: str, generation: int = 1, index: int = 0) -> TaskId:
    """`task("1E", 2, 0)`: the id of a task of the session."""
    return TaskId(f"{ID}.{place}.g{generation}.{index}")


def done(result: object = "an answer", *, billed: int = 5) -> Outcome:
    return Outcome(TaskStatus.COMPLETED, result=result, billed=Micros(billed))


def passing(*, billed: int = 0) -> Outcome:
    """A failure that may be gone on another try."""
    return Outcome(TaskStatus.FAILED, error="RateLimited", message="slow down", billed=Micros(billed), may_pass=True)


def permanent() -> Outcome:
    return Outcome(TaskStatus.FAILED, error="RequestRejected", message="no")


def too_long() -> Outcome:
    return Outcome(TaskStatus.FAILED, error="ContextTooLong", message="too long", too_long=True)


def unknown(*, billed: int = 60) -> Outcome:
    return Outcome(TaskStatus.OUTCOME_UNKNOWN, error="OutcomeUnknown", billed=Micros(billed))


def resend_asked(*, billed: int = 60) -> Outcome:
    """What the ledger says once a person wants an unknown outcome sent again."""
    return Outcome(TaskStatus.FAILED, error="ResendAsked", billed=Micros(billed), may_pass=True, resend=True)


def running() -> Outcome:
    return Outcome(TaskStatus.PROCESSING)


class Story:
    """Tells a session one thing after the other, each a second later; keeps what was decided."""

    def __init__(self, session: Session | None = None, the_plan: Plan | None = None) -> None:
        self.session = session or new_session()
        self.plan = the_plan or plan()
        self.now = AT
        self.last = self.say(Start(self.now)) if session is None else None

    def say(self, message: Message) -> Decision:
        self.last = decide(self.session, message, self.plan)
        self.session = self.last.session
        self.now += timedelta(seconds=1)
        return self.last

    def look(self, outcomes: Mapping[TaskId, Outcome]) -> Decision:
        return self.say(Look(self.now, dict(outcomes)))

    def everything(self, outcome: Outcome) -> Decision:
        """Look, and find that all that is waited for has ended alike."""
        return self.look(dict.fromkeys(self.session.waits_for, outcome))

    def searching(self, count: int) -> "Story":
        """Think, and plan so many questions: the searches are ordered."""
        self.everything(done(questions(count)))
        return self

    def has_wishes(self, wishes: Wishes) -> "Story":
        self.session = replace(self.session, wishes=wishes)
        return self

    def begun(self) -> "Story":
        self.say(Start(self.now))
        return self


GPT = GPT_CAP * GPT_CALLS
EXECUTE = Position(1, Step.EXECUTE)


def told(budget: int = 1_000_000, wishes: Wishes | None = None, min_success: int | None = None) -> Story:
    return Story(new_session(budget=budget, wishes=wishes), plan(min_success=min_success)).begun()


def gated(*before: Position, seconds: int | None = None, then: GateDefault = GateDefault.STOP) -> Wishes:
    timeout = GateTimeout(timedelta(seconds=seconds), then) if seconds is not None else None
    return Wishes(pause_before=frozenset(before), gate_timeout=timeout)


def one_of_three_failed(failure: Outcome, min_success: int = 3) -> Story:
    story = told(min_success=min_success).searching(3)
    story.look({task("1E", 1, 0): done("a"), task("1E", 1, 1): failure, task("1E", 1, 2): done("c")})
    return story


def happy_end() -> Story:
    story = told().searching(2)
    while situation(story.session) is Situation.ACTIVE:
        story.everything(done())
    return story


def half_unknown() -> Story:
    story = told().searching(2)
    story.look({task("1E", 1, 0): unknown(), task("1E", 1, 1): done("b")})
    return story
