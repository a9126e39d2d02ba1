"""Dead letters, kept where they can be looked at without touching them: reading them on the broker would count them.

Kept until somebody drops them, for a month after they were replayed, or for as long as sessions are (retention).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument

from ekiden.clock import Clock
from ekiden.messages.dead_letter import DeadLetter
from ekiden.store import lists
from ekiden.store.database import Database, Document, away

REPLAYING_MS = 30_000
"""Longer than a publish may take: a process that died while it replayed keeps nobody else from it for longer."""
_OPEN: Mapping[str, object] = {"replayedAt": None}


class DeadLetterStore:
    """All writes are journaled: the broker lets go of a letter when it is here."""

    def __init__(self, database: Database) -> None:
        self._letters = database.journaled("dead_letters")
        self._clock: Clock = database.clock

    async def keep(self, letter: DeadLetter) -> bool:
        """Store a letter and say whether it is a new one. Raises Unreachable.

        One that was replayed already comes back to the list: the same message has died again.
        """
        now = self._clock.now()
        changed = {"$set": {"storedAt": now}, "$unset": {"replayedAt": ""}}
        with away():
            written = await self._letters.update_one(
                {"_id": letter.id}, {"$setOnInsert": _document(letter, now), **changed}, upsert=True
            )
        return written.upserted_id is not None

    async def page(
        self, filters: Mapping[str, object], behind: lists.Place | None, limit: int, *, replayed: bool = False
    ) -> list[Document]:
        """Letters without their bodies, the latest death first; with `replayed` also those sent again."""
        wanted = filters if replayed else {**filters, **_OPEN}
        return await lists.page(self._letters, wanted, behind, limit, by="diedAt", hidden=("body",))

    async def one(self, letter_id: str) -> Document | None:
        with away():
            return await self._letters.find_one({"_id": letter_id})

    async def begin_replay(self, letter_id: str) -> Document | None:
        """Take a letter for a replay, before it is sent: of two at once only one gets it. Raises Unreachable."""
        expired = {"$lt": ["$replayingAt", {"$subtract": ["$$NOW", REPLAYING_MS]}]}
        free = {"$or": [{"replayingAt": None}, {"$expr": expired}]}
        with away():
            return await self._letters.find_one_and_update(
                {"_id": letter_id, **_OPEN, **free},
                [{"$set": {"replayingAt": "$$NOW"}}],
                return_document=ReturnDocument.AFTER,
            )

    async def end_replay(self, letter_id: str, *, sent: bool) -> Document | None:
        """Mark a letter as replayed, or give it back as it was. Raises Unreachable."""
        changed = {"replayingAt": "$$REMOVE", **({"replayedAt": "$$NOW"} if sent else {})}
        with away():
            return await self._letters.find_one_and_update(
                {"_id": letter_id}, [{"$set": changed}], return_document=ReturnDocument.AFTER
            )

    async def drop(self, filters: Mapping[str, object]) -> int:
        """Delete letters, and say how many. Raises Unreachable."""
        with away():
            return (await self._letters.delete_many(dict(filters))).deleted_count

    async def count(self) -> int:
        """How many wait for somebody. Raises Unreachable."""
        with away():
            return await self._letters.count_documents(dict(_OPEN))


def letter_of(document: Mapping[str, Any]) -> DeadLetter:
    """A stored letter as it was."""
    return DeadLetter(
        queue=document["queue"],
        exchange=document["exchange"],
        routing_key=document["routingKey"],
        reason=document["reason"],
        error=document["error"],
        body=bytes(document["body"]),
        size=document["size"],
        deaths=document["deaths"],
        died_at=document["diedAt"],
        message_id=document["messageId"],
        type=document["type"],
        content_type=document["contentType"],
        headers={header["name"]: header["value"] for header in document["headers"]},
    )


def _document(letter: DeadLetter, now: datetime) -> Document:
    session, task = letter.about()
    return {
        "queue": letter.queue,
        "exchange": letter.exchange,
        "routingKey": letter.routing_key,
        "reason": letter.reason,
        "error": letter.error,
        "body": letter.body,
        "size": letter.size,
        "truncated": letter.truncated,
        "deaths": letter.deaths,
        "diedAt": letter.died_at or now,
        "messageId": letter.message_id,
        "type": letter.type,
        "contentType": letter.content_type,
        # A list: a header's name may be one that no field can have.
        "headers": [{"name": name, "value": value} for name, value in letter.headers.items()],
        "sessionId": session,
        "taskId": task,
    }
