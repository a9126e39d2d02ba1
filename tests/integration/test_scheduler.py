"""The scheduler on a real database: many at once, deaths between its writes, absences, money. Time is moved by hand."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from ekiden.domain import scheduling as rules
from ekiden.domain.cron import Cron
from ekiden.domain.ids import Micros, ScheduleId, SessionId, TaskId
from ekiden.domain.plan import Provider
from ekiden.domain.schedule import Outcome, Overlap, Run, Schedule
from ekiden.domain.session import Money, Session, Status
from ekiden.firing import Firing
from ekiden.relay import Relay
from ekiden.restore import AfterRestore
from ekiden.retry import UnknownOutcome
from ekiden.store.database import Database, Document
from ekiden.store.drafts import DraftStore
from ekiden.store.pruning import PruningStore
from ekiden.store.schedule_runs import RunStore
from ekiden.store.schedules import ScheduleStore
from ekiden.store.sessions import SessionStore
from ekiden.store.tasks import TaskStore
from ekiden.store.webhooks import WebhookStore
from ekiden.store.workflows import WorkflowStore
from ekiden.webhooks.endpoint import of_session
from ekiden_orchestrator.retention import Retention
from ekiden_orchestrator.scheduler import Scheduler
from tests.fakes.announcer import FakeAnnouncer
from tests.fakes.workflow import small_package

POLICIES = {Provider.GPT: UnknownOutcome.RESEND, Provider.PERPLEXITY: UnknownOutcome.ASK}
NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PRICE = Micros(1_000_000)
SETTLED = timedelta(seconds=6)


class HandClock:
    """A clock that stands until it is moved."""

    moment = NOON

    def now(self) -> datetime:
        return self.moment


@dataclass
class Yard:
    """Schedules, and orchestrators that look at them when they are told to."""

    database: Database
    workflow: str
    clock: HandClock = field(default_factory=HandClock)
    announcer: FakeAnnouncer = field(default_factory=FakeAnnouncer)

    def scheduler(self, *, on: bool = True) -> Scheduler:
        """One more orchestrator's, with stores of its own."""
        sessions, tasks, drafts = SessionStore(self.database), TaskStore(self.database), DraftStore(self.database)
        workflows = WorkflowStore(self.database, POLICIES)
        relay = Relay(sessions, tasks, drafts, workflows, self.announcer, self.clock, POLICIES)
        store = ScheduleStore(self.database)
        return Scheduler(
            store,
            Firing(store, RunStore(self.database), WebhookStore(self.database), relay, self.clock),
            self.clock,
            by_the_clock=on,
        )

    async def add(self, overlap: Overlap = Overlap.SKIP, cron: str = "* * * * *", **fields: Any) -> ScheduleId:
        """A schedule of every minute whose first tick is noon, unless said otherwise."""
        name = ScheduleId(f"sch_{uuid4().hex}")
        session = Session(SessionId("ses_"), "me", self.workflow, {"theme": "tea"}, "en", NOON, Money(PRICE))
        made = Schedule(name, "me", "tea", Cron(cron, "UTC"), session, {}, NOON, overlap, next_at=NOON)
        await ScheduleStore(self.database).create(replace(made, **fields))
        return name

    async def schedule(self, name: ScheduleId) -> Schedule:
        found = await ScheduleStore(self.database).load(name)
        assert found is not None
        return found

    async def look(self, later: timedelta = timedelta(0), *, by: Scheduler | None = None) -> None:
        """Let time pass, and an orchestrator look."""
        self.clock.moment += later
        await (by or self.scheduler()).pass_once()

    async def sessions(self, name: ScheduleId) -> list[Document]:
        found = self.database.journaled("sessions").find({"scheduleId": name})
        return await found.sort([("scheduledAt", 1), ("createdAt", 1)]).to_list()

    async def runs(self, name: ScheduleId) -> list[str]:
        """The record, the oldest first."""
        rows = await RunStore(self.database).page(name, None, 1000)
        return [f"{row['outcome']} {row['at']:%H:%M} x{row['ticks']}" for row in reversed(rows)]

    async def end(self, session_id: str, cost: int = 0) -> None:
        """As if its workers had done their part, at that cost."""
        done: Document = {"status": "COMPLETED", "finishedAt": self.clock.moment, "reserved": []}
        spent = [{"task": TaskId(f"{session_id}.1T.g1.0"), "micros": cost}]
        await self.database.journaled("sessions").update_one({"_id": session_id}, {"$set": done | {"settled": spent}})


@pytest.fixture
async def yard(database: Database) -> Yard:
    for left_over in ("schedules", "schedule_runs", "sessions", "pruned", "schedulers"):
        await database.journaled(left_over).delete_many({})
    workflow = await WorkflowStore(database, POLICIES).save(small_package())
    return Yard(database, workflow.id)


def started(session: Document) -> int:
    return [entry["cause"] for entry in session["history"]].count("Start")


# ── many at once ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_four_schedulers_at_once_fire_each_of_many_ticks_once(yard: Yard) -> None:
    names = [await yard.add(Overlap.CANCEL) for _ in range(3)]
    before = REGISTRY.get_sample_value("ekiden_schedule_ticks_total", {"outcome": "fired"}) or 0
    four = [yard.scheduler() for _ in range(4)]
    for _ in range(12):
        await asyncio.gather(*(one.pass_once() for one in four))
        yard.clock.moment += MINUTE
    for name in names:
        sessions = await yard.sessions(name)
        assert [session["scheduledAt"] for session in sessions] == [NOON + n * MINUTE for n in range(12)]
        assert [started(session) for session in sessions] == [1] * 12
        assert [session["status"] for session in sessions] == ["CANCELLED"] * 11 + ["THINKING"]
        assert await yard.runs(name) == [f"fired 12:{n:02} x1" for n in range(12)]
    assert len(yard.announcer.commands) == len(set(yard.announcer.commands)) == 36
    counted = REGISTRY.get_sample_value("ekiden_schedule_ticks_total", {"outcome": "fired"}) or 0
    assert counted - before == 36


async def test_a_person_and_four_schedulers_never_begin_two_side_by_side(yard: Yard) -> None:
    name = await yard.add(Overlap.SKIP)
    looks = [yard.scheduler().pass_once() for _ in range(4)]
    orders = [yard.scheduler().firing.fire(name, f"order {n}") for n in range(4)]
    await asyncio.gather(*looks, *orders)
    assert len(await yard.sessions(name)) == 1


async def test_one_order_said_many_times_at_once_begins_one_session(yard: Yard) -> None:
    name = await yard.add(next_at=None)
    told = await asyncio.gather(*(yard.scheduler().firing.fire(name, "an order") for _ in range(6)))
    (session,) = await yard.sessions(name)
    assert {then.session_id(run) for then, run in (one for one in told if one)} == {session["_id"]}
    assert {run.outcome for _, run in (one for one in told if one)} == {Outcome.FIRED}
    assert started(session) == 1


# ── deaths ───────────────────────────────────────────────────────────────────────────────────────────────────


def die_at(target: object, method: str, call: int) -> None:
    """Let a process die at the n-th call of one of its methods."""
    real: Callable[..., Awaitable[Any]] = getattr(target, method)
    calls = 0

    async def dies(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        return await real(*given, **named)

    setattr(target, method, dies)


DEATHS = {
    "before the decision is saved": ("schedules", "save", 1),
    "before it is on record": ("runs", "record", 1),
    "before the other is cancelled": ("sessions", "apply", 1),
    "before the session is stored": ("sessions", "create", 1),
    "before the session is started": ("sessions", "apply", 2),
    "before it counts as carried out": ("schedules", "save", 2),
}


@pytest.mark.parametrize("place", DEATHS)
async def test_a_death_anywhere_loses_no_tick_and_fires_none_twice(yard: Yard, place: str) -> None:
    name = await yard.add(Overlap.CANCEL)
    await yard.look()
    dying, (part, method, call) = yard.scheduler(), DEATHS[place]
    parts = {"schedules": dying.schedules, "runs": dying.firing.runs, "sessions": dying.firing.relay.sessions}
    die_at(parts[part], method, call)
    with pytest.raises(KeyboardInterrupt):
        await yard.look(MINUTE, by=dying)

    for _ in range(2):
        await yard.look(SETTLED)

    first, second = await yard.sessions(name)
    assert (first["status"], second["status"]) == ("CANCELLED", "THINKING")
    assert (started(first), started(second)) == (1, 1)
    assert await yard.runs(name) == ["fired 12:00 x1", "fired 12:01 x1"]
    assert (await yard.schedule(name)).decided == ()
    assert (await yard.schedule(name)).next_at == NOON + 2 * MINUTE


async def test_who_comes_back_late_with_a_decision_that_others_have_carried_out_changes_nothing(yard: Yard) -> None:
    name = await yard.add(Overlap.CANCEL)
    stopped = yard.scheduler()
    die_at(stopped.firing.runs, "record", 1)
    with pytest.raises(KeyboardInterrupt):
        await yard.look(by=stopped)
    in_hand = await yard.schedule(name)
    await yard.look(SETTLED)
    await yard.look(MINUTE)
    before = await yard.sessions(name), await yard.runs(name), await yard.schedule(name)

    assert await yard.scheduler().firing.carry_out(in_hand) is None

    assert (await yard.sessions(name), await yard.runs(name), await yard.schedule(name)) == before


async def test_the_address_that_its_sessions_name_is_a_webhook(yard: Yard) -> None:
    url = "https://receiver.example/"
    session = Session(
        SessionId("ses_"), "me", yard.workflow, {"theme": "tea"}, "en", NOON, Money(PRICE), webhook_url=url
    )
    await yard.add(session=session)
    await yard.look()
    webhook = await WebhookStore(yard.database).load(of_session("me", url))
    assert webhook is not None
    assert (webhook.url, webhook.session_only) == (url, True)


async def test_a_session_that_retention_has_removed_is_not_begun_again(yard: Yard) -> None:
    name = await yard.add()
    await yard.look()
    in_hand = replace(await yard.schedule(name), decided=(Run(NOON, Outcome.FIRED),))
    (session,) = await yard.sessions(name)
    await yard.end(session["_id"], cost=700)
    yard.clock.moment += timedelta(days=2)
    await Retention(PruningStore(yard.database), yard.clock, timedelta(days=1)).prune()

    await yard.scheduler().firing.carry_out(in_hand)

    assert await yard.sessions(name) == []


async def test_out_of_a_backup_the_clock_begins_nothing_before_a_person_has_looked(yard: Yard) -> None:
    name = await yard.add()
    turned = await AfterRestore(yard.database).turn()
    await yard.look(MINUTE)
    assert turned.schedules == 1
    assert await yard.sessions(name) == []
    assert "restored from a backup" in (await yard.schedule(name)).pause_reason
    assert (await AfterRestore(yard.database).turn()).schedules == 0


# ── absences and policies ────────────────────────────────────────────────────────────────────────────────────


async def test_after_hours_of_absence_the_window_has_its_turn_and_the_rest_is_on_record_as_missed(yard: Yard) -> None:
    name = await yard.add(cron="0 * * * *", catch_up=2 * HOUR)
    await yard.look(5 * HOUR)
    assert await yard.runs(name) == ["missed 12:00 x3", "fired 15:00 x1", "skipped 16:00 x2"]
    assert (await yard.schedule(name)).next_at == NOON + 6 * HOUR


async def test_one_waits_until_the_session_that_runs_is_over(yard: Yard) -> None:
    name = await yard.add(Overlap.QUEUE)
    for _ in range(3):
        await yard.look()
        yard.clock.moment += MINUTE
    assert await yard.runs(name) == ["fired 12:00 x1", "queued 12:01 x1", "skipped 12:02 x1"]
    (first,) = await yard.sessions(name)
    await yard.end(first["_id"])
    await yard.look(timedelta(seconds=-30))
    assert [session["scheduledAt"] for session in await yard.sessions(name)] == [NOON, NOON + MINUTE]
    assert await yard.runs(name) == ["fired 12:00 x1", "fired 12:01 x1", "skipped 12:02 x1"]


async def test_what_is_paused_begins_nothing_and_goes_on_without_what_it_passed_over(yard: Yard) -> None:
    name = await yard.add()
    store = ScheduleStore(yard.database)
    await store.save(await yard.schedule(name), rules.pause(await yard.schedule(name), NOON))
    await yard.look(3 * MINUTE)
    assert await yard.sessions(name) == []
    await store.save(await yard.schedule(name), rules.resume(await yard.schedule(name), yard.clock.moment))
    await yard.look(MINUTE)
    assert await yard.runs(name) == ["fired 12:04 x1"]


async def test_with_the_scheduler_off_the_clock_begins_nothing_and_a_person_s_order_is_finished(yard: Yard) -> None:
    by_clock, by_hand = await yard.add(), await yard.add(next_at=None)
    gateway = yard.scheduler()
    die_at(gateway.firing.runs, "record", 1)
    with pytest.raises(KeyboardInterrupt):
        await gateway.firing.fire(by_hand, "an order")
    await yard.look(SETTLED, by=yard.scheduler(on=False))
    assert await yard.sessions(by_clock) == []
    assert [session["status"] for session in await yard.sessions(by_hand)] == ["THINKING"]
    assert REGISTRY.get_sample_value("ekiden_schedules_late_seconds") == SETTLED.total_seconds()
    assert await ScheduleStore(yard.database).last_beat() is None
    await yard.look()
    assert await ScheduleStore(yard.database).last_beat() is not None


async def test_a_person_s_order_that_waits_begins_with_the_scheduler_off_and_a_tick_that_waits_does_not(
    yard: Yard,
) -> None:
    ordered, ticking = await yard.add(Overlap.QUEUE, next_at=None), await yard.add(Overlap.QUEUE)
    for _ in range(2):
        await yard.scheduler().firing.fire(ordered, str(uuid4()))
        await yard.look()
        yard.clock.moment += MINUTE
    off = yard.scheduler(on=False)
    await yard.look(by=off)
    for name in (ordered, ticking):
        (first,) = await yard.sessions(name)
        await yard.end(first["_id"])
    await yard.look(by=off)
    assert [len(await yard.sessions(name)) for name in (ordered, ticking)] == [2, 1]
    await yard.look(by=off)
    assert [len(await yard.sessions(name)) for name in (ordered, ticking)] == [2, 1]


async def test_a_schedule_that_cannot_be_fired_or_read_holds_up_no_other(yard: Yard) -> None:
    broken, well = await yard.add(), await yard.add()
    unreadable = await yard.add()
    rows = yard.database.journaled("schedules")
    await rows.update_one({"_id": broken}, {"$set": {"session.workflow": "gone@0", "nextAt": NOON - HOUR}})
    await rows.update_one({"_id": unreadable}, {"$unset": {"cron": ""}})
    await yard.look()
    assert [session["status"] for session in await yard.sessions(well)] == ["THINKING"]


# ── money ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_month_s_budget_counts_what_was_spent_and_what_still_may_be(yard: Yard) -> None:
    name = await yard.add(budget=Micros(PRICE + 300_000))
    await yard.look()
    (first,) = await yard.sessions(name)
    await yard.end(first["_id"], cost=300_000)
    await yard.look(MINUTE)  # 0.3 are spent, and 1.0 fits in beside them
    (_, second) = await yard.sessions(name)
    await yard.end(second["_id"], cost=1)
    await yard.look(MINUTE)
    assert await yard.runs(name) == ["fired 12:00 x1", "fired 12:01 x1", "skipped 12:02 x1"]


async def test_what_retention_removed_still_counts_and_the_next_month_has_money_again(yard: Yard) -> None:
    name = await yard.add(cron="0 12 * * *", budget=Micros(PRICE + 300_000))
    await yard.look()
    (first,) = await yard.sessions(name)
    await yard.end(first["_id"], cost=300_001)
    yard.clock.moment += timedelta(days=20)
    await Retention(PruningStore(yard.database), yard.clock, timedelta(days=1)).prune()
    await yard.look()
    assert await yard.sessions(name) == []
    await yard.look(timedelta(days=11))
    assert [session["scheduledAt"] for session in await yard.sessions(name)] == [datetime(2031, 6, 1, 12, tzinfo=UTC)]


async def test_every_query_of_a_pass_uses_an_index(yard: Yard) -> None:
    name = await yard.add()
    await yard.look()
    begin = datetime(1970, 1, 1, tzinfo=UTC)
    queries: list[tuple[str, Document]] = [
        ("schedules", {"nextAt": {"$gt": begin, "$lte": NOON}}),
        ("schedules", {"queuedAt": {"$gt": begin}}),
        ("schedules", {"decidedAt": {"$gt": begin, "$lt": NOON}}),
        ("sessions", {"scheduleId": name, "createdAt": {"$gte": NOON}}),
        ("sessions", {"scheduleId": name, "status": {"$in": [status.value for status in Status]}}),
        ("pruned", {"scheduleId": name, "createdAt": {"$gte": NOON}}),
        ("schedule_runs", {"scheduleId": name}),
    ]
    for collection, query in queries:
        plan = await yard.database.journaled(collection).find(query).explain()
        assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"]), query
