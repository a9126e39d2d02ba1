"""Retention on a real database: whole finished sessions go, nothing that is under way, and no crash leaves a part."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from ekiden.domain.ids import Micros, Position, SessionId, Step, TaskId, TaskName
from ekiden.domain.messages import RestartPhase
from ekiden.domain.plan import Provider
from ekiden.domain.session import Money, Session, Status, StepState
from ekiden.messages.dead_letter import DeadLetter
from ekiden.relay import Relay
from ekiden.retry import UnknownOutcome
from ekiden.store.database import Database, Document
from ekiden.store.dead_letters import DeadLetterStore
from ekiden.store.drafts import DraftStore
from ekiden.store.ledger import MongoLedger
from ekiden.store.pruning import Ended, PruningStore
from ekiden.store.sessions import SessionStore
from ekiden.store.task_document import NewTask
from ekiden.store.tasks import TaskStore
from ekiden.store.workflows import WorkflowStore
from ekiden.worker.ledger import Completed, Saved, Usage
from ekiden.workflow.drafts import Draft
from ekiden_orchestrator import retention
from ekiden_orchestrator.retention import BREATH_SECONDS, PASS_SECONDS, Retention
from ekiden_orchestrator.sweep import Sweep
from tests.fakes.announcer import FakeAnnouncer
from tests.fakes.workflow import small_package

POLICIES = {Provider.GPT: UnknownOutcome.RESEND, Provider.PERPLEXITY: UnknownOutcome.ASK}
KEEP, OLD, YOUNG = timedelta(days=30), timedelta(days=31), timedelta(days=29)
COST, CAP = Micros(700), Micros(50_000)
HERE = Position(1, Step.THINK)
LEAVES = ("sessions", "tasks", "drafts", "dead_letters", "pruned")


@dataclass
class Archive:
    """Sessions of any age, and what they left."""

    database: Database
    relay: Relay
    workflow: str

    @property
    def retention(self) -> Retention:
        return Retention(PruningStore(self.database), self.database.clock, KEEP)

    async def add(self, ended: timedelta | None = OLD, status: Status = Status.COMPLETED, **fields: Any) -> SessionId:
        """A session with one task, one draft and one dead letter, that ended so long ago."""
        now = self.database.clock.now()
        session_id = SessionId(f"ses_{uuid4().hex}")
        task = TaskName(session_id, HERE, 1, 0)
        session = Session(
            id=session_id,
            owner="me",
            workflow=self.workflow,
            input={"theme": "tea"},
            language="en",
            created_at=now - timedelta(days=99),
            money=Money(Micros(1_000_000), settled={task.id: COST}),
            status=status,
            position=HERE,
            steps={HERE.key: StepState(1, tasks=(task.id,))},
            finished_at=now - ended if ended is not None else None,
        )
        await self.relay.sessions.create(replace(session, **fields))
        order = NewTask(task, "me", Provider.GPT, {}, "", UnknownOutcome.RESEND, CAP)
        await self.relay.tasks.create([order])
        await self.relay.drafts.create([Draft(f"{session_id}.g1.1", session_id, 1, {}, ())], now, simulated=True)
        await DeadLetterStore(self.database).keep(letter(session_id, task.id))
        return session_id

    async def left_of(self, session_id: SessionId) -> set[str]:
        """In which collections something of a session is left, its note aside."""
        fields = {"sessions": "_id", "tasks": "sessionId", "drafts": "session", "dead_letters": "sessionId"}
        found = {name: await self.rows(name, **{field: session_id}) for name, field in fields.items()}
        return {name for name, rows in found.items() if rows}

    async def rows(self, collection: str, **query: object) -> list[Document]:
        return await self.database.journaled(collection).find(query).to_list()

    async def age(self, collection: str, field: str, by: timedelta, **query: object) -> None:
        back = {field: {"$subtract": [f"${field}", round(by.total_seconds() * 1000)]}}
        await self.database.journaled(collection).update_many(query, [{"$set": back}])


WHOLE = {"sessions", "tasks", "drafts", "dead_letters"}


def letter(session_id: SessionId, task: TaskId) -> DeadLetter:
    body = f'{{"sessionId": "{session_id}", "taskId": "{task}"}}'.encode()
    return DeadLetter("ekiden.tasks.gpt", "", "", "rejected", "a bug", body, len(body), message_id=uuid4().hex)


@pytest.fixture
async def archive(database: Database) -> Archive:
    for left_over in LEAVES:
        await database.journaled(left_over).delete_many({})
    workflows = WorkflowStore(database, POLICIES)
    stores = SessionStore(database), TaskStore(database), DraftStore(database), workflows
    relay = Relay(*stores, FakeAnnouncer(), database.clock, POLICIES)
    return Archive(database, relay, (await workflows.save(small_package())).id)


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0.0


# ── what goes, and what stays ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
async def test_an_old_session_that_is_over_goes_with_all_it_left(archive: Archive, status: Status) -> None:
    session_id = await archive.add(status=status)
    await archive.retention.prune()
    assert await archive.left_of(session_id) == set()


async def test_one_that_ended_lately_stays_whole(archive: Archive) -> None:
    session_id = await archive.add(YOUNG)
    await archive.retention.prune()
    assert await archive.left_of(session_id) == WHOLE


@pytest.mark.parametrize("status", [Status.PENDING, Status.THINKING, Status.WAITING])
async def test_one_that_is_not_over_stays_however_old_it_is(archive: Archive, status: Status) -> None:
    session_id = await archive.add(OLD, status)  # as if a move had forgotten to take the end of an earlier run away
    await archive.retention.prune()
    assert await archive.left_of(session_id) == WHOLE


async def test_one_with_a_call_under_way_stays(archive: Archive) -> None:
    held = TaskId("a task")
    session_id = await archive.add(money=Money(Micros(1_000_000), reserved={held: CAP}), status=Status.CANCELLED)
    await archive.retention.prune()
    assert await archive.left_of(session_id) == WHOLE


async def test_other_sessions_keep_what_is_theirs(archive: Archive) -> None:
    old, young = await archive.add(), await archive.add(YOUNG)
    await archive.retention.prune()
    assert (await archive.left_of(old), await archive.left_of(young)) == (set(), WHOLE)


async def test_dead_letters_of_no_session_go_by_their_own_age(archive: Archive) -> None:
    letters = DeadLetterStore(archive.database)
    for _ in range(2):
        await letters.keep(letter(SessionId("none"), TaskId("none")))
    (first, _) = await archive.rows("dead_letters")
    await archive.age("dead_letters", "storedAt", OLD, _id=first["_id"])
    await archive.retention.prune()
    assert [row["_id"] == first["_id"] for row in await archive.rows("dead_letters")] == [False]


async def test_one_that_died_again_lately_is_a_young_one(archive: Archive) -> None:
    letters, again = DeadLetterStore(archive.database), letter(SessionId("none"), TaskId("none"))
    await letters.keep(again)
    await archive.age("dead_letters", "storedAt", OLD)
    await letters.keep(again)
    await archive.retention.prune()
    assert len(await archive.rows("dead_letters")) == 1


# ── what is kept of it ───────────────────────────────────────────────────────────────────────────────────


async def test_what_it_cost_stays_on_record_and_is_counted_once(archive: Archive) -> None:
    session_id = await archive.add()
    before = counted("ekiden_sessions_pruned_total"), counted("ekiden_pruned_cost_usd_total")
    with capture_logs() as logs:
        await archive.retention.prune()
        await archive.retention.prune()

    (note,) = await archive.rows("pruned")
    assert (note["_id"], note["spent"], "left" in note) == (session_id, COST, False)
    assert counted("ekiden_sessions_pruned_total") == before[0] + 1
    assert counted("ekiden_pruned_cost_usd_total") == pytest.approx(before[1] + COST / 1_000_000)
    assert [entry["session_id"] for entry in logs if entry["event"] == "session_pruned"] == [session_id]


# ── crashes and others ───────────────────────────────────────────────────────────────────────────────────


class Dies(PruningStore):
    """Dies before one of its steps."""

    def __init__(self, database: Database, at: str) -> None:
        super().__init__(database)

        async def dies(*_: object) -> Any:
            raise KeyboardInterrupt

        setattr(self, at, dies)


@pytest.mark.parametrize("at", ["remove_session", "remove_what_is_left"])
async def test_a_pruning_that_was_cut_off_is_finished_by_whoever_comes_next(archive: Archive, at: str) -> None:
    session_id = await archive.add()
    with pytest.raises(KeyboardInterrupt):
        await Retention(Dies(archive.database, at), archive.database.clock, KEEP).prune()
    assert await archive.left_of(session_id) >= {"tasks", "drafts"}
    await Sweep(archive.relay.sessions, archive.relay.tasks, archive.relay, archive.database.clock).sweep()

    await archive.age("pruned", "prunedAt", 2 * retention.INTERRUPTED_AFTER)
    await archive.retention.prune()

    assert await archive.left_of(session_id) == set()
    assert await archive.rows("pruned", left=True) == []


async def test_one_that_a_person_sets_going_again_in_between_stays(archive: Archive) -> None:
    session_id = await archive.add()

    class Revived(PruningStore):
        async def note(self, ended: Ended, now: datetime) -> None:
            await super().note(ended, now)
            await archive.relay.say(session_id, lambda _: RestartPhase(now, 1))

    await Retention(Revived(archive.database), archive.database.clock, KEEP).prune()

    session = await archive.relay.sessions.load(session_id)
    assert session is not None
    assert session.status is Status.THINKING
    assert await archive.left_of(session_id) == WHOLE
    assert await archive.rows("pruned") == []


async def test_two_orchestrators_prune_each_session_once(archive: Archive) -> None:
    sessions = [await archive.add() for _ in range(5)]
    before = counted("ekiden_sessions_pruned_total")
    await asyncio.gather(*(archive.retention.prune() for _ in range(4)))
    assert [await archive.left_of(session_id) for session_id in sessions] == [set()] * 5
    assert counted("ekiden_sessions_pruned_total") == before + 5


async def test_more_than_a_batch_is_pruned_batch_by_batch(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(3):
        await archive.add()
    assert await archive.retention.prune() == BREATH_SECONDS
    assert len(await archive.rows("sessions")) == 1
    assert await archive.retention.prune() == PASS_SECONDS
    assert await archive.rows("sessions") == []


# ── what comes late ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_result_that_comes_for_a_pruned_session_changes_nothing(archive: Archive) -> None:
    """Its worker was cut off from the database for a month, and still tries to save."""
    session_id = await archive.add()
    task = TaskName(session_id, HERE, 1, 0).id
    worker = MongoLedger(archive.database, "one", Provider.GPT, cache_seconds=0)
    claim = await worker.claim(task)
    assert claim is not None
    await archive.retention.prune()

    saved = await worker.complete(claim, Completed({}, None, Usage(billed=COST)))

    assert saved is Saved.KNOWN
    assert await archive.relay.look(session_id) is None
    assert await archive.left_of(session_id) == set()


async def test_every_query_of_a_pass_uses_an_index(archive: Archive) -> None:
    for _ in range(3):
        await archive.add(YOUNG)
    moment = archive.database.clock.now()
    queries = {
        "sessions": {
            "finishedAt": {"$gt": datetime(1970, 1, 1, tzinfo=moment.tzinfo), "$lt": moment},
            "status": {"$in": ["COMPLETED", "FAILED", "CANCELLED"]},
            "reserved.0": {"$exists": False},
        },
        "pruned": {"left": True, "prunedAt": {"$lt": moment}},
        "dead_letters": {"storedAt": {"$lt": moment}},
        "tasks": {"sessionId": "x"},
        "drafts": {"session": "x"},
    }
    for name, query in queries.items():
        plan = await archive.database.journaled(name).find(query).explain()
        assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"]), name
