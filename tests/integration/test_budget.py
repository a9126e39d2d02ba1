"""Money under a crowd: no order passes a budget, and every reservation is settled exactly once."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from ekiden.domain.ids import Micros, SessionId, TaskId, TaskName
from ekiden.domain.messages import Continue, Resend, RestartPhase, Retry, RetryDue, Start, TaskStatus
from ekiden.domain.plan import Provider
from ekiden.domain.session import Money, Session, Status, WaitingReason
from ekiden.errors import Unreachable
from ekiden.relay import MakeMessage, Relay
from ekiden.retry import UnknownOutcome
from ekiden.store.database import Database, Document
from ekiden.store.drafts import DraftStore
from ekiden.store.ledger import MongoLedger
from ekiden.store.sessions import SessionStore
from ekiden.store.tasks import TaskStore
from ekiden.store.workflows import WorkflowStore
from ekiden.worker.ledger import Completed, Ended, Usage
from tests.fakes.announcer import FakeAnnouncer
from tests.fakes.workflow import ANSWERS, small_package

GPT, SEARCH = Provider.GPT, Provider.PERPLEXITY
POLICIES = {GPT: UnknownOutcome.RESEND, SEARCH: UnknownOutcome.ASK}
ORDER = Micros(60_000)
"""What a GPT call of the small workflow reserves; a search reserves 50 000."""
CROWD = 100


@dataclass
class Till:
    """Stores, relay and a recording announcer, and what was seen of a session's account after every write."""

    database: Database
    sessions: SessionStore
    tasks: TaskStore
    relay: Relay
    announcer: FakeAnnouncer
    workflow: str

    async def open(self, budget: int) -> SessionId:
        session_id, now = SessionId(f"ses_{uuid4().hex}"), self.database.clock.now()
        money = Money(Micros(budget))
        assert await self.sessions.create(Session(session_id, "me", self.workflow, {"theme": "t"}, "en", now, money))
        return session_id

    async def session(self, session_id: SessionId) -> Session:
        found = await self.sessions.load(session_id)
        assert found is not None
        return found

    async def say(self, session_id: SessionId, make: MakeMessage) -> None:
        await self.relay.say(session_id, make)

    def worker(self, task: TaskId, name: str = "one") -> MongoLedger:
        provider = SEARCH if ".1E." in task else GPT
        return MongoLedger(self.database, name, provider, cache_seconds=0)

    async def answer(self, task: TaskId, cost: int = 700) -> None:
        worker = self.worker(task, uuid4().hex)
        if claim := await worker.claim(task):
            asked = claim.request.get("schemaName")
            result = ANSWERS[str(asked)] if asked else {"text": "found", "sources": []}
            await worker.complete(claim, Completed(result, None, Usage(billed=Micros(cost))))

    async def fail(self, task: TaskId, cost: int = 0, *, unknown: bool = False) -> None:
        worker = self.worker(task, uuid4().hex)
        if claim := await worker.claim(task):
            word = "unknown" if unknown else "failed"
            await worker.end(claim, Ended(word, "RunFailed", "a test", Micros(cost), ask=unknown, may_pass=True))

    async def ledger(self, session_id: SessionId) -> list[Document]:
        return await self.tasks.of_session(session_id)

    async def check(self, session_id: SessionId) -> None:
        """No version ever held more than its budget, and each task was ordered, reserved and billed once."""
        session, rows = await self.session(session_id), await self.ledger(session_id)
        money = session.money
        assert money.spent + money.held <= money.budget
        assert not set(money.reserved) & set(money.settled)
        assert {row["_id"] for row in rows} == {*money.reserved, *money.settled}
        billed = {row["_id"]: row["billed"] for row in rows}
        assert {task: billed[task] for task in money.settled} == dict(money.settled)


@pytest.fixture
async def till(database: Database) -> Till:
    sessions, tasks, workflows = SessionStore(database), TaskStore(database), WorkflowStore(database, POLICIES)
    announcer = FakeAnnouncer()
    relay = Relay(sessions, tasks, DraftStore(database), workflows, announcer, database.clock, POLICIES)
    return Till(database, sessions, tasks, relay, announcer, (await workflows.save(small_package())).id)


class Watched(SessionStore):
    """The real store, whose every write is checked: what it writes never holds more than the budget."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.most: dict[SessionId, int] = {}
        self.settled: Counter[tuple[SessionId, TaskId]] = Counter()

    async def apply(self, before: Session, *decided: Any, **named: Any) -> Session | None:
        after = await super().apply(before, *decided, **named)
        if after is not None:
            money = after.money
            self.most[after.id] = max(self.most.get(after.id, 0), money.spent + money.held - money.budget)
            for task in set(money.settled) - set(before.money.settled):
                assert task in before.money.reserved, "settled without a reservation"
                self.settled[after.id, task] += 1
        return after


@pytest.fixture
def watched(till: Till, monkeypatch: pytest.MonkeyPatch) -> Watched:
    made = Watched(till.database)
    object.__setattr__(till.relay, "sessions", made)
    return made


def mixed(till: Till, number: int, raised: int) -> MakeMessage:
    """What a hundred impatient people say: each of them may order, and one in ten raises the budget a little."""
    now = till.database.clock.now()
    match number % 5:
        case 0:
            return lambda _: RestartPhase(now, 1)
        case 1:
            return lambda _: Retry(now)
        case 2:
            return lambda _: Continue(now)
        case 3:
            return lambda _: Start(now)
        case _:
            return lambda _: Continue(now, budget=Micros(raised) if number % 10 == 9 else None)


async def test_a_hundred_orders_at_once_on_a_nearly_empty_budget_overshoot_by_nothing(
    till: Till, watched: Watched
) -> None:
    session_id = await till.open(budget=3 * ORDER + ORDER // 2)
    await till.say(session_id, lambda _: Start(till.database.clock.now()))

    await asyncio.gather(*(till.say(session_id, mixed(till, number, 3 * ORDER)) for number in range(CROWD)))

    session = await till.session(session_id)
    assert watched.most[session_id] <= 0
    assert (session.status, session.waiting_reason) == (Status.WAITING, WaitingReason.BUDGET)
    assert len(session.money.reserved) == 3, "as many as the budget has room for"
    await till.check(session_id)


async def test_raising_a_budget_a_hundred_times_at_once_raises_it_to_the_highest_and_no_further(
    till: Till, watched: Watched
) -> None:
    session_id, numbers = await till.open(budget=ORDER // 2), count(1)
    await till.say(session_id, lambda _: Start(till.database.clock.now()))
    now = till.database.clock.now()

    def raising(number: int) -> MakeMessage:
        budget = Micros(ORDER // 2 + number * 1_000)
        return lambda _: Continue(now, budget=budget)

    await asyncio.gather(*(till.say(session_id, raising(next(numbers))) for _ in range(CROWD)))

    session = await till.session(session_id)
    assert session.status is Status.THINKING
    assert session.money.budget <= ORDER // 2 + CROWD * 1_000
    assert dict(session.money.reserved) == {TaskId(f"{session_id}.1T.g1.0"): ORDER}
    assert watched.most[session_id] <= 0
    await till.check(session_id)


async def test_a_hundred_sessions_at_once_each_keep_to_their_own_budget(till: Till, watched: Watched) -> None:
    """Each has room for its plan and two of three searches, so that every one of them stops before it searches."""
    ids = [await till.open(budget=ORDER + 2 * 50_000) for _ in range(CROWD)]

    async def run(session_id: SessionId) -> None:
        await till.say(session_id, lambda _: Start(till.database.clock.now()))
        await till.answer((await till.session(session_id)).waits_for[0])
        await asyncio.gather(*(till.relay.look(session_id) for _ in range(3)))
        for number in range(3):
            await till.say(session_id, mixed(till, number, ORDER))

    await asyncio.gather(*(run(session_id) for session_id in ids))

    for session_id in ids:
        assert watched.most[session_id] <= 0
        await till.check(session_id)


async def test_every_reservation_is_settled_once_whatever_ends_it(till: Till, watched: Watched) -> None:
    """Answered, failed, retried, unknown and resent, abandoned while queued and while under way, answered late."""
    session_id = await till.open(budget=2_000_000)
    now = till.database.clock.now()
    await till.say(session_id, lambda _: Start(now))
    first = (await till.session(session_id)).waits_for[0]
    await till.fail(first, cost=300)
    await till.relay.look(session_id)
    await till.say(session_id, lambda _: RetryDue(now))
    await till.answer((await till.session(session_id)).waits_for[0])
    await till.relay.look(session_id)
    lost, queued, running = (await till.session(session_id)).waits_for
    slow = till.worker(running, "slow")
    late = await slow.claim(running)
    assert late is not None
    await till.fail(lost, cost=50_000, unknown=True)
    await till.say(session_id, lambda _: RestartPhase(now, 1, ({"question": "a?"}, {"question": "b?"})))
    await slow.complete(late, Completed({"text": "late", "sources": []}, None, Usage(billed=Micros(4_000))))
    again, other = (await till.session(session_id)).waits_for
    await till.fail(again, cost=50_000, unknown=True)
    await till.answer(other)
    await till.relay.look(session_id)
    assert (await till.session(session_id)).waiting_reason is WaitingReason.OUTCOME_UNKNOWN
    assert await till.tasks.resend(again)
    await till.say(session_id, lambda _: Resend(now, again))
    await till.answer((await till.session(session_id)).waits_for[0])

    while (session := await till.session(session_id)).status is not Status.COMPLETED:
        await asyncio.gather(*(till.answer(task) for task in session.waits_for))
        await asyncio.gather(*(till.relay.look(session_id) for _ in range(5)))
    await till.relay.look(session_id, late_bills=True)

    money = (await till.session(session_id)).money
    bill = {row["_id"]: row["billed"] for row in await till.ledger(session_id)}
    assert not money.reserved
    assert dict(money.settled) == bill
    assert (bill[first], bill[lost], bill[queued], bill[running], bill[again]) == (300, 50_000, 0, 4_000, 50_000)
    assert set(watched.settled.values()) == {1}
    assert {TaskName.parse(task).id for _, task in watched.settled} == set(bill)
    assert watched.most[session_id] <= 0


async def test_a_late_bill_that_passes_the_budget_is_booked_and_stops_the_next_order(
    till: Till, watched: Watched
) -> None:
    """What the provider charged is the truth, also when it is more than was set aside: nothing more is bought then."""
    session_id = await till.open(budget=ORDER + 3 * 50_000)
    await till.say(session_id, lambda _: Start(till.database.clock.now()))
    await till.answer((await till.session(session_id)).waits_for[0], cost=ORDER + 3 * 50_000)
    await till.relay.look(session_id)

    session = await till.session(session_id)
    assert (session.waiting_reason, session.money.free) == (WaitingReason.BUDGET, 0)
    assert [row["status"] for row in await till.ledger(session_id)] == [TaskStatus.COMPLETED]


async def test_an_order_that_was_not_stored_is_neither_created_nor_told_of(
    till: Till, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the session, then what follows from it: the other way round a lost save would leave calls nobody counts."""
    session_id = await till.open(budget=1_000_000)

    async def away(*_: object, **__: object) -> None:
        raise Unreachable("the database does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(watched, "apply", away)
        with pytest.raises(Unreachable):
            await till.say(session_id, lambda _: Start(till.database.clock.now()))

    assert not await till.ledger(session_id)
    assert not till.announcer.commands
    await till.say(session_id, lambda _: Start(till.database.clock.now()))
    assert till.announcer.commands == [TaskId(f"{session_id}.1T.g1.0")]
