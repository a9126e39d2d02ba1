"""Inserts that share a round trip: whoever stores something is told about his own, whatever became of the others."""

import asyncio
from collections.abc import Sequence
from typing import Any

from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError, WriteConcernError, WriteError

from ekiden.store.database import Collection, Document
from ekiden.store.group import Group
from ekiden.turn import Turn

_DUPLICATE = 11000


class Inserts:
    """`insert_one`, many at a time: says of each whether it was new."""

    def __init__(self, collection: Collection, turn: Turn) -> None:
        self._collection = collection
        self._group = Group(self._write, turn)

    async def __call__(self, document: Document, *, stamped: str | None = None) -> bool:
        """False when there is one of its id, or alike in what is unique. Raises Unreachable, and what the driver does.

        `stamped` names a field that gets the database's time; every document that is stored has one.
        """
        answer = await self._group(InsertOne(document) if stamped is None else _stamping(document, stamped))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def all(self, documents: Sequence[Document]) -> Sequence[bool]:
        """The same for several of one caller: they travel together. Raises for the first that could not be stored."""
        return await asyncio.gather(*map(self, documents))

    async def _write(
        self, asked: Sequence[InsertOne[Document] | UpdateOne]
    ) -> Sequence[bool | WriteError | WriteConcernError]:
        """An error of one is its answer: asked again, the others would find what they have stored themselves."""
        try:
            await self._collection.bulk_write(asked, ordered=False)
        except BulkWriteError as error:
            if unsure := error.details["writeConcernErrors"]:
                return [WriteConcernError(*_told(unsure[-1]))] * len(asked)
            wrong = {each["index"]: each for each in error.details["writeErrors"]}
            return [_answer(wrong.get(n)) for n in range(len(asked))]
        return [True] * len(asked)


def _stamping(document: Document, stamped: str) -> UpdateOne:
    """An insert cannot have the server fill in the time, and an upsert that finds nothing is an insert that can."""
    new = {name: value for name, value in document.items() if name != "_id"}
    unstamped = {"_id": document["_id"], stamped: {"$exists": False}}
    return UpdateOne(unstamped, {"$setOnInsert": new, "$currentDate": {stamped: True}}, upsert=True)


def _answer(wrong: Document | None) -> bool | WriteError:
    if wrong is None:
        return True
    return False if wrong["code"] == _DUPLICATE else WriteError(*_told(wrong))


def _told(error: Document) -> tuple[Any, Any, Document]:
    return error["errmsg"], error.get("code"), error
