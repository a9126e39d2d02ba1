"""The session store on a database: compare-and-set by version, one history entry for each, and a limit to growth."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings

from ekiden.domain.ids import Micros, Position, SessionId, Step
from ekiden.domain.messages import Look, Pause, Start
from ekiden.domain.progress import Decision, Event, Verdict
from ekiden.domain.session import Money, Session, Status, StepState
from ekiden.errors import DocumentTooLarge
from ekiden.store.database import Database, Document
from ekiden.store.drafts import DraftStore
from ekiden.store.schema import ensure_schema
from ekiden.store.sessions import LARGEST_BYTES, Idempotency, SessionStore
from ekiden.workflow.drafts import Draft
from tests.contract.test_session_store_document import sessions

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DIFFICULT = {"$ref": "#/$defs/x", "a.b": "$status", "list": [{"$set": 1}]}


@pytest.fixture
def store(database: Database) -> SessionStore:
    return SessionStore(database)


async def new(store: SessionStore, owner: str = "me") -> Session:
    made = Session(SessionId(f"ses_{uuid4().hex}"), owner, "w@1", {}, "en", NOW, Money(Micros(10)))
    assert await store.create(made)
    return made


def step(session: Session, result: object, event: str = "Moved", status: Status = Status.THINKING) -> Decision:
    position = Position(1, Step.THINK)
    moved = replace(session, status=status, position=position, steps={"1T": StepState(result=result)})
    return Decision(Verdict.MOVED, moved, events=(Event(event),))


async def history(store: SessionStore, session: Session) -> list[Document]:
    document = await store.document(session.id)
    assert document is not None
    return document["history"]


async def test_a_session_is_created_once(store: SessionStore) -> None:
    session = await new(store)

    assert not await store.create(replace(session, owner="somebody else"))
    loaded = await store.load(session.id)
    assert loaded == replace(session, moved_at=NOW)
    assert await store.load(SessionId("ses_" + "f" * 32)) is None


async def test_a_session_that_begins_at_once_is_stored_as_one_that_was_created_and_then_started(
    database: Database, store: SessionStore
) -> None:
    at_once = Session(SessionId(f"ses_{uuid4().hex}"), "me", "w@1", {}, "en", NOW, Money(Micros(10)))
    one_by_one = await new(store)
    started = await store.apply(one_by_one, step(one_by_one, None, "Started"), Start(NOW))

    begun = await store.begin(at_once, step(at_once, None, "Started"), Start(NOW))

    assert started is not None
    assert begun == replace(started, id=at_once.id)
    documents = [await store.document(session.id) for session in (one_by_one, at_once)]
    expected, found = ({**(document or {}), "_id": "", "movedAt": None, "moveId": None} for document in documents)
    assert found == expected
    stored = await store.load(at_once.id)
    assert stored is not None
    assert stored.moved_at not in (None, NOW)  # the database's time, not the caller's


async def test_of_two_that_begin_under_one_key_one_is_stored(store: SessionStore, database: Database) -> None:
    await ensure_schema(database)
    owner, known_as = uuid4().hex, Idempotency("once", "the same")
    twins = [Session(SessionId(f"ses_{uuid4().hex}"), owner, "w@1", {}, "en", NOW, Money(Micros(10))) for _ in range(2)]

    begun = await asyncio.gather(*(store.begin(twin, step(twin, None), Start(NOW), known_as) for twin in twins))

    (stored,) = [session for session in begun if session is not None]
    assert await store.created_under(owner, "once") == (stored.id, known_as)
    assert await database.journaled("sessions").count_documents({"owner": owner}) == 1


async def test_a_decision_is_written_to_the_version_it_was_made_from_only(store: SessionStore) -> None:
    session = await new(store)
    first = await store.apply(session, step(session, "first"), Pause(NOW))

    second = await store.apply(session, step(session, "second"), Pause(NOW))

    assert first is not None
    assert (first.version, second) == (1, None)
    loaded = await store.load(session.id)
    assert loaded is not None
    assert loaded.results == {"1T": "first"}


async def test_a_decision_is_not_written_over_another_session_of_the_same_version(
    database: Database, store: SessionStore
) -> None:
    """A restored database counts the same versions again."""
    session = await new(store)
    backup = await store.document(session.id)
    before = await store.apply(session, step(session, "before the restore"), Pause(NOW))
    assert before is not None
    assert backup is not None
    await database.journaled("sessions").replace_one({"_id": session.id}, backup)
    after = await store.apply(session, step(session, "after it"), Pause(NOW))
    assert after is not None
    assert after.version == before.version

    assert await store.apply(before, step(before, "of the copy from before"), Pause(NOW)) is None

    assert (await store.is_unmoved(before), await store.is_unmoved(after)) == (False, True)
    loaded = await store.load(session.id)
    assert loaded is not None
    assert loaded.results == {"1T": "after it"}


async def test_a_session_that_an_older_version_wrote_is_moved_on(database: Database, store: SessionStore) -> None:
    session = await new(store)
    await database.journaled("sessions").update_one({"_id": session.id}, {"$unset": {"moveId": ""}})

    moved = await store.apply(session, step(session, "first"), Pause(NOW))
    assert moved is not None
    await database.journaled("sessions").update_one({"_id": session.id}, {"$inc": {"version": 1}})  # it knows no more
    loaded = await store.load(session.id)
    assert loaded is not None

    assert await store.apply(loaded, step(loaded, "second"), Pause(NOW)) is not None


async def test_after_a_lost_reply_the_same_write_changes_nothing(store: SessionStore) -> None:
    session = await new(store)
    decision = step(session, "first")
    assert await store.apply(session, decision, Pause(NOW))
    once = await store.document(session.id)

    assert await store.apply(session, decision, Pause(NOW)) is None

    assert await store.document(session.id) == once
    assert [entry["version"] for entry in await history(store, session)] == [0, 1]


async def test_of_twenty_movers_at_once_each_transition_happens_once(store: SessionStore) -> None:
    session, numbers = await new(store), count()
    moves = 5

    async def mover() -> None:
        for _ in range(moves):
            event = f"Event {next(numbers)}"
            while True:
                loaded = await store.load(session.id)
                assert loaded is not None
                if await store.apply(loaded, step(loaded, event, event), Look(NOW, {})) is not None:
                    break

    await asyncio.gather(*(mover() for _ in range(20)))

    entries = await history(store, session)
    events = [event["type"] for entry in entries for event in entry["events"]]
    assert [entry["version"] for entry in entries] == list(range(20 * moves + 1))
    assert len(events) == len(set(events)) == 20 * moves + 1
    loaded = await store.load(session.id)
    assert loaded is not None
    assert loaded.version == 20 * moves


async def test_a_history_entry_says_what_caused_it_and_where_the_session_stands(store: SessionStore) -> None:
    session = await new(store)
    await store.apply(session, step(session, "first"), Pause(NOW))

    entry = (await history(store, session))[-1]

    assert entry == {
        "version": 1,
        "at": NOW,
        "cause": "Pause",
        "status": "THINKING",
        "waitingReason": None,
        "phase": 1,
        "step": "THINK",
        "events": [{"type": "Moved", "phase": None, "step": None, "detail": ""}],
    }


async def test_a_session_does_not_grow_past_its_limit(store: SessionStore) -> None:
    session = await new(store)
    big = step(session, "x" * (LARGEST_BYTES // 2))
    grown = await store.apply(session, big, Pause(NOW))
    assert grown is not None

    with pytest.raises(DocumentTooLarge):
        await store.apply(grown, step(grown, "y" * (LARGEST_BYTES // 2)), Pause(NOW))

    assert [entry["version"] for entry in await history(store, session)] == [0, 1]
    assert await store.apply(grown, step(grown, "small"), Pause(NOW))


async def test_results_with_the_databases_own_words_come_back(store: SessionStore) -> None:
    session = await new(store)
    await store.apply(session, step(session, DIFFICULT), Pause(NOW))

    loaded = await store.load(session.id)

    assert loaded is not None
    assert loaded.results == {"1T": DIFFICULT}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=sessions, after=sessions)
async def test_whatever_is_decided_is_read_back(store: SessionStore, before: Session, after: Session) -> None:
    before = replace(before, id=SessionId(f"ses_{uuid4().hex}"))
    await store.create(before)
    after = replace(after, id=before.id, created_at=before.created_at, steps={**before.steps, **after.steps})

    written = await store.apply(before, Decision(Verdict.MOVED, after), Pause(NOW))

    loaded = await store.load(before.id)
    assert written is not None
    assert loaded is not None
    assert replace(loaded, moved_at=None) == written


async def test_sessions_are_found_by_when_they_moved_and_by_their_retry(database: Database) -> None:
    store = SessionStore(database)
    session = await new(store)
    began = database.clock.now()
    waiting = replace(step(session, None).session, status=Status.WAITING, next_retry_at=NOW)
    await store.apply(session, Decision(Verdict.MOVED, waiting), Pause(NOW))

    far = datetime(2200, 1, 1, tzinfo=UTC)
    moved = [found.id async for found in store.moved_between(began.replace(year=began.year - 1), far)]
    assert session.id in moved
    assert session.id in await store.retries_due(NOW)
    assert session.id not in await store.retries_due(datetime(2026, 1, 1, tzinfo=UTC))
    assert await store.next_retry(datetime(2026, 1, 1, tzinfo=UTC)) is not None
    assert session.id in await store.moving()
    assert [found.id for found in await store.loaded([session.id])] == [session.id]


async def test_drafts_created_twice_keep_what_a_person_made_of_them(database: Database) -> None:
    store = DraftStore(database)
    session = SessionId(f"ses_{uuid4().hex}")
    drafts = [Draft(f"{session}.g1.{n}", session, n, {"title": f"Title {n}"}, ()) for n in (1, 2)]
    await store.create(drafts, NOW, simulated=False)
    await store.edit(drafts[0].id, {"editedContent": "mine", "status": "EDITED"}, NOW, revision=0)

    await store.create(drafts, NOW, simulated=False)

    first, second = await store.of_session(session)
    assert (first["editedContent"], first["status"], first["fields"]) == ("mine", "EDITED", {"title": "Title 1"})
    assert (second["editedContent"], second["status"]) == (None, "DRAFT")
