"""The deliveries of webhooks: what is to be sent, when, and how each attempt ended. Also the log that owners read.

A delivery is *derived*: its id is made from what it tells and to whom, so that it is stored once however many
orchestrators look. Sending is at least once: a claim is a time until which nobody else tries, never a lock.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import BulkWriteError

from ekiden.clock import Clock
from ekiden.store import lists
from ekiden.store.database import Database, Document, away
from ekiden.store.schema import BEGINNING_OF_TIME
from ekiden.webhooks.endpoint import Webhook
from ekiden.webhooks.schedule import Answer

CLAIMED_FOR = timedelta(seconds=60)
"""Longer than an attempt may take, with what is written about it: then its sender has died."""
MOST_ATTEMPTS_KEPT = 50
LANES_AT_ONCE = 100
"""Their backlogs are merged as they stand in the index; with more than 200 MongoDB would read and sort them all."""
PINGS_KEPT = timedelta(days=7)
_DUPLICATE_KEY = 11000


class DeliveryStatus(StrEnum):
    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """What is to be told to whom. Without a session it is a ping."""

    id: str
    webhook: Webhook
    kind: str
    body: str
    session_id: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """What goes to one host for one owner. It waits for nothing but itself, however much of it there is."""

    host: str
    owner: str

    def document(self) -> Document:
        return {"host": self.host, "owner": self.owner}


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that one sender tries now. `claim` counts the claims, `failed` the attempts of this round."""

    id: str
    webhook_id: str
    lane: Lane
    body: str
    claim: int
    failed: int


class DeliveryStore:
    """A claim may be lost in a crash, which sends again; everything else is journaled."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._deliveries = database.journaled("deliveries")
        self._claims = database.quick("deliveries")
        self._clock = clock or database.clock

    async def add(self, new: Sequence[NewDelivery]) -> int:
        """Store those that are not stored yet, due at once; answer how many those were. Raises Unreachable."""
        if not new:
            return 0
        now = self._clock.now()
        try:
            with away():
                written = await self._deliveries.insert_many([_document(one, now) for one in new], ordered=False)
        except BulkWriteError as error:
            others = [fault for fault in error.details["writeErrors"] if fault["code"] != _DUPLICATE_KEY]
            if others or error.details["writeConcernErrors"]:
                raise
            return int(error.details["nInserted"])
        return len(written.inserted_ids)

    async def lanes_due(self) -> list[Lane]:
        """The lanes in which something is due. Hops from one to the next over all that waits. Raises Unreachable."""
        with away():
            found = await self._deliveries.distinct("lane", {"lane": {"$gt": {}}, "dueAt": self._due()})
        return [Lane(**row) for row in found]

    async def claim(self, lanes: Collection[Lane]) -> Claimed | None:
        """Take what has been due longest in these, of which there are at most `LANES_AT_ONCE`. Raises Unreachable."""
        until = self._clock.now() + CLAIMED_FOR
        query = {"lane": {"$in": [lane.document() for lane in lanes]}, "dueAt": self._due()}
        with away():
            found = await self._claims.find_one_and_update(
                query,
                {"$set": {"dueAt": until, "claimedUntil": until}, "$inc": {"claim": 1}},
                sort=[("dueAt", 1)],
                return_document=ReturnDocument.AFTER,
            )
        return _claimed(found) if found else None

    async def end(self, claimed: Claimed, answer: Answer, status: DeliveryStatus, why: str = "") -> bool:
        """Note the attempt that ended a delivery. False when another sender has it by now."""
        ended = {"status": status.value, "endedAt": self._clock.now(), "because": why}
        return await self._record(claimed, answer, ended, {"dueAt": "", "claimedUntil": ""})

    async def again(self, claimed: Claimed, answer: Answer, delay_seconds: float) -> bool:
        """Note an attempt that failed, and when the next is due. False when another sender has it by now."""
        due = self._clock.now() + timedelta(seconds=delay_seconds)
        return await self._record(claimed, answer, {"dueAt": due, "failed": claimed.failed + 1}, {"claimedUntil": ""})

    async def give_up(self, claimed: Claimed, why: str) -> None:
        """End a delivery that nobody will take, without an attempt."""
        ended = {"status": DeliveryStatus.FAILED.value, "endedAt": self._clock.now(), "because": why}
        with away():
            await self._deliveries.update_one(
                _as_claimed(claimed), {"$set": ended, "$unset": {"dueAt": "", "claimedUntil": ""}}
            )

    async def forget(self, webhook_id: str) -> None:
        """Delete all of a webhook that is gone. Raises Unreachable."""
        with away():
            await self._deliveries.delete_many({"webhook": webhook_id})

    async def overdue_since(self) -> datetime | None:
        """Since when the first of those is due that nobody has claimed. Raises Unreachable."""
        with away():
            first = await self._deliveries.find_one({"dueAt": self._due()}, {"dueAt": 1}, sort=[("dueAt", 1)])
        return first["dueAt"] if first else None

    def _due(self) -> Document:
        return {"$gt": BEGINNING_OF_TIME, "$lte": self._clock.now()}

    # ── for whoever reads the log ────────────────────────────────────────────────────────────────────────────

    async def page(
        self,
        webhook_id: str,
        statuses: Sequence[DeliveryStatus],
        behind: lists.Place | None,
        limit: int,
    ) -> list[Document]:
        """Newest first, without bodies and attempts."""
        query: Document = {"webhook": webhook_id}
        if statuses:
            query["status"] = {"$in": [status.value for status in statuses]}
        return await lists.page(self._deliveries, query, behind, limit, hidden=("body", "attempts"))

    async def one(self, webhook_id: str, delivery_id: str) -> Document | None:
        with away():
            return await self._deliveries.find_one({"_id": delivery_id, "webhook": webhook_id})

    async def replay(self, webhook_id: str, delivery_id: str) -> Document | None:
        """Begin a new round of attempts now. None when somebody is sending it at this moment, or there is none."""
        now = self._clock.now()
        free = {"$or": [{"claimedUntil": None}, {"claimedUntil": {"$lte": now}}]}
        update = {
            "$set": {"status": DeliveryStatus.PENDING.value, "dueAt": now, "failed": 0, "because": ""},
            "$unset": {"endedAt": ""},
        }
        with away():
            return await self._deliveries.find_one_and_update(
                {"_id": delivery_id, "webhook": webhook_id, **free}, update, return_document=ReturnDocument.AFTER
            )

    async def _record(
        self, claimed: Claimed, answer: Answer, changed: Mapping[str, object], unset: Mapping[str, str]
    ) -> bool:
        attempt = {
            "at": self._clock.now() - timedelta(seconds=answer.seconds),
            "milliseconds": round(answer.seconds * 1000),
            "status": answer.status,
            "error": answer.error,
            "excerpt": answer.excerpt,
        }
        update = {
            "$set": changed,
            "$unset": unset,
            "$push": {"attempts": {"$each": [attempt], "$slice": -MOST_ATTEMPTS_KEPT}},
            "$inc": {"attemptCount": 1},
        }
        with away():
            return (await self._deliveries.update_one(_as_claimed(claimed), update)).matched_count == 1


def _as_claimed(claimed: Claimed) -> Document:
    return {"_id": claimed.id, "claim": claimed.claim, "status": DeliveryStatus.PENDING.value}


def _claimed(document: Mapping[str, Any]) -> Claimed:
    return Claimed(
        id=document["_id"],
        webhook_id=document["webhook"],
        lane=Lane(**document["lane"]),
        body=document["body"],
        claim=document["claim"],
        failed=document["failed"],
    )


def _document(new: NewDelivery, now: datetime) -> Document:
    document: Document = {
        "_id": new.id,
        "webhook": new.webhook.id,
        "lane": Lane(new.webhook.host, new.webhook.owner).document(),
        "type": new.kind,
        "body": new.body,
        "status": DeliveryStatus.PENDING.value,
        "createdAt": now,
        "dueAt": now,
        "claim": 0,
        "failed": 0,
        "attemptCount": 0,
        "attempts": [],
        "because": "",
    }
    if new.session_id is None:
        return document | {"forgetAt": now + PINGS_KEPT}
    return document | {"sessionId": new.session_id, "version": new.version}
