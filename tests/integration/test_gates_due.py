"""Gates that nobody answers, on a real database: done once, whoever else is at it, and however late."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from ekiden.broker.queue_depth import QueueDepth
from ekiden.broker.topology import declare_at
from ekiden.clock import DatabaseClock
from ekiden.domain.ids import Micros, Position, SessionId, Step
from ekiden.domain.messages import Continue, RestartPhase, Start
from ekiden.domain.plan import Provider
from ekiden.domain.session import GateDefault, GateTimeout, Money, Session, Status, WaitingReason, Wishes
from ekiden.relay import Relay
from ekiden.retry import UnknownOutcome
from ekiden.store.database import Database
from ekiden.store.drafts import DraftStore
from ekiden.store.providers import ProviderStates
from ekiden.store.schema import BEGINNING_OF_TIME
from ekiden.store.sessions import Actor, ActorKind, SessionStore
from ekiden.store.tasks import TaskStore
from ekiden.store.workflows import WorkflowStore
from ekiden_orchestrator.reconciler import LONGEST_PAUSE_SECONDS, SHORTEST_PAUSE_SECONDS, Reconciler
from tests.fakes.announcer import FakeAnnouncer
from tests.fakes.workflow import small_package
from tests.integration.conftest import Infra

POLICIES = {Provider.GPT: UnknownOutcome.RESEND, Provider.PERPLEXITY: UnknownOutcome.ASK}
THINK = Position(1, Step.THINK)
HOUR = timedelta(hours=1)
HOURS_AWAY = timedelta(hours=9)
AT_ONCE = 10


@dataclass
class Orchestrator:
    """One process: its own connections, its own relay."""

    relay: Relay
    reconciler: Reconciler
    announcer: FakeAnnouncer


@dataclass
class Site:
    database: Database
    orchestrators: list[Orchestrator]
    workflow: str

    @property
    def relay(self) -> Relay:
        return self.orchestrators[0].relay

    def now(self) -> datetime:
        return self.database.clock.now()

    async def at_a_gate(self, then: GateDefault = GateDefault.APPROVE, *, budget: int = 10_000_000) -> SessionId:
        """A session that stands before its first call, and waits an hour for an answer."""
        session_id, wishes = SessionId(f"ses_{uuid4().hex}"), Wishes(pause_before=frozenset({THINK}))
        money, timed = Money(Micros(budget)), replace(wishes, gate_timeout=GateTimeout(HOUR, then))
        new = Session(session_id, "me", self.workflow, {"theme": "tea"}, "en", self.now(), money, timed)
        await self.relay.sessions.create(new)
        await self.relay.say(session_id, lambda _: Start(self.now()))
        return session_id

    async def session(self, session_id: SessionId) -> Session:
        found = await self.relay.sessions.load(session_id)
        assert found is not None
        return found

    async def later(self, by: timedelta) -> None:
        """Move all gates back in time, instead of waiting."""
        milliseconds = round(by.total_seconds() * 1000)
        back = {"$set": {"gate.dueAt": {"$subtract": ["$gate.dueAt", milliseconds]}}}
        await self.database.journaled("sessions").update_many({"gate.dueAt": {"$type": "date"}}, [back])

    async def pass_at_once(self) -> None:
        await asyncio.gather(*(orchestrator.reconciler.pass_once() for orchestrator in self.orchestrators))

    async def said(self, session_id: SessionId) -> list[tuple[str, Any]]:
        """What was said to a session since its start, and by whom."""
        history = await self.relay.sessions.history(session_id, 1) or []
        return [(entry["cause"], entry.get("by")) for entry in history]

    async def bought(self) -> set[str]:
        """The tasks in the ledger: each names its session and how often it was ordered."""
        return {row["_id"] async for row in self.database.journaled("tasks").find({}, {"_id": 1})}


class StillClock(DatabaseClock):
    """A clock that stands where a test needs it."""

    def __init__(self, moment: datetime) -> None:
        super().__init__()
        self._moment = moment

    def now(self) -> datetime:
        return self._moment


TIME_UP = ("GateDue", {"kind": "timeout", "name": ""})


def _orchestrator(database: Database, queues: QueueDepth, workflows: WorkflowStore) -> Orchestrator:
    sessions, tasks, announcer = SessionStore(database), TaskStore(database), FakeAnnouncer()
    relay = Relay(sessions, tasks, DraftStore(database), workflows, announcer, database.clock, POLICIES)
    reconciler = Reconciler(sessions, tasks, ProviderStates(database), relay, queues, database.clock)
    return Orchestrator(relay, reconciler, announcer)


@pytest.fixture(scope="module")
async def connections(infra: Infra, database: Database) -> AsyncIterator[tuple[list[Database], QueueDepth]]:
    """Two processes' databases; the queues are the same for both."""
    name = database.journaled("sessions").database.name
    second, queues = Database(infra.mongodb_url, name), QueueDepth(infra.amqp_url)
    await second.synchronise_clock()
    await declare_at(infra.amqp_url)
    await queues.connect()
    yield [database, second], queues
    await queues.close()
    await second.close()


@pytest.fixture
async def site(connections: tuple[list[Database], QueueDepth]) -> Site:
    databases, queues = connections
    for left_over in ("sessions", "tasks", "providers"):
        await databases[0].journaled(left_over).delete_many({})
    workflows = [WorkflowStore(database, POLICIES) for database in databases]
    saved = await workflows[0].save(small_package())
    made = [_orchestrator(database, queues, store) for database, store in zip(databases, workflows, strict=True)]
    return Site(databases[0], made, saved.id)


async def test_before_its_time_a_gate_stays_closed(site: Site) -> None:
    session_id = await site.at_a_gate()
    await site.later(HOUR - timedelta(minutes=1))
    await site.pass_at_once()
    assert (await site.session(session_id)).waiting_reason is WaitingReason.APPROVAL
    assert await site.said(session_id) == []


async def test_two_orchestrators_answer_a_gate_once(site: Site) -> None:
    gates = [await site.at_a_gate() for _ in range(AT_ONCE)]
    await site.later(HOUR)
    await site.pass_at_once()
    assert [await site.said(session_id) for session_id in gates] == [[TIME_UP]] * AT_ONCE
    assert await site.bought() == {f"{session_id}.1T.g1.0" for session_id in gates}


async def test_a_gate_that_was_due_while_all_orchestrators_were_away_is_answered_when_one_is_back(
    site: Site, connections: tuple[list[Database], QueueDepth]
) -> None:
    approves, stops = await site.at_a_gate(), await site.at_a_gate(GateDefault.STOP)
    before = (await site.session(approves)).gate
    await site.later(HOURS_AWAY)

    databases, queues = connections
    back = _orchestrator(databases[1], queues, WorkflowStore(databases[1], POLICIES))
    found = await back.relay.sessions.load(approves)
    assert found is not None
    assert found.gate is not None
    assert before is not None
    assert found.gate.since == before.since, "its time runs on as it did"
    await back.reconciler.pass_once()

    assert (await site.session(approves)).status is Status.THINKING
    assert (await site.session(stops)).status is Status.CANCELLED
    assert await site.bought() == {f"{approves}.1T.g1.0"}


async def test_a_person_and_the_clock_at_the_same_moment_are_one_answer(site: Site) -> None:
    gates = [await site.at_a_gate(GateDefault.STOP) for _ in range(AT_ONCE)]
    await site.later(HOUR)
    key = Actor(ActorKind.KEY, "me")

    async def approve(session_id: SessionId) -> None:
        await site.relay.say(session_id, lambda _: Continue(site.now(), gate="before:1.THINK@1"), by=key)

    await asyncio.gather(site.pass_at_once(), *(approve(session_id) for session_id in gates))

    by_person = ("Continue", {"kind": "key", "name": "me"})
    for session_id in gates:
        said = await site.said(session_id)
        assert said in ([TIME_UP], [by_person])
        status = (await site.session(session_id)).status
        assert status is (Status.THINKING if said == [by_person] else Status.CANCELLED)


async def test_time_buys_nothing_that_the_budget_has_no_room_for(site: Site) -> None:
    session_id = await site.at_a_gate(budget=10_000)
    await site.later(HOUR)
    await site.pass_at_once()
    session = await site.session(session_id)
    assert (session.status, session.waiting_reason) == (Status.WAITING, WaitingReason.BUDGET)
    assert (session.money.held, await site.bought()) == (0, set())


async def test_a_gate_that_is_reached_again_has_its_whole_time_again(site: Site) -> None:
    session_id = await site.at_a_gate()
    await site.later(HOUR)
    await site.relay.say(session_id, lambda _: RestartPhase(site.now(), 1))
    await site.pass_at_once()
    assert (await site.session(session_id)).waiting_reason is WaitingReason.APPROVAL


async def test_the_reconciler_wakes_when_the_next_gate_is_due(site: Site) -> None:
    gate = (await site.session(await site.at_a_gate())).gate
    assert gate is not None
    assert gate.due is not None
    for before, pause in [(60.0, LONGEST_PAUSE_SECONDS), (1.0, 1.0 + SHORTEST_PAUSE_SECONDS)]:
        still = StillClock(gate.due - timedelta(seconds=before))
        assert await replace(site.orchestrators[0].reconciler, clock=still).pause_seconds(()) == pytest.approx(pause)


async def test_looking_for_gates_costs_the_same_however_many_wait(
    site: Site, record_property: Callable[[str, object], None]
) -> None:
    """What an index answers alone: no session is read that is not due."""
    for _ in range(AT_ONCE):
        await site.at_a_gate()
    sessions = site.database.journaled("sessions")
    due = {"waitingReason": "approval", "gate.dueAt": {"$gt": BEGINNING_OF_TIME, "$lte": site.now()}}
    told = await sessions.find(due, {"_id": 1}).explain()
    record_property("examined", told["executionStats"]["totalDocsExamined"])
    assert told["executionStats"]["totalDocsExamined"] == 0
    assert told["executionStats"]["totalKeysExamined"] <= 1
