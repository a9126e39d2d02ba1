"""Group commit: concurrent calls of one process share a round trip to the database (ADR 11)."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from os import urandom

from pymongo import UpdateOne
from pymongo.errors import AutoReconnect

from ekiden.store.database import Collection, Document, away
from ekiden.together import Answer, Asked, Together
from ekiden.turn import Turn


class Group(Together[Asked, Answer]):
    """Trips to the database: when it does not answer, whoever travels hears Unreachable."""

    async def _ask(self, asked: Sequence[Asked]) -> Sequence[Answer]:
        with away():
            return await super()._ask(asked)


class Finds:
    """`find_one` by `_id`, many at a time: what is `shown` of each that is there and is as `having` says."""

    def __init__(
        self, collection: Collection, turn: Turn, shown: Document, having: Mapping[str, object] | None = None
    ) -> None:
        self._collection = collection
        self._shown = shown
        self._having = having or {}
        self._group = Group(self._find, turn)

    async def __call__(self, document_id: str) -> Document | None:
        """Raises Unreachable, and what else the driver raises."""
        return await self._group(document_id)

    async def _find(self, ids: Sequence[str]) -> list[Document | None]:
        found = self._collection.find({"_id": {"$in": ids}, **self._having}, self._shown)
        known = {row["_id"]: row for row in await found.to_list()}
        return [known.get(document_id) for document_id in ids]


class Updates:
    """`update_one`, many at a time: says of each whether its query matched.

    A server before 8.0 tells of a bulk only how many matched. When it was not all of them, those that did are known by
    a mark that each leaves in its document.
    """

    def __init__(self, collection: Collection, turn: Turn) -> None:
        self._collection = collection
        self._marks = _marks()
        self._group = Group(self._write, turn)

    async def __call__(self, query: Document, change: list[Document] | Document) -> bool:
        """`query` names one document by its `_id`. Raises Unreachable, and what else the driver raises."""
        return await self._group((query, change))

    async def _write(self, asked: Sequence[tuple[Document, list[Document] | Document]]) -> Sequence[bool]:
        if len(asked) == 1:
            query, change = asked[0]
            return [(await self._collection.update_one(query, change)).matched_count == 1]
        marks = [(query["_id"], next(self._marks)) for query, _ in asked]
        marked = [
            UpdateOne(query, _marked(change, mark)) for (query, change), (_, mark) in zip(asked, marks, strict=True)
        ]
        done = await self._collection.bulk_write(marked, ordered=False)
        return await _bearing(self._collection, marks, done.matched_count)


class KeyedUpdates:
    """`Updates` that differ in nothing but values: one statement makes them all.

    To parse and plan a statement costs the database as much as to change a document by it (ADR 11). The fields `mine`
    and `mark` are its own. More than a message holds, 16 MB, is written one by one.
    """

    def __init__(self, collection: Collection, turn: Turn, query: Document, pipeline: Sequence[Document]) -> None:
        """What each document was given is `$mine` in the pipeline."""
        self._collection = collection
        self._query, self._pipeline = query, pipeline
        self._marks = _marks()
        self._group = Group(self._write, turn)

    async def __call__(self, document_id: str, given: Document) -> bool:
        """Whether the document matched. Of two calls for one document at the same time the second is told that not.

        Raises Unreachable, and what else the driver raises.
        """
        return await self._group((document_id, given))

    async def _write(self, asked: Sequence[tuple[str, Document]]) -> Sequence[bool]:
        if len(asked) == 1:
            return [(await self._collection.update_one(*self._statement(asked))).matched_count == 1]
        marks = [(document_id, next(self._marks)) for document_id, _ in asked]
        marked = [(name, given | {"mark": mark}) for (_, given), (name, mark) in zip(asked, marks, strict=True)]
        statement = self._statement(marked)
        try:
            done = await self._collection.update_many(*statement)
        except AutoReconnect as error:  # the driver repeats no statement for many: what was done bears its mark
            if error.timeout:
                raise
            done = await self._collection.update_many(*statement)
        return await _bearing(self._collection, marks, done.matched_count)

    def _statement(self, asked: Sequence[tuple[str, Document]]) -> tuple[Document, list[Document]]:
        """The query and the pipeline of an update. Every document finds what it was given behind its `_id`."""
        ids = [document_id for document_id, _ in asked]
        given = {"$literal": [given for _, given in asked]}
        mine = {"$arrayElemAt": [given, {"$indexOfArray": [{"$literal": ids}, "$_id"]}]}
        named, mark = (ids[0], {}) if len(ids) == 1 else ({"$in": ids}, {"mark": "$mine.mark"})
        last = {"$set": {"mine": "$$REMOVE"} | mark}
        return {"_id": named} | self._query, [{"$set": {"mine": mine}}, *self._pipeline, last]


def _marks() -> Iterator[int]:
    return count(int.from_bytes(urandom(4)) >> 1 << 32)


def _marked(change: list[Document] | Document, mark: int) -> list[Document] | Document:
    if isinstance(change, list):
        return [*change, {"$set": {"mark": mark}}]
    sets: Mapping[str, object] = change.get("$set", {})
    return change | {"$set": {**sets, "mark": mark}}


async def _bearing(collection: Collection, marks: Sequence[tuple[str, int]], matched: int) -> Sequence[bool]:
    """Which of these documents bear the mark beside them; the database is asked if not all `matched`."""
    if matched == len(marks):
        return [True] * len(marks)
    found = collection.find({"_id": {"$in": [document_id for document_id, _ in marks]}}, {"mark": 1})
    borne = {row["_id"]: row.get("mark") async for row in found}
    return [borne.get(document_id) == mark for document_id, mark in marks]
