"""Sessions moved from memory, on a real database: what somebody else has made of them meanwhile always counts."""

from dataclasses import dataclass, field, replace
from uuid import uuid4

import pytest

from ekiden.domain.ids import Micros, SessionId, TaskId
from ekiden.domain.messages import Cancel, Look, Message, Pause, Start
from ekiden.domain.plan import Provider
from ekiden.domain.progress import Decision, Verdict
from ekiden.domain.session import ACTIVE, Money, Session, Status
from ekiden.errors import Unreachable
from ekiden.metrics import CAS_CONFLICTS
from ekiden.relay import Relay
from ekiden.retry import UnknownOutcome
from ekiden.store.database import Database, Document
from ekiden.store.drafts import DraftStore
from ekiden.store.ledger import MongoLedger
from ekiden.store.remembered import Remembered
from ekiden.store.session_document import from_document, to_document
from ekiden.store.sessions import Actor, Idempotency, SessionStore
from ekiden.store.tasks import TaskStore
from ekiden.store.workflows import WorkflowStore
from ekiden.worker.ledger import Completed, Usage
from tests.contract.test_session_store_document import stored
from tests.fakes.announcer import FakeAnnouncer
from tests.fakes.workflow import ANSWERS, small_package

GPT, SEARCH = Provider.GPT, Provider.PERPLEXITY
POLICIES = {GPT: UnknownOutcome.RESEND, SEARCH: UnknownOutcome.ASK}
COST = Micros(700)
GIVEN: list[object] = [ANSWERS["questions"], {"text": "found"}, ANSWERS["rows"], ANSWERS["note"], ANSWERS["rows"]]
"""What each step of the small workflow is answered."""


class CountingStore(SessionStore):
    """The real one; it counts what it is asked for, and can lose a reply."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.loads = 0
        self.loses_a_reply = False

    async def load(self, session_id: SessionId) -> Session | None:
        self.loads += 1
        return await super().load(session_id)

    async def apply(
        self,
        before: Session,
        decision: Decision,
        message: Message,
        known_as: Idempotency | None = None,
        by: Actor | None = None,
    ) -> Session | None:
        saved = await super().apply(before, decision, message, known_as, by)
        if self.loses_a_reply:
            self.loses_a_reply = False
            raise Unreachable("the reply was lost")
        return saved


@dataclass
class Site:
    """Two orchestrators and a gateway around one session; only the orchestrators remember."""

    database: Database
    sessions: CountingStore
    relay: Relay
    other: Relay
    gateway: Relay
    id: SessionId = field(default_factory=lambda: SessionId(f"ses_{uuid4().hex}"))

    async def start(self, workflow: str) -> None:
        now = self.database.clock.now()
        await self.gateway.sessions.create(
            Session(self.id, "me", workflow, {"theme": "tea"}, "en", now, Money(Micros(10_000_000)))
        )
        await self.gateway.say(self.id, lambda _: Start(now))

    async def session(self) -> Session:
        found = await self.gateway.sessions.load(self.id)
        assert found is not None
        return found

    async def answered(self) -> TaskId:
        """Have a worker do all that the session waits for; the last of its tasks."""
        session = await self.session()
        provider, given = GPT, GIVEN[sum(step.result is not None for step in session.steps.values())]
        if session.status is Status.EXECUTING:
            provider = SEARCH
        worker = MongoLedger(self.database, "one", provider, cache_seconds=0)
        for task in session.waits_for:
            claim = await worker.claim(task)
            assert claim is not None
            await worker.complete(claim, Completed(given, None, Usage(billed=COST)))
        return session.waits_for[-1]

    async def step(self, relay: Relay) -> None:
        assert await relay.task_ended(self.id, await self.answered()) is not None

    async def to_the_last_step(self) -> None:
        for _ in GIVEN[1:]:
            await self.step(self.relay)

    async def said(self, message: Message) -> None:
        await self.gateway.say(self.id, lambda _: message)

    async def document(self) -> Document:
        found = await self.gateway.sessions.document(self.id)
        assert found is not None
        return found

    async def restore(self, document: Document) -> None:
        await self.database.journaled("sessions").replace_one({"_id": self.id}, document)


def conflicts() -> float:
    return next(iter(CAS_CONFLICTS.collect())).samples[0].value


@pytest.fixture
async def site(database: Database) -> Site:
    sessions, workflows = CountingStore(database), WorkflowStore(database, POLICIES)
    parts = TaskStore(database), DraftStore(database), workflows, FakeAnnouncer(), database.clock, POLICIES
    relay, other = Relay(sessions, *parts, Remembered()), Relay(SessionStore(database), *parts, Remembered())
    made = Site(database, sessions, relay, other, Relay(SessionStore(database), *parts))
    await made.start((await workflows.save(small_package())).id)
    return made


async def test_a_session_is_loaded_for_its_first_event_only(site: Site) -> None:
    loads = list[int]()
    for _ in GIVEN:
        await site.step(site.relay)
        loads.append(site.sessions.loads)

    assert (await site.session()).status is Status.COMPLETED
    assert loads == [1] * len(GIVEN)
    assert len(await site.relay.drafts.of_session(site.id)) == 2


async def test_what_is_remembered_is_what_is_stored(site: Site) -> None:
    """Also after nothing but memory has moved it for a while."""
    for _ in GIVEN[1:]:
        await site.step(site.relay)
        loaded, remembered = await site.session(), site.relay.remembered.get(site.id)
        assert remembered is not None
        read_back = from_document(stored(to_document(remembered)))
        assert (read_back, remembered.move_id) == (replace(loaded, moved_at=None), loaded.move_id)

    await site.step(site.relay)

    assert site.relay.remembered.get(site.id) is None, "it is over"


async def test_a_gateway_remembers_nothing(site: Site) -> None:
    assert site.gateway.remembered.get(site.id) is None
    assert (await site.session()).status in ACTIVE


async def test_an_event_finds_a_session_that_another_orchestrator_moved(site: Site) -> None:
    await site.step(site.relay)
    await site.step(site.other)

    await site.step(site.relay)

    session = await site.session()
    assert (session.position.key if session.position else "", session.version) == ("2T", 4)


async def test_two_orchestrators_in_turns_bring_a_session_to_its_end(site: Site) -> None:
    for n in range(len(GIVEN)):
        await site.step((site.relay, site.other)[n % 2])

    assert (await site.session()).status is Status.COMPLETED
    assert len(await site.relay.drafts.of_session(site.id)) == 2


async def test_of_an_event_that_comes_to_both_one_moves_the_session(site: Site) -> None:
    await site.step(site.relay)
    await site.step(site.relay)
    task = await site.answered()
    assert await site.other.task_ended(site.id, task) is not None
    moved, lost = await site.session(), conflicts()

    await site.relay.task_ended(site.id, task)

    assert await site.session() == moved
    assert conflicts() == lost + 1


async def test_a_session_of_the_same_version_in_a_restored_database_is_not_overwritten(site: Site) -> None:
    """It has come to the same number and waits for the same task, but was booked another price on its way there."""
    await site.step(site.relay)
    await site.step(site.relay)
    backup, (task,) = await site.document(), (await site.session()).waits_for
    await site.step(site.relay)
    await site.restore(backup)
    await site.database.journaled("tasks").update_one({"_id": task}, {"$set": {"billed": 2 * COST}})
    assert await site.other.task_ended(site.id, task) is not None
    restored, remembered = await site.session(), site.relay.remembered.get(site.id)
    assert remembered is not None
    assert (restored.version, restored.waits_for) == (remembered.version, remembered.waits_for)

    await site.step(site.relay)

    session = await site.session()
    assert session.version == restored.version + 1
    assert session.money.settled[task] == 2 * COST


async def test_a_session_that_was_paused_since_is_not_moved_on(site: Site) -> None:
    await site.step(site.relay)
    await site.step(site.relay)
    task = await site.answered()
    await site.said(Pause(site.database.clock.now()))

    await site.relay.task_ended(site.id, task)

    session = await site.session()
    assert (session.status, session.waits_for) == (Status.WAITING, (task,))
    assert session.money.reserved == {}, "what was bought is booked all the same"


async def test_of_a_session_that_was_cancelled_since_no_drafts_are_made(site: Site) -> None:
    await site.to_the_last_step()
    task = await site.answered()
    await site.said(Cancel(site.database.clock.now()))

    await site.relay.task_ended(site.id, task)

    assert (await site.session()).status is Status.CANCELLED
    assert await site.relay.drafts.of_session(site.id) == []


async def test_of_a_session_that_is_gone_nothing_is_made(site: Site) -> None:
    await site.to_the_last_step()
    task = await site.answered()
    await site.database.journaled("sessions").delete_one({"_id": site.id})

    assert await site.relay.task_ended(site.id, task) is None

    assert await site.relay.drafts.of_session(site.id) == []
    assert site.relay.remembered.get(site.id) is None


async def test_a_save_whose_reply_was_lost_is_found_done(site: Site) -> None:
    await site.step(site.relay)
    await site.step(site.relay)
    task = await site.answered()
    site.sessions.loses_a_reply = True
    with pytest.raises(Unreachable):
        await site.relay.task_ended(site.id, task)
    saved = await site.session()

    await site.relay.task_ended(site.id, task)

    assert await site.session() == saved
    assert saved.results.keys() == {"1T", "1E", "1I"}


async def test_that_there_is_nothing_to_do_is_said_of_what_is_stored(site: Site) -> None:
    await site.step(site.relay)
    await site.step(site.relay)
    loads, (task,) = site.sessions.loads, (await site.session()).waits_for

    unmoved = await site.relay.task_ended(site.id, task)
    loads_unmoved = site.sessions.loads - loads
    await site.said(Pause(site.database.clock.now()))
    moved = await site.relay.task_ended(site.id, task)

    assert [decision.verdict if decision else None for decision in (unmoved, moved)] == [Verdict.REPEAT] * 2
    assert (loads_unmoved, site.sessions.loads - loads) == (0, 1)


async def test_a_search_of_a_session_that_was_paused_since_is_settled_before_its_siblings_end(site: Site) -> None:
    """Under way they would be waited for: so a copy that says they are under way may not decide that."""
    await site.step(site.relay)
    first, *_ = (await site.session()).waits_for
    worker = MongoLedger(site.database, "one", SEARCH, cache_seconds=0)
    claim = await worker.claim(first)
    assert claim is not None
    await worker.complete(claim, Completed(GIVEN[1], None, Usage(billed=COST)))
    await site.said(Pause(site.database.clock.now()))

    await site.relay.task_ended(site.id, first)

    assert (await site.session()).money.settled[first] == COST


async def test_the_reconciler_reads_the_database(site: Site) -> None:
    await site.step(site.relay)
    await site.step(site.relay)
    await site.answered()
    loads = site.sessions.loads

    assert await site.relay.look(site.id, late_bills=True) is not None

    assert site.sessions.loads == loads + 1
    assert [entry["cause"] for entry in (await site.document())["history"]][-1] == Look.__name__
