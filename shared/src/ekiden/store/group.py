"""Group commit: concurrent calls of one process share a round trip, while each of them still stands alone.

A call never waits for company, only for its turn (`turn`). When no trip is under way it leaves at once, together with
what else is asked for in the same pass of the event loop; what comes meanwhile leaves with the next trip. So durability
costs latency once for all who want it at the same time, and the database is asked a fiftieth as often under load.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from os import urandom
from typing import Generic, TypeVar

from pymongo import UpdateOne

from ekiden.errors import Unreachable
from ekiden.store.database import Collection, Document, away
from ekiden.store.turn import Turn

MOST_TOGETHER = 64
"""As many as a worker has tasks in flight. A round trip of so many takes a few milliseconds."""

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Group(Generic[Asked, Answer]):
    """Calls `trip` with what several callers ask, in order; it returns an answer for each, in the same order.

    An error that is not Unreachable may be the fault of one of them: then each is asked alone.
    """

    def __init__(self, trip: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer]]], turn: Turn) -> None:
        self._trip = trip
        self._turn = turn
        self._waiting: list[tuple[Asked, asyncio.Future[Answer]]] = []
        self._travelling: asyncio.Task[None] | None = None

    async def __call__(self, asked: Asked) -> Answer:
        """Raises Unreachable, and what else the trip raises. Whoever is cancelled may have been heard all the same."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if self._travelling is None:
            self._travelling = asyncio.create_task(self._travel())
        return await answer

    async def _travel(self) -> None:
        try:
            while self._waiting:
                async with self._turn.taken():
                    together, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
                    await self._carry(together)
        finally:
            self._travelling = None

    async def _carry(self, together: Sequence[tuple[Asked, "asyncio.Future[Answer]"]]) -> None:
        try:
            with away():
                answers = await self._trip([asked for asked, _ in together])
        except Unreachable as error:
            for _, answer in together:
                _fail(answer, Unreachable(*error.args))
        except Exception as error:
            if len(together) == 1:
                _fail(together[0][1], error)
            else:
                for alone in together:
                    await self._carry([alone])
        except BaseException:  # the process ends: nobody may wait for ever
            for _, answer in together:
                answer.cancel()
            raise
        else:
            for (_, future), answer in zip(together, answers, strict=True):
                if not future.done():
                    future.set_result(answer)


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


def _fail(answer: "asyncio.Future[Answer]", error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
