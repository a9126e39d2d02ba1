"""A pass of the reconciler costs what moved, a gauge what it tells of, not what exists: counted by the profiler."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import aio_pika
import pytest

from ekiden.broker.queue_depth import QueueDepth
from ekiden.broker.topology import declare_at, task_queue
from ekiden.domain.ids import Micros, Position, SessionId, Step, TaskName
from ekiden.domain.plan import Provider
from ekiden.domain.session import Money, Session, Status, StepState
from ekiden.relay import Relay
from ekiden.retry import UnknownOutcome
from ekiden.store.database import Database, Document
from ekiden.store.drafts import DraftStore
from ekiden.store.providers import ProviderStates
from ekiden.store.session_document import to_document
from ekiden.store.sessions import SessionStore
from ekiden.store.task_document import NewTask, queued
from ekiden.store.tasks import LATELY, TaskStore
from ekiden.store.workflows import WorkflowStore
from ekiden_orchestrator.reconciler import DUE_AT_ONCE, FIRST_LOOK_BACK, PROBES_AT_ONCE, Reconciler
from ekiden_orchestrator.sweep import BATCH, Sweep
from tests.fakes.announcer import FakeAnnouncer
from tests.fakes.workflow import small_package
from tests.integration.conftest import Infra

FEW, MANY = 100, 10_000
PROFILE_BYTES = 64 * 1024 * 1024
THINK = Position(1, Step.THINK)
POLICIES = {Provider.GPT: UnknownOutcome.RESEND, Provider.PERPLEXITY: UnknownOutcome.ASK}
Record = Callable[[str, object], None]


@dataclass
class Crowd:
    """Many sessions that all wait for a queued task, and the loops that watch over them."""

    database: Database
    reconciler: Reconciler
    sweep: Sweep
    announcer: FakeAnnouncer
    workflow: str
    size: int = 0

    async def grow(self, size: int) -> None:
        """Add sessions until there are so many; they moved, and were told of, long enough ago."""
        added = range(self.size, size)
        sessions = [self._session(number) for number in added]
        await self.database.journaled("sessions").insert_many([to_document(s) | self._moved() for s in sessions])
        await self.database.journaled("tasks").insert_many([self._task(session) for session in sessions])
        self.size = size

    async def cost(self, work: Callable[[], Any]) -> tuple[int, int, float]:
        """Commands sent, documents examined, and the milliseconds it takes when nobody counts."""
        began = time.perf_counter()
        await work()
        took = (time.perf_counter() - began) * 1000
        database = self.database._database
        await database.drop_collection("system.profile")
        await database.create_collection("system.profile", capped=True, size=PROFILE_BYTES)
        await database.command({"profile": 2})
        await work()
        await database.command({"profile": 0})
        asked = {"ns": {"$regex": r"\.(sessions|tasks|providers)$"}}
        rows: list[Document] = await database["system.profile"].find(asked).to_list()
        return len(rows), sum(row.get("docsExamined", 0) for row in rows), took

    def _session(self, number: int) -> Session:
        session_id, now = SessionId(f"ses_{number:032x}"), self.database.clock.now()
        task = TaskName(session_id, THINK, 1, 0).id
        return Session(
            id=session_id,
            owner="me",
            workflow=self.workflow,
            input={"theme": "tea"},
            language="en",
            created_at=now - timedelta(hours=1),
            money=Money(Micros(1_000_000), {task: Micros(60_000)}),
            version=1,
            status=Status.THINKING,
            position=THINK,
            steps={"1T": StepState(generation=1, tasks=(task,))},
        )

    def _moved(self) -> Document:
        """Longer ago than a starting orchestrator looks back: that look is no part of what is counted."""
        return {"movedAt": self.database.clock.now() - 2 * FIRST_LOOK_BACK, "history": []}

    def _task(self, session: Session) -> Document:
        name = TaskName.parse(session.waits_for[0])
        new = NewTask(name, "me", Provider.GPT, {"user": "x"}, "", UnknownOutcome.RESEND, Micros(10_000))
        far = self.database.clock.now() + timedelta(hours=1)
        return queued(new, self.database.clock.now()) | {"announceAt": far, "announced": 1}


@pytest.fixture
async def crowd(infra: Infra, database: Database) -> AsyncIterator[Crowd]:
    for left_over in ("sessions", "tasks", "providers"):
        await database.journaled(left_over).delete_many({})
    sessions, tasks, workflows = SessionStore(database), TaskStore(database), WorkflowStore(database, POLICIES)
    announcer, queues = FakeAnnouncer(), QueueDepth(infra.amqp_url)
    await declare_at(infra.amqp_url)
    await queues.connect()
    relay = Relay(sessions, tasks, DraftStore(database), workflows, announcer, database.clock, POLICIES)
    workflow = await workflows.save(small_package())
    reconciler = Reconciler(sessions, tasks, ProviderStates(database), relay, queues, database.clock)
    yield Crowd(database, reconciler, Sweep(sessions, tasks, relay, database.clock), announcer, workflow.id)
    await queues.close()


async def test_an_idle_pass_costs_the_same_beside_ten_thousand_sessions(crowd: Crowd, record_property: Record) -> None:
    idle = crowd.reconciler.pass_once
    costs: dict[int, tuple[int, int]] = {}
    for size in (FEW, MANY):
        await crowd.grow(size)
        await idle()
        commands, examined, took = await crowd.cost(idle)
        costs[size] = (commands, examined)
        record_property(f"idle_pass_at_{size}", f"{commands} commands, {examined} documents, {took:.1f} ms")

    assert costs[FEW] == costs[MANY]
    assert costs[MANY][1] <= 4, "at most the next of what is due, of each kind"
    assert not crowd.announcer.commands


async def test_an_idle_pass_costs_the_same_beside_ten_thousand_retries_and_waits(crowd: Crowd) -> None:
    costs: dict[int, tuple[int, int]] = {}
    later = crowd.database.clock.now() + timedelta(hours=1)
    for size in (FEW, MANY):
        await crowd.grow(size)
        waits = {"status": "WAITING", "waitingReason": "retry", "nextRetryAt": later}
        await crowd.database.journaled("sessions").update_many({}, {"$set": waits})
        await crowd.reconciler.pass_once()
        costs[size] = (await crowd.cost(crowd.reconciler.pass_once))[:2]

    assert costs[FEW] == costs[MANY]


async def test_gauges_and_medians_read_no_more_of_a_long_ledger(crowd: Crowd) -> None:
    store, now = TaskStore(crowd.database), crowd.database.clock.now()
    await crowd.grow(LATELY + 1000)
    done = {"status": "COMPLETED", "startedAt": now - timedelta(seconds=7), "finishedAt": now}
    await crowd.database.journaled("tasks").update_many({}, {"$set": done})
    await crowd.grow(crowd.size + 3)

    assert await store.outstanding() == {("gpt", "queued"): 3}
    assert (await crowd.cost(store.outstanding))[1] <= 3
    ours = crowd.database.journaled("tasks")
    under_way: list[Document] = [
        {"$set": {"status": "PROCESSING", "leaseUntil": now}, "$unset": {"announceAt": ""}},
        {"$set": {"status": "SUBMITTED", "provider": "perplexity"}},
    ]
    for change in under_way:
        await ours.update_one({"status": "QUEUED"}, change)
    one_each = {("gpt", "queued"): 1, ("gpt", "leased"): 1, ("perplexity", "leased"): 1}
    assert await store.outstanding() == one_each
    assert (await crowd.cost(store.outstanding))[1] <= 3
    assert (await crowd.cost(partial(store.fall_back, Provider.GPT, "it is away")))[1] <= 1
    assert await store.median_seconds(Provider.GPT) == 7
    for provider in (Provider.GPT, Provider.PERPLEXITY):
        assert (await crowd.cost(partial(store.median_seconds, provider)))[1] <= LATELY


async def test_a_sweep_over_sessions_in_order_reads_by_the_batch(crowd: Crowd, record_property: Record) -> None:
    await crowd.grow(MANY)

    commands, _, took = await crowd.cost(crowd.sweep.sweep)

    record_property(f"sweep_at_{MANY}", f"{commands} commands, {took:.0f} ms")
    assert commands <= 6 * MANY / BATCH, "two reads a batch, each with what its cursor goes on for"
    assert not crowd.announcer.commands


async def test_ten_thousand_tasks_behind_each_other_are_not_told_of_again(
    crowd: Crowd, infra: Infra, record_property: Record
) -> None:
    """All are due to be told of again, and their messages are in the queue: each is put off once, and then left."""
    await crowd.grow(MANY)
    past = crowd.database.clock.now() - timedelta(seconds=1)
    await crowd.database.journaled("tasks").update_many({}, {"$set": {"announceAt": past}})
    async with await aio_pika.connect(infra.amqp_url) as connection:
        channel = await connection.channel()
        queue = task_queue(Provider.GPT)
        await channel.default_exchange.publish(aio_pika.Message(b"{}"), queue)
        while (await crowd.reconciler.queues.depth(queue)).ready == 0:
            crowd.reconciler.queues._known.clear()
        passes = 1
        while await crowd.reconciler.pass_once() == 0:
            passes += 1
        commands, examined, took = await crowd.cost(crowd.reconciler.pass_once)
        await (await channel.get_queue(queue)).purge()

    record_property("passes", passes)
    record_property("a_pass_afterwards", f"{commands} commands, {examined} documents, {took:.1f} ms")
    assert not crowd.announcer.commands
    assert passes <= MANY / DUE_AT_ONCE + 1
    assert examined == 0
    assert await crowd.database.journaled("tasks").count_documents({"announced": 2}) == MANY


async def test_ten_thousand_tasks_of_a_closed_provider_cost_a_pass_nothing(crowd: Crowd) -> None:
    await crowd.grow(MANY)
    past = crowd.database.clock.now() - timedelta(seconds=1)
    await crowd.database.journaled("tasks").update_many({}, {"$set": {"announceAt": past}})
    await crowd.database.journaled("providers").insert_one({"_id": "gpt", "breaker": "QuotaExhausted: a test"})

    await crowd.reconciler.pass_once()
    _, examined, _ = await crowd.cost(crowd.reconciler.pass_once)

    assert not crowd.announcer.commands
    assert examined <= 1, "the state of the provider"


async def test_a_probe_wakes_a_handful_of_ten_thousand_tasks(crowd: Crowd) -> None:
    await crowd.grow(MANY)
    past = crowd.database.clock.now() - timedelta(seconds=1)
    await crowd.database.journaled("tasks").update_many({}, {"$set": {"announceAt": past, "announced": 0}})
    due = {"_id": "gpt", "breaker": "ProviderUnavailable: a test", "probeAt": past}
    await crowd.database.journaled("providers").insert_one(due)

    await crowd.reconciler.pass_once()

    assert len(crowd.announcer.commands) == PROBES_AT_ONCE
