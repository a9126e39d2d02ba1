"""The schedules: written by compare-and-set on their version, so that each tick is decided on once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from pymongo.errors import DuplicateKeyError

from ekiden.domain.ids import ScheduleId
from ekiden.domain.schedule import Schedule
from ekiden.store import created, lists
from ekiden.store.database import Database, Document, away
from ekiden.store.schedule_document import from_document, to_document
from ekiden.store.schema import BEGINNING_OF_TIME
from ekiden.store.sessions import Idempotency

log = structlog.get_logger()
AT_ONCE = 500
_BEAT = {"_id": "scheduler"}


class ScheduleStore:
    """All writes are journaled. Every method raises Unreachable."""

    def __init__(self, database: Database) -> None:
        self._schedules = database.journaled("schedules")
        self._runs = database.journaled("schedule_runs")
        self._beats = database.quick("schedulers")

    async def create(self, schedule: Schedule, known_as: Idempotency | None = None) -> bool:
        """Store a new schedule. False when that owner's idempotency key has created one already."""
        try:
            with away():
                await self._schedules.insert_one(to_document(schedule) | created.noted(known_as))
        except DuplicateKeyError:
            return False
        return True

    async def created_under(self, owner: str, key: str) -> tuple[Schedule, Idempotency] | None:
        """The schedule that an owner's request of this idempotency key created."""
        found = await created.created_under(self._schedules, {"owner": owner}, key)
        return (from_document(found[0]), found[1]) if found else None

    async def count(self, owner: str) -> int:
        """How many an owner has, those that are paused included."""
        with away():
            return await self._schedules.count_documents({"owner": owner})

    async def load(self, schedule_id: ScheduleId) -> Schedule | None:
        with away():
            found = await self._schedules.find_one({"_id": schedule_id})
        return from_document(found) if found else None

    async def save(self, before: Schedule, after: Schedule) -> Schedule | None:
        """Write a decision, if the schedule is as it was when that was made. None when it is not, or is gone."""
        saved = replace(after, version=before.version + 1)
        changed = {name: value for name, value in to_document(saved).items() if name != "_id"}
        with away():
            written = await self._schedules.update_one({"_id": before.id, "version": before.version}, {"$set": changed})
        return saved if written.matched_count else None

    async def delete(self, schedule_id: ScheduleId) -> bool:
        """Remove a schedule, and what is on record of its runs. Its sessions stay."""
        with away():
            gone = (await self._schedules.delete_one({"_id": schedule_id})).deleted_count == 1
            await self._runs.delete_many({"scheduleId": schedule_id})
        return gone

    async def page(self, owner: str, behind: lists.Place | None, limit: int) -> list[Schedule]:
        """An owner's, newest first."""
        return list(_readable(await lists.page(self._schedules, {"owner": owner}, behind, limit)))

    async def due(self, now: datetime) -> list[Schedule]:
        """Those with a tick that has come, the longest due first."""
        query = {"nextAt": {"$gt": BEGINNING_OF_TIME, "$lte": now}}
        return await self._found(query, [("nextAt", 1)], AT_ONCE)

    async def queueing(self) -> list[Schedule]:
        """Those with a tick that waits for a session to end."""
        return await self._found({"queuedAt": {"$gt": BEGINNING_OF_TIME}}, [("queuedAt", 1)], AT_ONCE)

    async def not_carried_out(self, before: datetime) -> list[Schedule]:
        """Those of which a decision was made before a moment, and not all of it was done."""
        query = {"decidedAt": {"$gt": BEGINNING_OF_TIME, "$lt": before}}
        return await self._found(query, [("decidedAt", 1)], AT_ONCE)

    async def all_of(self, workflow: str) -> list[Schedule]:
        """Those that follow a workflow, by its name, whatever version they have."""
        query = {"session.workflow": {"$gte": f"{workflow}@", "$lt": f"{workflow}A"}}  # A follows @
        return await self._found(query, [("_id", 1)], 0)

    async def all(self) -> list[Schedule]:
        return await self._found({}, [("_id", 1)], 0)

    async def next_at(self, after: datetime | None = None) -> datetime | None:
        """When the next tick of all comes, or came; `after` leaves out those that have come by then."""
        query = {"nextAt": {"$gt": after or BEGINNING_OF_TIME}}
        with away():
            found = await self._schedules.find_one(query, {"_id": 0, "nextAt": 1}, sort=[("nextAt", 1)])
        return found["nextAt"] if found else None

    async def beat(self) -> None:
        """Say that a scheduler is at work."""
        with away():
            await self._beats.update_one(_BEAT, {"$currentDate": {"seenAt": True}}, upsert=True)

    async def last_beat(self) -> datetime | None:
        """When a scheduler was last at work, on the database's clock."""
        with away():
            found = await self._beats.find_one(_BEAT)
        return found["seenAt"] if found else None

    async def _found(self, query: Mapping[str, Any], order: list[tuple[str, int]], limit: int) -> list[Schedule]:
        with away():
            return list(_readable(await self._schedules.find(query).sort(order).limit(limit).to_list()))


def _readable(documents: Sequence[Document]) -> Iterator[Schedule]:
    """One that cannot be read, because of a bug or of a newer version, keeps back no other."""
    for document in documents:
        try:
            yield from_document(document)
        except Exception:
            log.exception("schedule_not_read", schedule_id=document["_id"])
