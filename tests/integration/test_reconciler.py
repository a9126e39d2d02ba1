"""The reconciler on a real broker and database: each repair alone, with time moved instead of waited for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from ekiden.broker.publisher import Publisher
from ekiden.broker.queue_depth import QueueDepth
from ekiden.broker.topology import queues, task_queue
from ekiden.clock import DatabaseClock
from ekiden.domain.forecast import usd
from ekiden.domain.ids import Micros, SessionId, TaskId
from ekiden.domain.messages import Cancel, Start
from ekiden.domain.plan import Provider
from ekiden.domain.session import Money, Session, Status, WaitingReason
from ekiden.errors import Unreachable
from ekiden.metrics import CAS_CONFLICTS
from ekiden.relay import Relay
from ekiden.retry import UnknownOutcome
from ekiden.stamp import Stamp
from ekiden.store.database import Database
from ekiden.store.drafts import DraftStore
from ekiden.store.ledger import MongoLedger
from ekiden.store.providers import Breakers, ProviderStates
from ekiden.store.sessions import SessionStore
from ekiden.store.task_facts import facts
from ekiden.store.tasks import Freed, TaskStore
from ekiden.store.workflows import WorkflowStore
from ekiden.worker.lease import LEASE_SECONDS
from ekiden.worker.ledger import Completed, Ended, Usage
from ekiden_orchestrator.loops import forever
from ekiden_orchestrator.reconciler import (
    FIRST_LOOK_BACK,
    INTERRUPTED_SECONDS,
    LONGEST_PAUSE_SECONDS,
    LOOK_AT_ONCE,
    PROBES_AT_ONCE,
    Reconciler,
)
from ekiden_orchestrator.sweep import Sweep
from tests.fakes.announcer import FakeAnnouncer
from tests.fakes.workflow import ANSWERS, small_package
from tests.integration.conftest import Infra

GPT, SEARCH = Provider.GPT, Provider.PERPLEXITY
POLICIES = {GPT: UnknownOutcome.RESEND, SEARCH: UnknownOutcome.ASK}
LEASE_OVER = 8.5
SETTLED = 6.0
COST = Micros(700)
CAP = Micros(10_000)


def conflicts() -> float:
    return next(iter(CAS_CONFLICTS.collect())).samples[0].value


class HandClock(DatabaseClock):
    """The database's time, beside a monotonic clock that tests move: passes can be any time apart."""

    def __init__(self, of: DatabaseClock) -> None:
        super().__init__()
        self._of = of
        self.reading = 1000.0

    def now(self) -> datetime:
        return self._of.now()

    def monotonic(self) -> float:
        return self.reading


@dataclass
class Site:
    """An orchestrator's parts around one session, and what tests do to it."""

    database: Database
    channel: AbstractChannel
    publisher: Publisher
    queues: QueueDepth
    relay: Relay
    sessions: SessionStore
    tasks: TaskStore
    clock: HandClock
    id: SessionId

    def reconciler(self, *, starting: bool = False) -> Reconciler:
        """One that has been passing for a while, unless said otherwise."""
        states = ProviderStates(self.database)
        made = Reconciler(self.sessions, self.tasks, states, self.relay, self.queues, self.clock)
        if not starting:
            made._passed = self.clock.monotonic()
        return made

    async def sweep(self) -> None:
        await Sweep(self.sessions, self.tasks, self.relay, self.clock).sweep()

    async def pass_once(self) -> None:
        await self.reconciler().pass_once()

    async def start(self, workflow: str) -> None:
        now = self.clock.now()
        money = Money(Micros(10_000_000))
        await self.sessions.create(Session(self.id, "me", workflow, {"theme": "tea"}, "en", now, money))
        await self.relay.say(self.id, lambda _: Start(now))

    async def session(self) -> Session:
        found = await self.sessions.load(self.id)
        assert found is not None
        return found

    async def later(self, seconds: float) -> None:
        await self.tasks.flush()
        await self._move("tasks", {"sessionId": self.id}, ("leaseUntil", "notBefore", "announceAt"), seconds)
        await self._move("tasks", {"sessionId": self.id}, ("finishedAt", "bookedAt"), seconds)
        await self._move("sessions", {"_id": self.id}, ("movedAt", "nextRetryAt"), seconds)

    async def _move(self, collection: str, query: dict[str, object], names: tuple[str, ...], seconds: float) -> None:
        back = {
            name: {"$cond": [f"${name}", {"$subtract": [f"${name}", round(seconds * 1000)]}, f"${name}"]}
            for name in names
        }
        await self.database.journaled(collection).update_many(query, [{"$set": back}])

    def worker(self, provider: Provider, name: str = "one") -> MongoLedger:
        return MongoLedger(self.database, name, provider, cache_seconds=0)

    async def answer(self, task: TaskId, provider: Provider, result: object) -> None:
        """Do a worker's part, and lose the event."""
        worker = self.worker(provider)
        claim = await worker.claim(task)
        assert claim is not None
        await worker.complete(claim, Completed(result, None, Usage(billed=COST)))

    async def reach_searches(self) -> tuple[TaskId, ...]:
        await self.answer((await self.session()).waits_for[0], GPT, ANSWERS["questions"])
        await self.relay.look(self.id)
        return (await self.session()).waits_for

    async def document(self, task: TaskId) -> dict[str, Any]:
        found = await self.database.journaled("tasks").find_one({"_id": task})
        assert found is not None
        return found

    async def empty_queues(self) -> None:
        for queue in queues():
            await (await self.channel.get_queue(queue.name)).purge()
        self.queues._known.clear()

    async def announced(self, provider: Provider) -> int:
        """How many messages wait for workers of a provider, of this session or not."""
        self.queues._known.clear()
        return (await self.queues.depth(task_queue(provider))).ready


@pytest.fixture(scope="module")
async def broker(infra: Infra, database: Database) -> AsyncIterator[tuple[Publisher, QueueDepth, AbstractChannel]]:
    publisher, queues = Publisher(infra.amqp_url, Stamp(database.clock)), QueueDepth(infra.amqp_url)
    await publisher.connect()
    await queues.connect()
    async with await aio_pika.connect(infra.amqp_url) as connection:
        yield publisher, queues, await connection.channel()
    await queues.close()
    await publisher.close()


@pytest.fixture
async def site(database: Database, broker: tuple[Publisher, QueueDepth, AbstractChannel]) -> Site:
    publisher, queues, channel = broker
    sessions, tasks, workflows = SessionStore(database), TaskStore(database), WorkflowStore(database, POLICIES)
    clock = HandClock(database.clock)
    relay = Relay(sessions, tasks, DraftStore(database), workflows, publisher, clock, POLICIES)
    for left_over in ("sessions", "tasks", "providers"):
        await database.journaled(left_over).delete_many({})
    made = Site(database, channel, publisher, queues, relay, sessions, tasks, clock, SessionId(f"ses_{uuid4().hex}"))
    await made.empty_queues()
    workflow = await workflows.save(small_package())
    await made.start(workflow.id)
    return made


async def test_a_task_that_a_session_names_and_nobody_created_is_created(site: Site) -> None:
    task = (await site.session()).waits_for[0]
    await site.database.journaled("tasks").delete_one({"_id": task})
    await site.empty_queues()
    await site.pass_once()
    assert await site.tasks.existing([task]) == {}, "what moved a moment ago is in somebody's hands"

    await site.later(SETTLED)
    await site.pass_once()

    assert await site.tasks.existing([task]) == {task: "QUEUED"}
    assert await site.announced(GPT) == 1


async def test_an_answer_that_was_not_applied_is_decided_on(site: Site) -> None:
    await site.answer((await site.session()).waits_for[0], GPT, ANSWERS["questions"])
    await site.later(SETTLED)

    await site.pass_once()

    session = await site.session()
    assert session.status is Status.EXECUTING
    assert len(session.waits_for) == await site.announced(SEARCH) == 3
    assert session.money.spent == COST


async def test_of_events_that_come_together_one_decides(site: Site) -> None:
    tasks = await site.reach_searches()
    for task in tasks:
        await site.answer(task, SEARCH, {"text": "found", "sources": []})
    lost, version = conflicts(), (await site.session()).version

    await asyncio.gather(*(site.relay.task_ended(site.id, task) for task in tasks))

    assert (await site.session()).version == version + 1
    assert conflicts() == lost


async def test_an_event_of_a_task_that_nobody_waits_for_any_more_moves_nothing(site: Site) -> None:
    """What came of its sibling's event has events of its own, and hangs below those in a trace."""
    tasks = await site.reach_searches()
    for task in tasks:
        await site.answer(task, SEARCH, {"text": "found", "sources": []})
    await site.relay.task_ended(site.id, tasks[0])
    ordered = await site.session()
    await site.answer(ordered.waits_for[0], GPT, ANSWERS["rows"])

    assert await site.relay.task_ended(site.id, tasks[1]) is None

    assert (await site.session()).version == ordered.version
    assert await site.relay.task_ended(site.id, ordered.waits_for[0]) is not None


async def test_a_lease_that_ran_out_is_freed_and_announced(site: Site) -> None:
    task = (await site.session()).waits_for[0]
    assert await site.worker(GPT, "dead").claim(task)
    await site.empty_queues()
    await site.later(LEASE_OVER)
    reconciler = site.reconciler()

    await reconciler.pass_once()
    await asyncio.sleep(0.05)  # the margin by which an announcement stays behind the database's clock
    await reconciler.pass_once()

    assert await site.announced(GPT) == 1
    assert (await site.document(task))["status"] == "QUEUED"
    assert await site.worker(GPT, "other").claim(task)


async def test_a_run_whose_worker_died_is_announced_with_its_id(site: Site) -> None:
    tasks = await site.reach_searches()
    dead = site.worker(SEARCH, "dead")
    claim = await dead.claim(tasks[0])
    assert claim is not None
    await dead.submitted(claim, "run_1")
    await site.empty_queues()
    await site.later(LEASE_OVER)
    reconciler = site.reconciler()

    await reconciler.pass_once()
    await asyncio.sleep(0.05)  # as above
    await reconciler.pass_once()

    found = await site.worker(SEARCH, "other").claim(tasks[0])
    assert found is not None
    assert found.run_id == "run_1"
    assert await site.announced(SEARCH) >= 1


async def test_for_an_unknown_outcome_the_session_waits_when_its_siblings_are_done(site: Site) -> None:
    tasks = await site.reach_searches()
    assert await site.worker(SEARCH, "dead").claim(tasks[0])
    for task in tasks[1:]:
        await site.answer(task, SEARCH, {"text": "found", "sources": []})
    await site.later(LEASE_OVER)

    await site.pass_once()

    session = await site.session()
    assert (session.status, session.waiting_reason) == (Status.WAITING, WaitingReason.OUTCOME_UNKNOWN)
    assert (await site.document(tasks[0]))["status"] == "OUTCOME_UNKNOWN"


async def test_a_task_whose_time_has_come_is_announced_once_though_two_reconcilers_run(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = (await site.session()).waits_for[0]
    worker = site.worker(GPT)
    claim = await worker.claim(task)
    assert claim is not None
    await worker.end(claim, Ended("refused", "RateLimited", "", again_seconds=30, may_pass=True))
    await site.empty_queues()
    await site.pass_once()
    assert await site.announced(GPT) == 0

    await site.later(31)
    both, due = asyncio.Barrier(2), site.tasks.due

    async def seen_by_both(*asked: Any) -> list[dict[str, Any]]:
        found = await due(*asked)
        await both.wait()
        return found

    monkeypatch.setattr(site.tasks, "due", seen_by_both)
    await asyncio.gather(site.reconciler().pass_once(), site.reconciler().pass_once())

    assert await site.announced(GPT) == 1


async def test_a_task_that_stands_for_five_seconds_beside_an_empty_queue_is_announced_again(site: Site) -> None:
    await site.empty_queues()
    await site.pass_once()
    assert await site.announced(GPT) == 0

    await site.later(SETTLED)
    await site.pass_once()

    assert await site.announced(GPT) == 1


async def test_a_task_behind_others_in_its_queue_is_left_alone_for_ten_minutes_and_then_twice_as_long(
    site: Site,
) -> None:
    task = (await site.session()).waits_for[0]

    async def seconds_left() -> float:
        return ((await site.document(task))["announceAt"] - site.clock.now()).total_seconds()

    assert await site.announced(GPT) == 1
    await site.later(SETTLED)
    await site.pass_once()
    assert 595 < await seconds_left() <= 600

    await site.later(590)
    await site.pass_once()
    assert await site.announced(GPT) == 1

    await site.later(20)
    await site.pass_once()
    assert 1190 < await seconds_left() <= 1200
    assert await site.announced(GPT) == 1


async def test_a_task_in_a_long_line_for_its_provider_s_rate_is_told_of_no_second_time(site: Site) -> None:
    """A worker holds its message. Another that is told of it would take a place of the line for nothing."""
    await site.empty_queues()
    await site.later(SETTLED)
    in_line = [{"$set": {"slotAt": {"$add": ["$$NOW", 13_000]}}}]
    await site.database.journaled("providers").update_one({"_id": GPT}, in_line, upsert=True)

    await site.pass_once()

    assert await site.announced(GPT) == 0
    await site.later(610)
    await site.database.journaled("providers").update_one({"_id": GPT}, [{"$set": {"slotAt": "$$NOW"}}])
    await site.pass_once()
    assert await site.announced(GPT) == 1, "the line is gone, and nobody has come with it"


async def test_a_retry_that_is_due_is_made(site: Site) -> None:
    task = (await site.session()).waits_for[0]
    worker = site.worker(GPT)
    claim = await worker.claim(task)
    assert claim is not None
    await worker.end(claim, Ended("refused", "ProviderUnavailable", "down", may_pass=True))
    await site.relay.look(site.id)
    assert (await site.session()).waiting_reason is WaitingReason.RETRY
    await site.pass_once()
    assert (await site.session()).waiting_reason is WaitingReason.RETRY, "its time has not come"

    await site.later(10)
    await site.pass_once()

    session = await site.session()
    assert (session.status, session.retry_count) == (Status.THINKING, 1)
    assert session.waits_for[0] == task.replace(".g1.", ".g2.")


async def late_bill(site: Site, task: TaskId, result: object, provider: Provider) -> None:
    """Let a task be answered twice: by the worker that was taken for dead, too, and after the session went on."""
    dead, alive = site.worker(provider, "dead"), site.worker(provider, "alive")
    late = await dead.claim(task)
    assert late is not None
    await site.later(LEASE_OVER)
    await site.tasks.free_expired()
    claim = await alive.claim(task)
    assert claim is not None
    await alive.complete(claim, Completed(result, None, Usage(billed=COST)))
    await site.relay.look(site.id)
    assert (await site.session()).money.spent == CAP + COST, "what nobody knows the cost of is booked at the cap"
    await dead.complete(late, Completed(result, None, Usage(billed=COST)))


async def test_a_bill_that_came_late_is_settled_again(site: Site) -> None:
    task = (await site.session()).waits_for[0]
    await late_bill(site, task, {"questions": []}, GPT)  # without questions nothing is searched for
    await site.later(SETTLED)

    await site.pass_once()

    assert (await site.session()).money.settled[task] == 2 * COST


async def test_a_bill_that_came_late_is_settled_while_searches_are_open(site: Site) -> None:
    task = (await site.session()).waits_for[0]
    await late_bill(site, task, ANSWERS["questions"], GPT)
    await site.later(SETTLED)

    await site.pass_once()

    assert (await site.session()).money.settled[task] == 2 * COST


@pytest.mark.parametrize("starting", [True, False], ids=["started", "interrupted"])
async def test_a_reconciler_that_was_interrupted_waits_one_lease_before_it_frees(site: Site, starting: bool) -> None:
    task = (await site.session()).waits_for[0]
    assert await site.worker(GPT, "paused").claim(task)
    await site.later(LEASE_OVER)
    reconciler = site.reconciler(starting=starting)
    site.clock.reading += INTERRUPTED_SECONDS + 0.1

    waited = 0.0
    await reconciler.pass_once()
    while waited < LEASE_SECONDS - 1:
        assert (await site.document(task))["status"] == "PROCESSING", f"freed after {waited} s"
        site.clock.reading += 1
        waited += 1
        await reconciler.pass_once()
    site.clock.reading += 1
    await reconciler.pass_once()

    assert (await site.document(task))["status"] == "QUEUED"


async def test_a_long_repair_is_no_interruption_and_keeps_no_lease_waiting(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = (await site.session()).waits_for[0]
    assert await site.worker(GPT, "dead").claim(task)
    await site.later(LEASE_OVER)
    reconciler, busy, done = site.reconciler(), asyncio.Event(), asyncio.Event()

    async def look_long() -> None:
        busy.set()
        await done.wait()

    monkeypatch.setattr(reconciler, "_retry_due", look_long)
    repairing = asyncio.create_task(forever("repair", reconciler.repair))
    await busy.wait()
    site.clock.reading += INTERRUPTED_SECONDS - 1  # the frees go on beside it, each in time
    reconciler._passed = site.clock.reading
    freeing = asyncio.create_task(forever("free", reconciler.free))
    async with asyncio.timeout(60):
        while (await site.document(task))["status"] != "QUEUED":  # noqa: ASYNC110 - the database is another process
            await asyncio.sleep(0.01)
    assert not done.is_set()

    for loop in (repairing, freeing):
        loop.cancel()
    await asyncio.gather(repairing, freeing, return_exceptions=True)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - broker and database are other processes
            await asyncio.sleep(0.01)


async def test_a_long_look_back_keeps_no_announcement_waiting(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def look_for_ever(*_: object) -> None:
        await asyncio.Event().wait()

    await site.empty_queues()
    await site.later(SETTLED)
    reconciler = site.reconciler()
    monkeypatch.setattr(reconciler, "_look_between", look_for_ever)
    loops = [reconciler.free, reconciler.repair, reconciler.look]
    running = [asyncio.create_task(forever("test", loop)) for loop in loops]

    async def told() -> bool:
        return await site.announced(GPT) == 1

    await until(told)
    for loop in running:
        loop.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_a_long_look_back_goes_on_from_where_it_was_interrupted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconciler, seen = site.reconciler(), list[datetime]()

    async def interrupted_once(start: datetime, end: datetime) -> None:
        seen.append(start)
        assert end - start <= LOOK_AT_ONCE
        if len(seen) == 5:
            raise Unreachable("the database does not answer")

    monkeypatch.setattr(reconciler, "_look_between", interrupted_once)
    with contextlib.suppress(Unreachable):
        await reconciler.look()
    await reconciler.look()

    assert seen[4] == seen[5], "no earlier hour is looked at again"
    assert seen[-1] - seen[0] >= FIRST_LOOK_BACK - LOOK_AT_ONCE


async def test_a_session_that_cannot_be_read_is_named_and_holds_up_no_other(site: Site) -> None:
    rows = site.database.journaled("sessions")
    now = site.clock.now()
    broken = SessionId("ses_" + "0" * 32)
    await rows.insert_one({"_id": broken, "status": "THINKING", "movedAt": now, "history": []})
    await site.database.journaled("tasks").delete_one({"_id": (await site.session()).waits_for[0]})
    await site.empty_queues()
    await site._move("sessions", {}, ("movedAt",), SETTLED)
    for repair in (site.pass_once, site.sweep):
        with capture_logs() as logs:
            await repair()
        assert [entry["session_id"] for entry in logs if entry["event"] == "session_not_read"] == [broken]
    assert await site.announced(GPT) == 1


async def test_a_loss_that_comes_while_another_is_looked_at_is_looked_at_too(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconciler, looked = site.reconciler(), list[SessionId]()
    first, second = (SessionId(f"ses_{n:032x}") for n in (1, 2))

    async def look(session_id: SessionId) -> None:
        looked.append(session_id)
        if looked == [first]:
            reconciler._lost.append(second)

    monkeypatch.setattr(type(site.relay), "look", staticmethod(look))
    reconciler._lost.append(first)
    await reconciler._look_at_lost()

    assert looked == [first, second]


async def test_a_session_that_cannot_be_looked_at_holds_up_no_other(site: Site) -> None:
    broken = replace(await site.session(), id=SessionId(f"ses_{uuid4().hex}"), workflow="gone@1")
    waiting = replace(
        broken, id=SessionId("ses_" + "0" * 32), status=Status.WAITING, waiting_reason=WaitingReason.RETRY
    )
    await site.sessions.create(broken)
    await site.sessions.create(replace(waiting, next_retry_at=site.clock.now()))
    await site._move("sessions", {"_id": {"$ne": site.id}}, ("movedAt", "nextRetryAt"), SETTLED)
    await site.answer((await site.session()).waits_for[0], GPT, ANSWERS["questions"])
    await site.later(SETTLED)

    await site.pass_once()
    await site.sweep()

    assert (await site.session()).status is Status.EXECUTING


async def test_a_sweep_finds_what_moved_before_anybody_looked(site: Site) -> None:
    await site.answer((await site.session()).waits_for[0], GPT, ANSWERS["questions"])
    await site.later(2 * 86_400)
    await site.pass_once()
    assert (await site.session()).status is Status.THINKING

    await site.sweep()

    assert (await site.session()).status is Status.EXECUTING


async def test_a_pass_over_a_session_in_order_changes_nothing(site: Site) -> None:
    await site.later(SETTLED)
    before = await site.sessions.document(site.id)

    await site.pass_once()
    await site.sweep()

    assert await site.sessions.document(site.id) == before
    assert await site.announced(GPT) == 1


# ── stalls ───────────────────────────────────────────────────────────────────────────────────────────────


def repairs(cause: str) -> float:
    return REGISTRY.get_sample_value("ekiden_reconciler_repairs_total", {"cause": cause}) or 0.0


async def test_a_session_that_stalled_is_resumed_counted_and_logged_with_the_doctors_sentence(site: Site) -> None:
    await site.answer((await site.session()).waits_for[0], GPT, ANSWERS["questions"])
    await site.later(121)
    before = repairs("stalled")

    with capture_logs() as logs:
        await site.sweep()

    assert (await site.session()).status is Status.EXECUTING
    assert repairs("stalled") == before + 1
    assert REGISTRY.get_sample_value("ekiden_sessions_stalled") == 1
    entry = next(entry for entry in logs if entry["event"] == "session_stalled")
    assert entry["session_id"] == site.id
    assert "Every answer is there, and nothing has moved since" in entry["cause"]
    await site.sweep()
    assert REGISTRY.get_sample_value("ekiden_sessions_stalled") == 0


async def test_a_session_under_way_that_waits_for_nothing_is_resumed(site: Site) -> None:
    rows = site.database.journaled("sessions")
    await rows.update_one({"_id": site.id}, {"$set": {"steps.1T.tasks": [], "reserved": []}})
    await site.later(121)
    before = repairs("stalled")

    await site.sweep()

    assert (await site.session()).waits_for == (f"{site.id}.1T.g2.0",)
    assert repairs("stalled") == before + 1


async def test_a_session_that_moved_a_minute_ago_has_not_stalled(site: Site) -> None:
    await site.answer((await site.session()).waits_for[0], GPT, ANSWERS["questions"])
    await site.later(60)
    stalled, not_applied = repairs("stalled"), repairs("not_applied")

    await site.sweep()

    assert (repairs("stalled"), repairs("not_applied")) == (stalled, not_applied + 1)


async def test_a_sweep_abandons_what_nobody_waits_for_any_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    task = (await site.session()).waits_for[0]

    async def died_before(*_: object, **__: object) -> None:
        raise Unreachable("the gateway died between saving and abandoning")

    with monkeypatch.context() as patched:
        patched.setattr(site.tasks, "abandon", died_before)
        await site.relay.say(site.id, lambda _: Cancel(site.clock.now()))
    assert (await site.document(task))["status"] == "QUEUED"

    await site.sweep()

    assert (await site.document(task))["status"] == "CANCELLED"
    await site.sweep()
    assert not (await site.session()).money.reserved


async def test_a_sweep_over_more_than_a_batch_repairs_every_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ekiden_orchestrator.sweep.BATCH", 2)
    first = await site.session()
    others = [SessionId(f"ses_{uuid4().hex}") for _ in range(4)]
    for other in others:
        await site.sessions.create(
            Session(other, "me", first.workflow, {"theme": "tea"}, "en", site.clock.now(), Money(Micros(10_000_000)))
        )
        await site.relay.say(other, lambda _: Start(site.clock.now()))
    await site.database.journaled("tasks").delete_many({})

    await site.sweep()

    assert len(await site.tasks.existing([TaskId(f"{session}.1T.g1.0") for session in [site.id, *others]])) == 5


# ── freeing ──────────────────────────────────────────────────────────────────────────────────────────────


def unknown_outcomes() -> float:
    return REGISTRY.get_sample_value("ekiden_outcome_unknown_total") or 0.0


@pytest.mark.parametrize("left", ["QUEUED", "OUTCOME_UNKNOWN", "CANCELLED"])
async def test_a_call_under_way_that_is_freed_is_counted_as_unknown_wherever_it_goes(site: Site, left: str) -> None:
    provider = SEARCH if left == "OUTCOME_UNKNOWN" else GPT
    task = (await site.reach_searches() if provider is SEARCH else (await site.session()).waits_for)[0]
    assert await site.worker(provider, "dead").claim(task)
    if left == "CANCELLED":
        await site.relay.say(site.id, lambda _: Cancel(site.clock.now()))
    await site.later(LEASE_OVER)
    before = unknown_outcomes()

    with capture_logs() as logs:
        await site.pass_once()

    assert (await site.document(task))["status"] == left
    assert unknown_outcomes() == before + 1
    entry = next(entry for entry in logs if entry["event"] == "lease_ran_out")
    assert entry["at_risk"] == usd(Micros((await site.document(task))["cap"]))


async def test_a_run_that_is_freed_is_no_unknown_outcome(site: Site) -> None:
    task, dead = (await site.reach_searches())[0], site.worker(SEARCH, "dead")
    claim = await dead.claim(task)
    assert claim is not None
    await dead.submitted(claim, "run_1")
    await site.later(LEASE_OVER)
    before = unknown_outcomes()

    await site.pass_once()

    assert (await site.document(task))["worker"] is None
    assert unknown_outcomes() == before


async def test_leases_are_freed_beside_each_other(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for task in await site.reach_searches():
        assert await site.worker(SEARCH, "dead").claim(task)
    await site.later(LEASE_OVER)
    all_at_once, free = asyncio.Barrier(3), site.tasks._free

    async def together(task: Mapping[str, Any]) -> Freed | None:
        await all_at_once.wait()
        return await free(task)

    monkeypatch.setattr(site.tasks, "_free", together)
    async with asyncio.timeout(60):
        assert len(await site.tasks.free_expired()) == 3


async def test_a_database_that_hung_while_it_was_asked_for_leases_is_an_interruption(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = (await site.session()).waits_for[0]
    assert await site.worker(GPT, "hung with it").claim(task)
    await site.later(LEASE_OVER)
    reconciler, expired = site.reconciler(), site.tasks._expired

    async def after_a_while() -> list[dict[str, Any]]:
        found = await expired()
        site.clock.reading += INTERRUPTED_SECONDS + 0.1
        return found

    with monkeypatch.context() as patched:
        patched.setattr(site.tasks, "_expired", after_a_while)
        await reconciler.free()
    await reconciler.free()

    assert (await site.document(task))["status"] == "PROCESSING", "the worker has a lease's time to renew"


async def test_freeing_for_long_is_no_interruption(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, _ = await site.reach_searches()
    assert await site.worker(SEARCH, "dead").claim(first)
    await site.later(LEASE_OVER)
    reconciler, free = site.reconciler(), site.tasks._free

    async def slowly(task: Mapping[str, Any]) -> Freed | None:
        site.clock.reading += INTERRUPTED_SECONDS - 1
        return await free(task)

    with monkeypatch.context() as patched:
        patched.setattr(site.tasks, "_free", slowly)
        assert await reconciler.free() == 0.0, "there may be more"
    assert await site.worker(SEARCH, "dead").claim(second)
    await site.later(LEASE_OVER)
    site.clock.reading += INTERRUPTED_SECONDS - 1
    await reconciler.free()

    assert (await site.document(second))["status"] == "OUTCOME_UNKNOWN"


# ── announcing ───────────────────────────────────────────────────────────────────────────────────────────


async def test_what_a_closed_provider_could_only_hold_is_told_of_when_it_opens(site: Site) -> None:
    await site.empty_queues()
    await site.later(SETTLED)
    breakers = Breakers(site.database)
    await breakers.open(GPT, "a test")
    for _ in range(3):
        await site.pass_once()
    assert await site.announced(GPT) == 0
    assert (await site.document((await site.session()).waits_for[0]))["announced"] == 1

    await breakers.close(GPT)
    await site.pass_once()

    assert await site.announced(GPT) == 1


async def test_a_breaker_that_is_open_for_long_fails_only_what_may_be_asked_of_somebody_else(site: Site) -> None:
    """Whether another provider is asked in its place is proven in `test_third_provider`."""
    tasks = await site.reach_searches()
    ledger = site.database.journaled("tasks")
    await ledger.update_many({"_id": {"$in": tasks}}, {"$set": {"mayFallBack": True}})
    claim = await site.worker(SEARCH).claim(tasks[1])
    assert claim is not None
    maybe_paid = {"epoch": 1, "outcome": "unknown", "billed": 0}
    await ledger.update_one({"_id": tasks[2]}, {"$push": {"submissions": maybe_paid}})
    await Breakers(site.database).open(SEARCH, "a test")
    fell_back = replace(site.reconciler(), fallback_seconds=0.0)

    await site.pass_once()
    assert [(await site.document(task))["status"] for task in tasks] == ["QUEUED", "PROCESSING", "QUEUED"]
    await fell_back.pass_once()
    assert [(await site.document(task))["status"] for task in tasks] == ["FAILED", "PROCESSING", "QUEUED"]


async def test_a_probe_that_is_due_is_told_of_few_tasks(site: Site) -> None:
    assert len(await site.reach_searches()) > PROBES_AT_ONCE
    await site.empty_queues()
    await site.later(SETTLED)
    await Breakers(site.database).open(SEARCH, "a test")
    await site.database.journaled("providers").update_one({"_id": SEARCH}, [{"$set": {"probeAt": "$$NOW"}}])

    await site.pass_once()

    assert await site.announced(SEARCH) == PROBES_AT_ONCE


async def test_a_run_of_a_closed_provider_is_collected_all_the_same(site: Site) -> None:
    tasks = await site.reach_searches()
    dead = site.worker(SEARCH, "dead")
    claim = await dead.claim(tasks[0])
    assert claim is not None
    await dead.submitted(claim, "run_1")
    await dead.let_go(claim)
    await site.empty_queues()
    await Breakers(site.database).open(SEARCH, "a test")
    await site.later(SETTLED)

    await site.pass_once()

    assert await site.announced(SEARCH) == 1


async def test_a_task_whose_message_a_waiting_worker_holds_is_told_of_less_and_less_often(site: Site) -> None:
    """Nobody can see from outside what a worker holds: its queue is empty, as if the message were lost."""
    task, told = (await site.session()).waits_for[0], 0
    for _ in range(70):
        await site.empty_queues()
        await site.later(1)
        await site.pass_once()
        told += await site.announced(GPT)

    assert told <= 5, "at most after 5, 10, 20 and 40 seconds, and once more for a slow machine"
    assert (await site.document(task))["announced"] == 1 + told


async def test_the_reconciler_sleeps_until_something_is_due_and_never_long(site: Site) -> None:
    reconciler = site.reconciler()
    assert await reconciler.pause_seconds(()) == LONGEST_PAUSE_SECONDS, "the next telling is five seconds away"

    await site.later(3.5)

    assert 0 < await reconciler.pause_seconds(()) < 1.7


async def test_without_a_broker_the_repairs_that_need_none_are_made(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.answer((await site.session()).waits_for[0], GPT, ANSWERS["questions"])
    await site.later(SETTLED)

    async def away(_: Provider) -> bool:
        raise Unreachable("the broker does not answer")

    monkeypatch.setattr(site.queues, "is_empty", away)
    with contextlib.suppress(Unreachable):
        await site.pass_once()

    assert (await site.session()).status is Status.EXECUTING


async def test_that_a_new_task_was_told_of_is_noted_a_little_later(site: Site) -> None:
    task = (await site.session()).waits_for[0]

    async def noted() -> bool:
        return bool((await site.document(task))["announced"] == 1)

    await until(noted)


async def test_a_late_note_puts_off_nothing_that_was_claimed_and_refused_meanwhile(site: Site) -> None:
    task, worker = (await site.session()).waits_for[0], site.worker(GPT)
    claim = await worker.claim(task)
    assert claim is not None
    await worker.end(claim, Ended("refused", "RateLimited", "", again_seconds=0, may_pass=True))
    refused = await site.document(task)

    site.tasks.first_told([task])
    await site.tasks.flush()

    assert await site.document(task) == refused
    assert refused["announced"] == 0


async def test_what_could_not_be_told_of_is_told_of_though_its_queue_is_not_empty(site: Site) -> None:
    """The relay, and then the reconciler, do not get as far as that; when one does, others stand in the queue."""
    nobody = replace(site.relay, announcer=FakeAnnouncer(away=True))
    await site.answer((await site.session()).waits_for[0], GPT, ANSWERS["questions"])
    await nobody.look(site.id)
    tasks = (await site.session()).waits_for
    assert [(await site.document(task))["announced"] for task in tasks] == [0, 0, 0]
    reconciler = site.reconciler()
    reconciler.relay = nobody
    await site.later(SETTLED)
    with contextlib.suppress(Unreachable):
        await reconciler.pass_once()
    assert [(await site.document(task))["announced"] for task in tasks] == [0, 0, 0]

    await site.publisher.command(SEARCH, TaskId("ses_x.1E.g1.0"), site.id)
    await site.later(SETTLED)
    reconciler.relay = site.relay
    await reconciler.pass_once()

    assert await site.announced(SEARCH) == 4


# ── what the doctor is told ──────────────────────────────────────────────────────────────────────────────


async def test_the_doctor_is_told_which_part_of_a_prompt_is_the_longest_when_it_was_too_long(site: Site) -> None:
    task = (await site.session()).waits_for[0]
    worker = site.worker(GPT)
    claim = await worker.claim(task)
    assert claim is not None
    rows = await site.tasks.of_session(site.id)
    assert [fact.longest for fact in await facts(site.tasks, rows)] == [None]

    await worker.end(claim, Ended("refused", "ContextTooLong", "too many tokens", too_long=True))

    texts = {name: len((await site.document(task))["request"][name]) for name in ("system", "user")}
    longest = max(texts, key=lambda name: texts[name])
    [told] = await facts(site.tasks, await site.tasks.of_session(site.id))
    assert told.longest == (f"the {longest} message", texts[longest])
