"""Writes that share a round trip on the real database: each is told about itself, whatever became of the others."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from pymongo import ASCENDING, IndexModel
from pymongo.errors import AutoReconnect, NetworkTimeout, OperationFailure, WriteError
from pymongo.results import UpdateResult

from ekiden.domain.ids import TaskId
from ekiden.errors import Unreachable
from ekiden.store.database import Collection, Database, Document
from ekiden.store.group import KeyedUpdates, Updates
from ekiden.store.inserts import Inserts
from ekiden.store.ledger import MongoLedger
from ekiden.worker.ledger import Claim, Completed, Saved, Usage
from tests.contract.ledger_contract import ASK, LEASE_OVER, RESEND, answer, claimed, run_failed
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
    """A collection whose first writes for many fail: the half of each that comes first is made, no more is heard."""

    def __init__(self, collection: Collection, *errors: AutoReconnect) -> None:
        self._collection = collection
        self._errors = list(errors)
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    async def update_many(self, query: Document, change: list[Document]) -> UpdateResult:
        self.asked += 1
        if not self._errors:
            return await self._collection.update_many(query, change)
        ids = query["_id"]["$in"]
        await self._collection.update_many(query | {"_id": {"$in": ids[: len(ids) // 2]}}, change)
        raise self._errors.pop()


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


async def test_keyed_updates_of_which_half_were_made_are_made_once_and_told_so(
    database: Database, numbered: list[str]
) -> None:
    """Five of them stand below eleven in each half, and one beside; what is above ten is never changed."""
    collection, chosen = database.journaled("numbered"), [*range(5), *range(15, 20), *range(5, 15)]
    flaky, names = Flaky(collection, AutoReconnect("connection closed")), [numbered[n] for n in chosen]
    update = adding(flaky, database)

    made = await asyncio.gather(*(update(name, {"by": 100, "note": ""}) for name in names))

    assert made == [n <= 10 for n in chosen]
    found = {row["_id"]: row["n"] async for row in collection.find({"_id": {"$in": names}})}
    assert [found[name] for name in names] == [n + 100 * (n <= 10) for n in chosen]
    assert flaky.asked == 2


@pytest.mark.parametrize(
    ("errors", "asked"),
    [([NetworkTimeout("timed out")], 1), ([AutoReconnect("closed"), AutoReconnect("closed again")], 2)],
    ids=["a timeout is not waited for twice", "the second failure is told"],
)
async def test_keyed_updates_are_not_asked_for_without_end(
    database: Database, numbered: list[str], errors: list[AutoReconnect], asked: int
) -> None:
    flaky = Flaky(database.journaled("numbered"), *errors)
    update = adding(flaky, database)

    each = (update(name, {"by": 100, "note": ""}) for name in numbered)
    answers = await asyncio.gather(*each, return_exceptions=True)

    assert {type(answer) for answer in answers} == {Unreachable}
    assert flaky.asked == asked


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


async def in_every_state(lab: MongoLab, one: MongoLedger) -> list[Claim]:
    """Claims of one worker whose tasks went on in every way there is. To each an answer may come now."""
    two = lab.worker("two")
    early = [await claimed(one, await lab.order(policy=policy)) for policy in (ASK, ASK, RESEND, RESEND)]
    _, given_up, replaced, _ = early
    collected = await lab.order()
    run = await claimed(two, collected)
    await two.submitted(run, "run_1")
    await lab.later(LEASE_OVER)
    await lab.free()
    assert await lab.store.give_up(given_up.task_id)
    await claimed(two, replaced.task_id)
    billed = await claimed(one, collected)
    assert await two.end(run, run_failed(90)) is Saved.BOOKED
    held, abandoned = [await claimed(one, await lab.order()) for _ in range(2)]
    await lab.abandon(abandoned.task_id)
    claims = [*early, billed, held, abandoned]
    found = [(await lab.view(claim.task_id)).status for claim in claims]
    assert found == ["OUTCOME_UNKNOWN", "FAILED", "PROCESSING", "QUEUED", "SUBMITTED", "PROCESSING", "PROCESSING"]
    return claims


async def test_answers_that_are_saved_together_come_to_what_each_comes_to_alone(database: Database) -> None:
    """Whatever has become of their tasks, and each with what is its own."""
    lab, one = MongoLab(database), MongoLab(database).worker("one")
    alone, together = await in_every_state(lab, one), await in_every_state(MongoLab(database), one)
    answers = [answer(100 + n, {"n": n, "$n": [n]}, {"raw.text": n}) for n in range(len(alone))]
    answers[-2] = replace(answers[-2], usage=Usage(billed=None, simulated=True), flags=())

    one_by_one = [await one.complete(*each) for each in zip(alone, answers, strict=True)]
    at_once = await asyncio.gather(*(one.complete(*each) for each in zip(together, answers, strict=True)))

    assert at_once == one_by_one
    assert Counter(at_once) == {Saved.DECIDED: 6, Saved.BOOKED: 1}
    for first, second, given in zip(alone, together, answers, strict=True):
        left = await lab.document(second.task_id)
        assert timeless(left) == timeless(await lab.document(first.task_id))
        assert left["status"] == "FAILED" or left["response"] == given.response


def timeless(document: Mapping[str, Any]) -> Document:
    """What does not differ between two tasks to which the same has happened."""
    names = {"_id", "sessionId", "requestHash", "mark"}
    submissions = [timeless(each) for each in document.get("submissions", ())]
    kept = {k: v for k, v in document.items() if k not in names and not isinstance(v, datetime)}
    return kept | ({"submissions": submissions} if submissions else {})


async def of_many(lab: MongoLab, answers: Sequence[Completed]) -> list[Saved | BaseException]:
    """Save answers to as many new tasks at once; those that were not saved have left their tasks as they were."""
    worker = lab.worker("one")
    claims = [await claimed(worker, await lab.order(policy=RESEND)) for _ in answers]
    each = (worker.complete(claim, answer) for claim, answer in zip(claims, answers, strict=True))
    saved = await asyncio.gather(*each, return_exceptions=True)
    for came, claim, given in zip(saved, claims, answers, strict=True):
        left = await lab.document(claim.task_id)
        expected = ("PROCESSING", None) if isinstance(came, BaseException) else ("COMPLETED", given.result)
        assert (left["status"], left.get("result")) == expected
    return saved


async def test_answers_that_do_not_fit_into_one_statement_are_each_saved(database: Database) -> None:
    big = [answer(n, f"{n}" + "x" * 1_000_000) for n in range(TOGETHER)]

    assert await of_many(MongoLab(database), big) == [Saved.DECIDED] * TOGETHER


async def test_an_answer_that_cannot_be_stored_hurts_no_other(database: Database) -> None:
    deep: Document = {}
    for _ in range(200):
        deep = {"deeper": deep}
    small = [answer(n, f"{n}") for n in range(TOGETHER)]

    saved = await of_many(MongoLab(database), [*small[:7], answer(1, deep), *small[7:]])

    assert isinstance(saved.pop(7), OperationFailure)
    assert saved == [Saved.DECIDED] * TOGETHER


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
