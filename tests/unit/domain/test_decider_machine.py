"""A session and a model ledger, told anything in any order: what must always hold, holds.

The model knows nothing of the decision: it keeps tasks, their bills, and what was ever ordered or abandoned.
"""

import copy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ekiden.domain.decider import RULES, Situation, decide, situation
from ekiden.domain.gate import gate_id, stands_at
from ekiden.domain.ids import Micros, Position, Step, TaskId, TaskName
from ekiden.domain.messages import (
    FINAL,
    OPEN,
    Cancel,
    Continue,
    GateDue,
    Look,
    Message,
    Outcome,
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
from ekiden.domain.progress import Decision, Verdict, orders
from ekiden.domain.session import GateDefault, GateTimeout, Session, Wishes
from tests.unit.domain.small_plan import (
    AT,
    EXECUTE,
    done,
    new_session,
    passing,
    permanent,
    plan,
    questions,
    too_long,
    unknown,
)

KEEPS_RESULTS = (Start, Continue, Retry, RetryDue, GateDue, Resend, Restored, Trust)
"""What a person or a date may say to go on with the same step: none of these may throw an answer away."""
MOST_MESSAGES_TO_THE_END = 40
TIMEOUTS = [timedelta(seconds=2), timedelta(seconds=30)]


@dataclass
class World:
    """The session and the ledger's truth, and what the messages so far have led to."""

    plan: Plan
    session: Session
    now: datetime = AT
    ledger: dict[TaskId, Outcome] = field(default_factory=dict[TaskId, Outcome])
    ordered: set[TaskId] = field(default_factory=set[TaskId])
    abandoned: set[TaskId] = field(default_factory=set[TaskId])

    def say(self, message: Message) -> Decision:
        before = self.session
        decision = decide(before, message, self.plan)
        self._check(before, message, decision)
        self.session = decision.session
        self.now += timedelta(seconds=1)
        self.abandoned.update(decision.abandon)
        for task in decision.abandon:
            outcome = self.ledger.get(task, Outcome(TaskStatus.QUEUED))
            if outcome.status in {TaskStatus.QUEUED, TaskStatus.OUTCOME_UNKNOWN}:
                self.ledger[task] = replace(outcome, status=TaskStatus.CANCELLED)
        for order in decision.tasks:
            self.ordered.add(order.id)
            self.ledger.setdefault(order.id, unknown(billed=60) if order.doubted else Outcome(TaskStatus.QUEUED))
        return decision

    def _check(self, before: Session, message: Message, decision: Decision) -> None:
        after = decision.session
        if decision.verdict is not Verdict.MOVED:
            assert after == before, f"{decision.verdict} changed the session"
            assert not decision.tasks
            assert not decision.abandon
            assert not decision.events
            return
        assert decision.events, "a move without an event leaves no trace in the history"
        assert after.moved_at == message.at
        here, there = situation(before), situation(after)
        assert there == here or there in RULES[here, type(message)].to, f"{here} -> {there} is not in the table"
        new = [order.id for order in decision.tasks]
        assert len(new) == len(set(new))
        assert not self.ordered & set(new), "ordered twice under one generation"
        assert set(new) <= set(after.waits_for), "ordered, and then not waited for"
        assert set(decision.abandon) <= set(before.waits_for), "abandoned what nobody awaited"
        if new:
            assert set(new) <= set(after.money.reserved)
            assert after.money.held + after.money.spent <= after.money.budget, "an order passed the budget"
        if before.restored_to is not None:
            searches = [order for order in decision.tasks if order.name.position == EXECUTE]
            assert all(order.doubted for order in searches) or self._is_news(before, message), "bought unasked"
        if isinstance(message, Continue | RestartPhase | Cancel) and message.gate is not None:
            assert stands_at(before, message.gate, self.plan), "what was said of one gate happened elsewhere"
        if isinstance(message, GateDue):
            assert before.gate, "time was up at no gate"
            assert before.gate.due, "time was up where nobody had asked for it"
            assert before.gate.due <= message.at, "time was up too early"
        if isinstance(message, KEEPS_RESULTS):
            kept = {task for task in before.waits_for if self._status(task) is TaskStatus.COMPLETED}
            assert kept <= set(after.waits_for), "an answer that was paid for is lost"

    def _is_news(self, before: Session, message: Message) -> bool:
        """Whether a person has said, since the backup, to send something again."""
        asked = [o for task, o in self.ledger.items() if task in before.waits_for and o.resend and o.finished_at]
        since = [o for o in asked if o.finished_at and before.restored_to and o.finished_at > before.restored_to]
        return isinstance(message, Resend) or bool(since)

    def _status(self, task: TaskId) -> TaskStatus | None:
        outcome = self.ledger.get(task)
        return outcome.status if outcome else None

    def look(self) -> Decision:
        return self.say(Look(self.now, dict(self.ledger)))

    def succeed(self, task: TaskId, planned: int = 2) -> None:
        thinks = TaskName.parse(task).position == Position(1, Step.THINK)
        self.ledger[task] = done(questions(planned) if thinks else f"answer of {task}", billed=3)

    def run_to_the_end(self) -> None:
        """A helpful person and a provider that always answers: how far is it to COMPLETED?"""
        for _ in range(MOST_MESSAGES_TO_THE_END):
            if situation(self.session) in {Situation.COMPLETED, Situation.CANCELLED}:
                return
            self.help()
        raise AssertionError(f"still {situation(self.session)} after {MOST_MESSAGES_TO_THE_END} helpful messages")

    def help(self) -> None:
        """Say what brings the session on from where it stands."""
        match situation(self.session):
            case Situation.PENDING:
                self.say(Start(self.now))
            case Situation.APPROVAL:
                self.say(Continue(self.now))
            case Situation.BUDGET:
                more = Micros(self.session.money.spent + self.session.money.held + 1_000)
                self.say(Continue(self.now, budget=more))
            case Situation.PAUSED:
                self.say(Resume(self.now))
            case Situation.RETRY:
                self.say(RetryDue(self.now))
            case Situation.FAILED:
                self.say(Retry(self.now))
            case _:
                for task in self.session.waits_for:
                    if self._status(task) not in FINAL:
                        self.succeed(task)
                self.look()


class SessionMachine(RuleBasedStateMachine):
    world: World

    @initialize(
        budget=st.sampled_from([60, 150, 400, 1_000_000, 1_000_000, 1_000_000]),
        auto_advance=st.sampled_from([True, True, False]),
        pause_before=st.sampled_from([(), (), (Position(1, Step.EXECUTE),), (Position(2, Step.THINK),)]),
        pause_after=st.sampled_from([(), (), (1,)]),
        min_success=st.sampled_from([None, None, 0, 1, 4]),
        timeout=st.none() | st.builds(GateTimeout, st.sampled_from(TIMEOUTS), st.sampled_from(GateDefault)),
        started=st.sampled_from([True, True, True, False]),
    )
    def begin(
        self,
        budget: int,
        auto_advance: bool,
        pause_before: tuple[Position, ...],
        pause_after: tuple[int, ...],
        min_success: int | None,
        timeout: GateTimeout | None,
        started: bool,
    ) -> None:
        wishes = Wishes(auto_advance, frozenset(pause_after), frozenset(pause_before), timeout)
        self.world = World(plan(min_success=min_success), new_session(budget=budget, wishes=wishes))
        self.snapshots: list[dict[TaskId, Outcome]] = [{}]
        self.gates_seen: set[str] = set()
        if started:
            self.world.say(Start(self.world.now))

    # ── the ledger moves ─────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: any(o.status in OPEN for o in self.world.ledger.values()))
    @rule(
        data=st.data(),
        outcome=st.sampled_from(["done", "done", "done", "passing", "permanent", "too_long", "unknown", "claimed"]),
        planned=st.integers(0, 4),
    )
    def a_task_moves(self, data: st.DataObject, outcome: str, planned: int) -> None:
        """Also one that was abandoned while it ran: it ends late."""
        ledger = self.world.ledger
        task = data.draw(st.sampled_from(sorted(t for t, o in ledger.items() if o.status in OPEN)))
        if outcome == "done":
            self.world.succeed(task, planned)
        else:
            ledger[task] = {
                "passing": passing(billed=1),
                "permanent": permanent(),
                "too_long": too_long(),
                "unknown": unknown(billed=7),
                "claimed": Outcome(TaskStatus.PROCESSING),
            }[outcome]

    @precondition(lambda self: any(o.status in OPEN for o in self.world.ledger.values()))
    @rule(
        outcomes=st.lists(st.sampled_from(["done", "done", "passing", "permanent", "unknown"]), min_size=1),
        looked=st.booleans(),
    )
    def all_open_tasks_end(self, outcomes: list[str], looked: bool) -> None:
        opened = [task for task, outcome in self.world.ledger.items() if outcome.status in OPEN]
        for number, task in enumerate(opened):
            match outcomes[number % len(outcomes)]:
                case "done":
                    self.world.succeed(task, planned=3)
                case "passing":
                    self.world.ledger[task] = passing(billed=1)
                case "permanent":
                    self.world.ledger[task] = permanent()
                case _:
                    self.world.ledger[task] = unknown(billed=7)
        if looked:
            self.look(again=True)

    def _unknown(self) -> list[TaskId]:
        return sorted(t for t, o in self.world.ledger.items() if o.status is TaskStatus.OUTCOME_UNKNOWN)

    @precondition(lambda self: self._unknown())
    @rule(data=st.data(), word=st.sampled_from(["give_up", "resend", "its answer came"]))
    def an_unknown_outcome_becomes_known(self, data: st.DataObject, word: str) -> None:
        task = data.draw(st.sampled_from(self._unknown()))
        ledger = self.world.ledger
        if word == "its answer came":
            self.world.succeed(task)
        else:
            asked = word == "resend"
            closed = replace(ledger[task], status=TaskStatus.FAILED, may_pass=asked, resend=asked)
            ledger[task] = replace(closed, finished_at=self.world.now)

    @precondition(lambda self: any(o.status in FINAL for o in self.world.ledger.values()))
    @rule(data=st.data(), more=st.integers(1, 9))
    def a_bill_comes_late(self, data: st.DataObject, more: int) -> None:
        ledger = self.world.ledger
        task = data.draw(st.sampled_from(sorted(t for t, o in ledger.items() if o.status in FINAL)))
        ledger[task] = replace(ledger[task], billed=Micros(ledger[task].billed + more))

    # ── looks ────────────────────────────────────────────────────────────────────────────────────────────

    @rule(again=st.booleans())
    def look(self, again: bool) -> None:
        self.snapshots.append(dict(self.world.ledger))
        self.world.look()
        if again:
            self.world.say(Look(self.world.now, self.snapshots[-1]))

    @rule(data=st.data())
    def look_with_a_part(self, data: st.DataObject) -> None:
        seen = data.draw(st.sets(st.sampled_from(sorted(self.world.ledger)))) if self.world.ledger else set[TaskId]()
        self.world.say(Look(self.world.now, {task: self.world.ledger[task] for task in sorted(seen, reverse=True)}))

    @rule(data=st.data())
    def look_with_what_was_read_long_ago(self, data: st.DataObject) -> None:
        """Stale and reordered; what has been abandoned since was read before."""
        snapshot = data.draw(st.sampled_from(self.snapshots))
        known = {t: o for t, o in snapshot.items() if o.status not in FINAL or self.world.ledger[t].status == o.status}
        self.world.say(Look(self.world.now, known))

    # ── a person, or a date ──────────────────────────────────────────────────────────────────────────────

    @rule(
        items=st.none() | st.lists(st.sampled_from(["mine", "yours"]), max_size=4).map(tuple),
        budget=st.none() | st.sampled_from([10, 300, 2_000_000]).map(Micros),
    )
    def go_on(self, items: tuple[object, ...] | None, budget: Micros | None) -> None:
        self.world.say(Continue(self.world.now, items, budget))

    @rule(later=st.sampled_from([0, 0, 5, 60]))
    def the_time_at_a_gate_may_be_over(self, later: int) -> None:
        """Also said twice, and where there is no gate."""
        self.world.now += timedelta(seconds=later)
        if self.world.say(GateDue(self.world.now)).verdict is Verdict.MOVED:
            assert self.world.say(GateDue(self.world.now - timedelta(seconds=1))).verdict is Verdict.REPEAT

    @precondition(lambda self: self.gates_seen)
    @rule(
        data=st.data(),
        word=st.sampled_from(["approve", "approve", "edit", "rerun", "stop"]),
        named=st.sampled_from(["with its number", "with its number", "by its place"]),
    )
    def a_gate_is_answered_by_name(self, data: st.DataObject, word: str, named: str) -> None:
        """One the session stands at, or has long passed, or came to again since."""
        seen = data.draw(st.sampled_from(sorted(self.gates_seen)))
        gate = seen if named == "with its number" else seen.partition("@")[0]
        now = self.world.now
        match word:
            case "rerun":
                self.world.say(RestartPhase(now, 1, gate=gate))
            case "stop":
                self.world.say(Cancel(now, gate=gate))
            case _:
                self.world.say(Continue(now, ("mine",) if word == "edit" else None, gate=gate))

    @precondition(lambda self: situation(self.world.session) in {Situation.RETRY, Situation.FAILED})
    @rule(person=st.booleans())
    def retry(self, person: bool) -> None:
        self.world.say(Retry(self.world.now) if person else RetryDue(self.world.now))

    @rule(times=st.integers(1, 4))
    def all_goes_well_for_a_while(self, times: int) -> None:
        for _ in range(times):
            self.world.help()

    @rule(phase=st.sampled_from([1, 2, 3]), fresh=st.booleans(), items=st.none() | st.just(("mine",)))
    def restart_phase(self, phase: int, fresh: bool, items: tuple[object, ...] | None) -> None:
        self.world.say(RestartPhase(self.world.now, phase, items, fresh))

    @precondition(lambda self: self._unknown())
    @rule(data=st.data())
    def resend(self, data: st.DataObject) -> None:
        self.world.say(Resend(self.world.now, data.draw(st.sampled_from(self._unknown()))))

    @rule(kind=st.sampled_from([Pause, Pause, Resume, Resume, Retry, RetryDue, Start, Start, Start, Cancel]))
    def somebody_meddles(self, kind: type[Pause | Resume | Retry | RetryDue | Start | Cancel]) -> None:
        self.world.say(kind(self.world.now))

    @rule(ago=st.sampled_from([0, 0, 3, 1000]))
    def the_database_is_restored(self, ago: int) -> None:
        """As the command does it: the session is marked, and every search under way is of unknown outcome."""
        world = self.world
        world.say(Restored(world.now, world.now - timedelta(seconds=ago)))
        for task, outcome in world.ledger.items():
            if outcome.status in OPEN and TaskName.parse(task).position == EXECUTE:
                world.ledger[task] = unknown(billed=60)

    @rule()
    def a_person_trusts_it(self) -> None:
        self.world.say(Trust(self.world.now))

    # ── what always holds ────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def every_order_has_its_money_in_exactly_one_place(self) -> None:
        money = self.world.session.money
        assert not set(money.reserved) & set(money.settled)
        assert {*money.reserved, *money.settled} == self.world.ordered

    @invariant()
    def what_a_running_session_waits_for_can_be_ordered_again_from_it_alone(self) -> None:
        session = self.world.session
        if situation(session) is Situation.ACTIVE:
            assert session.waits_for
            assert tuple(order.id for order in orders(session, self.world.plan)) == session.waits_for

    @invariant()
    def what_may_still_cost_money_is_waited_for_or_was_abandoned(self) -> None:
        session = self.world.session
        open_ended = {task for task, outcome in self.world.ledger.items() if outcome.status not in FINAL}
        waited = set[TaskId]() if situation(session) is Situation.CANCELLED else set(session.waits_for)
        assert open_ended - waited <= self.world.abandoned

    @invariant()
    def all_that_is_waited_for_was_ordered(self) -> None:
        assert set(self.world.session.waits_for) <= self.world.ordered

    @invariant()
    def a_wait_has_its_reason_and_only_a_retry_has_a_date(self) -> None:
        session = self.world.session
        assert (session.next_retry_at is not None) == (situation(session) is Situation.RETRY)

    @invariant()
    def only_who_waits_for_approval_stands_at_a_gate_and_each_time_has_its_own_name(self) -> None:
        session = self.world.session
        here = gate_id(session, self.world.plan)
        assert (session.gate is not None) == (situation(session) is Situation.APPROVAL) == bool(here)
        if here:
            assert here.partition("@")[0], "a gate without a name"
            assert stands_at(session, here, self.world.plan)
            self.gates_seen.add(here)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = copy.copy(self.world)
        world.ledger, world.ordered, world.abandoned = dict(world.ledger), set(world.ordered), set(world.abandoned)
        world.run_to_the_end()
        for task, outcome in world.ledger.items():
            if outcome.status not in FINAL:
                world.succeed(task)
        world.look()
        money = world.session.money
        assert not money.reserved, "money is still set aside for tasks that ended"
        assert dict(money.settled) == {task: world.ledger[task].billed for task in world.ordered}


SessionMachine.TestCase.settings = settings(max_examples=3 * settings().max_examples)
TestSessionMachine = SessionMachine.TestCase
