"""Pruning whole finished sessions: first what is about to go is noted, then the session goes, then all it left.

The session before its tasks, so that nothing is ever made again from it; the note before the session, so that a crash
in between leaves nothing behind for ever. The note stays, without its mark: which session it was, and what it cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ekiden.domain.ids import Micros, ScheduleId, SessionId
from ekiden.domain.session import ENDED
from ekiden.store.database import Database, Document, away
from ekiden.store.schema import BEGINNING_OF_TIME

_NOTED = {"version": 1, "owner": 1, "createdAt": 1, "finishedAt": 1, "settled": 1, "scheduleId": 1}


@dataclass(frozen=True, slots=True)
class Ended:
    """A session to prune: as it stood in this version, what it cost, and what schedule's budget that was."""

    id: SessionId
    version: int
    owner: str
    created_at: datetime
    finished_at: datetime
    spent: Micros
    schedule: ScheduleId | None = None


class PruningStore:
    """All writes are journaled; each may be repeated, also by several orchestrators at once."""

    def __init__(self, database: Database) -> None:
        self._sessions = database.journaled("sessions")
        self._pruned = database.journaled("pruned")
        self._letters = database.journaled("dead_letters")
        self._webhooks = database.journaled("webhooks")
        self._left_of_session = {
            "sessionId": [database.journaled("tasks"), self._letters, database.journaled("deliveries")],
            "session": [database.journaled("drafts")],
        }

    async def ended_before(self, moment: datetime, limit: int) -> list[Ended]:
        """Sessions that ended before a moment and hold no more money, oldest first. Raises Unreachable.

        One that still holds money has a call under way, however long it has been over.
        """
        query = {
            "finishedAt": {"$gt": BEGINNING_OF_TIME, "$lt": moment},
            "status": {"$in": [status.value for status in ENDED]},
            "reserved.0": {"$exists": False},
        }
        with away():
            found = await self._sessions.find(query, _NOTED).sort("finishedAt").limit(limit).to_list()
        return [_ended(row) for row in found]

    async def interrupted(self, before: datetime, limit: int) -> list[Ended]:
        """Sessions that somebody began to prune before a moment and did not finish. Raises Unreachable."""
        with away():
            found = await self._pruned.find({"left": True, "prunedAt": {"$lt": before}}).limit(limit).to_list()
        return [_noted(row) for row in found]

    async def note(self, ended: Ended, now: datetime) -> None:
        """Say that a session is about to be pruned. Raises Unreachable."""
        noted = {
            "version": ended.version,
            "owner": ended.owner,
            "createdAt": ended.created_at,
            "finishedAt": ended.finished_at,
            "spent": ended.spent,
            "prunedAt": now,
            "left": True,
            **({"scheduleId": ended.schedule} if ended.schedule else {}),
        }
        with away():
            await self._pruned.update_one({"_id": ended.id}, {"$set": noted}, upsert=True)

    async def remove_session(self, ended: Ended) -> bool:
        """Delete a session that is still as it was noted; say whether this call did. Raises Unreachable."""
        as_noted = {"_id": ended.id, "version": ended.version}
        with away():
            return (await self._sessions.delete_one(as_noted)).deleted_count == 1

    async def has_session(self, session_id: SessionId) -> bool:
        with away():
            return await self._sessions.find_one({"_id": session_id}, {"_id": 1}) is not None

    async def forget_note(self, ended: Ended) -> None:
        """Take back the note of a session that a person has set going again. Raises Unreachable."""
        with away():
            await self._pruned.delete_one({"_id": ended.id, "version": ended.version})

    async def remove_what_is_left(self, ended: Ended) -> None:
        """Delete all that a session which is gone has left, then unmark its note. Raises Unreachable."""
        with away():
            for field, collections in self._left_of_session.items():
                for collection in collections:
                    await collection.delete_many({field: ended.id})
            await self._pruned.update_one({"_id": ended.id}, {"$unset": {"left": ""}})

    async def remove_letters(self, before: datetime, limit: int) -> int:
        """Delete dead letters that came before a moment, replayed or not; answer how many. Raises Unreachable."""
        old = {"storedAt": {"$lt": before}}
        with away():
            found = await self._letters.find(old, {"_id": 1}).sort("storedAt").limit(limit).to_list()
            chosen = {"_id": {"$in": [row["_id"] for row in found]}} | old  # not one that has died again meanwhile
            return (await self._letters.delete_many(chosen)).deleted_count if found else 0

    async def remove_webhooks(self, before: datetime, now: datetime, limit: int) -> int:
        """Delete webhooks that sessions named, when none does any more; answer how many. Raises Unreachable.

        Looked at are those that were last known to be named before a moment. One that is named in this very moment
        says so first, and stays. So does one that somebody has changed or whose secret he has: made anew, it would have
        another.
        """
        removed = 0
        due = {"namedAt": {"$gt": BEGINNING_OF_TIME, "$lt": before}}
        with away():
            for row in await self._webhooks.find(due).sort("namedAt").limit(limit).to_list():
                as_seen = {"_id": row["_id"], "namedAt": row["namedAt"], "revision": row["revision"]}
                is_theirs = row["revision"] > 0 and row["disabledAt"] is None
                naming = {"owner": row["owner"], "webhookUrl": row["url"]}
                if is_theirs or await self._sessions.find_one(naming, {"_id": 1}) is not None:
                    await self._webhooks.update_one(as_seen, {"$set": {"namedAt": now}})
                else:
                    removed += (await self._webhooks.delete_one(as_seen)).deleted_count
        return removed


def _ended(row: Mapping[str, Any]) -> Ended:
    settled: list[Document] = row.get("settled", [])
    return _noted({**row, "spent": sum(entry["micros"] for entry in settled)})


def _noted(row: Mapping[str, Any]) -> Ended:
    return Ended(
        id=SessionId(row["_id"]),
        version=row["version"],
        owner=row["owner"],
        created_at=row["createdAt"],
        finished_at=row["finishedAt"],
        spent=Micros(row["spent"]),
        schedule=row.get("scheduleId"),
    )
