"""Writes that share a round trip on the real database: each is told about itself, whatever became of the others."""

import asyncio
from datetime import UTC
from typing import Any
from uuid import uuid4

import pytest
from pymongo import ASCENDING, IndexModel
from pymongo.errors import AutoReconnect, NetworkTimeout, WriteError
from pymongo.results import UpdateResult

from ekiden.domain.ids import TaskId
from ekiden.errors import Unreachable
from ekiden.store.database import Collection, Database, Document
from ekiden.store.group import KeyedUpdates, Updates
from ekiden.store.inserts import Inserts
from ekiden.worker.ledger import Completed, Saved, Usage
from tests.contract.ledger_contract import ASK, RESEND, answer
from tests.integration.mongo_lab import MongoLab

TOGETHER = 20


@pytest.fixture
async def numbered(database: Database) -> list[str]:
    names = [uuid4().hex for _ in range(TOGETHER)]
    await database.journaled("numbered").insert_many([{"_id": name, "n": n} for n, name in enumerate(names)])
    return names


def raised(by: int, *, pipeline: bool) -> Document | list[Document]:
    return [{"$set": {"n": {"$add": ["$n", by]}}}] if pipeline else {"$inc": {"n": by}}


@pytest.mark.parametrize("pipeline", [True, False])
async def test_of_many_updates_each_is_told_whether_it_was_made(
    database: Database, numbered: list[str], *, pipeline: bool
) -> None:
    collection = database.journaled("numbered")
    update = Updates(collection, database.writing)
    even = [{"_id": name, "n": {"$mod": [2, 0]}} for name in numbered]

    made = await asyncio.gather(*(update(query, raised(100, pipeline=pipeline)) for query in even))

    assert made == [n % 2 == 0 for n in range(TOGETHER)]
    found = {row["_id"]: row["n"] async for row in collection.find({"_id": {"$in": numbered}})}
    assert [found[name] for name in numbered] == [n + 100 * (n % 2 == 0) for n in range(TOGETHER)]


async def test_of_two_that_want_the_same_document_one_is_told_yes(database: Database, numbered: list[str]) -> None:
    update = Updates(database.journaled("numbered"), database.writing)
    first_come = [{"_id": numbered[0], "n": 0}] * TOGETHER

    made = await asyncio.gather(*(update(query, {"$set": {"n": -n - 1}}) for n, query in enumerate(first_come)))

    assert sum(made) == 1
    (left,) = await database.journaled("numbered").find({"_id": numbered[0]}).to_list()
    assert left["n"] == -made.index(True) - 1


class Flaky:
    """A collection whose reply to a write for many is lost once: the write is made, and the caller hears an error."""

    def __init__(self, collection: Collection, lost: AutoReconnect) -> None:
        self._collection = collection
        self._lost: AutoReconnect | None = lost

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    async def update_many(self, query: Document, change: list[Document]) -> UpdateResult:
        done = await self._collection.update_many(query, change)
        lost, self._lost = self._lost, None
        if lost is not None:
            raise lost
        return done


def adding(collection: Any, database: Database) -> KeyedUpdates:
    """Adds to each `n` that is not above ten."""
    pipeline = [{"$set": {"n": {"$add": ["$n", "$mine.by"]}, "note": "$mine.note"}}]
    return KeyedUpdates(collection, database.writing, {"n": {"$lte": 10}}, pipeline)


@pytest.mark.parametrize("size", [1, TOGETHER])
async def test_of_many_keyed_updates_each_is_made_with_its_own_values(
    database: Database, numbered: list[str], size: int
) -> None:
    collection = database.journaled("numbered")
    update, names = adding(collection, database), numbered[:size]
    given = [{"by": 100 + n, "note": {"$n": n, "a.b": []}} for n in range(size)]

    made = await asyncio.gather(*map(update, names, given))

    assert made == [n <= 10 for n in range(size)]
    found = {row.pop("_id"): row async for row in collection.find({"_id": {"$in": names}}, {"mark": 0})}
    assert [found[name] for name in names] == [
        {"n": 100 + 2 * n, "note": {"$n": n, "a.b": []}} if n <= 10 else {"n": n} for n in range(size)
    ]


async def test_of_two_keyed_updates_of_one_document_the_first_is_made(database: Database, numbered: list[str]) -> None:
    update = adding(database.journaled("numbered"), database)
    twice = [numbered[0], *numbered[:5], numbered[0]]

    made = await asyncio.gather(*(update(name, {"by": 1, "note": n}) for n, name in enumerate(twice)))

    assert made == [True, False, *[True] * 4, False]
    (first,) = await database.journaled("numbered").find({"_id": numbered[0]}).to_list()
    assert (first["n"], first["note"]) == (1, 0)


async def test_keyed_updates_whose_reply_is_lost_are_made_once_and_told_so(
    database: Database, numbered: list[str]
) -> None:
    collection = database.journaled("numbered")
    update = adding(Flaky(collection, AutoReconnect("connection closed")), database)

    made = await asyncio.gather(*(update(name, {"by": 100, "note": ""}) for name in numbered))

    assert made == [n <= 10 for n in range(TOGETHER)]
    found = {row["_id"]: row["n"] async for row in collection.find({"_id": {"$in": numbered}})}
    assert [found[name] for name in numbered] == [n + 100 * (n <= 10) for n in range(TOGETHER)]


async def test_keyed_updates_that_wait_too_long_are_not_asked_again(database: Database, numbered: list[str]) -> None:
    flaky = Flaky(database.journaled("numbered"), NetworkTimeout("timed out"))
    update = adding(flaky, database)

    asked = (update(name, {"by": 100, "note": ""}) for name in numbered)
    answers = await asyncio.gather(*asked, return_exceptions=True)

    assert {type(answer) for answer in answers} == {Unreachable}


async def test_of_many_workers_that_claim_the_same_tasks_at_once_each_task_has_one(database: Database) -> None:
    lab = MongoLab(database)
    tasks = [await lab.order(policy=RESEND) for _ in range(TOGETHER)]
    workers = [lab.worker(f"w{n}") for n in range(3)]

    claims = await asyncio.gather(*(worker.claim(task) for task in tasks for worker in workers))

    won = [claim.task_id for claim in claims if claim is not None]
    assert sorted(won) == sorted(tasks)
    views = [await lab.view(task) for task in tasks]
    assert {(view.status, tuple(view.outcomes)) for view in views} == {("PROCESSING", ("pending",))}


async def test_a_claim_whose_reply_was_lost_is_taken_up_among_new_ones(database: Database) -> None:
    """The database says that it is ours, and nothing was sent by it: its lease begins anew, and nobody else is hurt."""
    lab = MongoLab(database)
    tasks = [await lab.order(policy=ASK) for _ in range(TOGETHER)]
    worker = lab.worker("one")
    first = await worker.claim(tasks[0])
    assert first is not None
    forgetful = lab.worker("one")

    claims = await asyncio.gather(*(forgetful.claim(task) for task in tasks))

    assert [claim.task_id if claim else None for claim in claims] == list(tasks)
    assert claims[0] is not None
    assert claims[0].epoch == first.epoch


async def test_answers_that_are_saved_together_are_each_saved(database: Database) -> None:
    lab = MongoLab(database)
    tasks: list[TaskId] = [await lab.order(policy=RESEND) for _ in range(TOGETHER)]
    worker, other = lab.worker("one"), lab.worker("two")
    claims = [claim for claim in await asyncio.gather(*map(worker.claim, tasks)) if claim is not None]
    late = claims[0]
    await worker.complete(late, answer())

    saved = await asyncio.gather(*((other if claim is late else worker).complete(claim, answer()) for claim in claims))

    assert [came.name for came in saved] == ["KNOWN"] + ["DECIDED"] * (TOGETHER - 1)
    assert {(await lab.view(task)).status for task in tasks} == {"COMPLETED"}


async def test_answers_that_do_not_fit_into_one_message_are_each_saved(database: Database) -> None:
    """One is too deep to be stored, and all together are more than a statement may hold."""
    lab, deep = MongoLab(database), {}
    for _ in range(200):
        deep = {"deeper": deep}
    worker = lab.worker("one")
    claims = [await worker.claim(await lab.order(policy=RESEND)) for _ in range(TOGETHER)]
    answers = [Completed({"text": "x" * 1_000_000}, {}, Usage())] * (TOGETHER - 1) + [Completed(deep, {}, Usage())]

    saved = await asyncio.gather(
        *(worker.complete(claim, answer) for claim, answer in zip(claims, answers, strict=True) if claim is not None),
        return_exceptions=True,
    )

    assert saved[:-1] == [Saved.DECIDED] * (TOGETHER - 1)
    assert isinstance(saved[-1], Exception)
    assert [(await lab.view(claim.task_id)).status for claim in claims if claim is not None] == [
        *["COMPLETED"] * (TOGETHER - 1),
        "PROCESSING",
    ]


@pytest.mark.parametrize("stamped", [None, "movedAt"])
async def test_of_many_inserts_each_is_told_whether_it_was_new(database: Database, stamped: str | None) -> None:
    collection = database.journaled("inserted")
    await collection.create_indexes([IndexModel([("key", ASCENDING)], unique=True)])
    insert, names = Inserts(collection, database.writing), [uuid4().hex for _ in range(TOGETHER)]
    there = {"_id": names[0], "key": names[0], "movedAt": database.clock.now()}
    assert await insert(there)
    wanted = [{"_id": name, "key": names[2 * (n // 2)], "n": n} for n, name in enumerate(names)]

    new = await asyncio.gather(*(insert(document, stamped=stamped) for document in wanted))

    assert new == [n % 2 == 0 and n > 0 for n in range(TOGETHER)]
    found = {row["_id"]: row async for row in collection.find({"_id": {"$in": names}})}
    assert found.pop(names[0]) == there
    assert {name: row.get("n") for name, row in found.items()} == {names[n]: n for n in range(2, TOGETHER, 2)}
    assert all((stamped in row) == (stamped is not None) for row in found.values())


async def test_an_insert_that_the_database_refuses_is_told_why_and_hurts_no_other(database: Database) -> None:
    collection = database.journaled("inserted")
    insert, names = Inserts(collection, database.writing), [uuid4().hex for _ in range(TOGETHER)]
    refused = {"_id": ["an id cannot be a list"], "key": uuid4().hex}

    answers = await asyncio.gather(
        *(insert({"_id": name, "key": name}) for name in names), insert(refused), return_exceptions=True
    )

    assert answers[:-1] == [True] * TOGETHER
    assert isinstance(answers[-1], WriteError)
    assert await collection.count_documents({"_id": {"$in": names}}) == TOGETHER


async def test_a_stamped_insert_has_the_database_s_time(database: Database) -> None:
    collection = database.journaled("stamped")
    name = uuid4().hex
    hello = (await database.command("hello"))["localTime"].replace(tzinfo=UTC)

    assert await Inserts(collection, database.writing)({"_id": name}, stamped="movedAt")

    (found,) = await collection.find({"_id": name}).to_list()
    assert hello <= found["movedAt"] <= (await database.command("hello"))["localTime"].replace(tzinfo=UTC)
