"""Group commit: concurrent calls of one process share a round trip to the database (ADR 11)."""

from collections.abc import Mapping, Sequence
from itertools import count
from os import urandom

from pymongo import UpdateOne

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
        self._marks = count(int.from_bytes(urandom(4)) >> 1 << 32)
        self._group = Group(self._write, turn)

    async def __call__(self, query: Document, change: list[Document] | Document) -> bool:
        """`query` names one document by its `_id`. Raises Unreachable, and what else the driver raises."""
        return await self._group((query, change))

    async def _write(self, asked: Sequence[tuple[Document, list[Document] | Document]]) -> list[bool]:
        if len(asked) == 1:
            query, change = asked[0]
            return [(await self._collection.update_one(query, change)).matched_count == 1]
        marks = [next(self._marks) for _ in asked]
        marked = [UpdateOne(query, _marked(change, mark)) for (query, change), mark in zip(asked, marks, strict=True)]
        done = await self._collection.bulk_write(marked, ordered=False)
        if done.matched_count == len(asked):
            return [True] * len(asked)
        found = self._collection.find({"_id": {"$in": [query["_id"] for query, _ in asked]}}, {"mark": 1})
        left = {row["_id"]: row.get("mark") async for row in found}
        return [left.get(query["_id"]) == mark for (query, _), mark in zip(asked, marks, strict=True)]


def _marked(change: list[Document] | Document, mark: int) -> list[Document] | Document:
    if isinstance(change, list):
        return [*change, {"$set": {"mark": mark}}]
    sets: Mapping[str, object] = change.get("$set", {})
    return change | {"$set": {**sets, "mark": mark}}
