"""How many sessions a client has at a time, over all gateways: no counter, the sessions themselves are counted.

A session holds a place from its start until it ends, also while it waits: a wait may end by itself at any moment, and
what has its place is never refused to go on. Between the question whether there is a place and the write that starts
the session stands a short list of those about to start, changed by compare-and-set: two gateways cannot both give the
last place away.
"""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from weakref import WeakValueDictionary

from pymongo.errors import DuplicateKeyError

from ekiden.domain.session import Session
from ekiden.store.database import Database, Document, away
from ekiden.store.sessions import MOVING

STARTING_SECONDS = 30.0
"""Longer than a start takes with every deadline used up: whoever died in between holds a place for so long."""


class SessionPlaces:
    """Every method may raise Unreachable. Nothing is journaled: what a crash forgets is in the sessions."""

    def __init__(self, database: Database) -> None:
        self._places = database.quick("session_places")
        self._sessions = database.quick("sessions")
        self._clock = database.clock
        self._turns = WeakValueDictionary[str, asyncio.Lock]()

    async def take(self, session: Session, most: int, key: str | None = None) -> bool:
        """Take a place for a session about to start; again for the same one changes nothing. False: there is none.

        `key` is the idempotency key of the request that will create the session: each try has a session of another
        id, and finds the place of the one before. One at a time of a client and process: only other processes are
        competed with.
        """
        lock = self._turns.setdefault(session.owner, asyncio.Lock())
        async with lock:
            return await self._take(session, most, key)

    async def _take(self, session: Session, most: int, key: str | None) -> bool:
        while True:
            with away():
                found = await self._places.find_one({"_id": session.owner})
            starting = await self._still_starting((found or {}).get("starting", []))
            holding = await self._holding(session.owner, most)
            held = holding | {entry["session"] for entry in starting}
            if session.id in held:
                return True
            others = [entry for entry in starting if key is None or entry.get("key") != key]
            if len(held) >= most and len(others) == len(starting):
                return False
            mine = {"session": session.id, "version": session.version, "at": self._clock.now(), "key": key}
            if await self._save(session.owner, found, [*others, mine]):
                return True

    async def give_back(self, session: Session) -> None:
        """Free the place of a session that was not started after all."""
        gone = {"$pull": {"starting": {"session": session.id}}, "$inc": {"version": 1}}
        with away():
            await self._places.update_one({"_id": session.owner}, gone)

    async def _holding(self, client: str, most: int) -> set[str]:
        with away():
            found = self._sessions.find({"owner": client, "status": {"$in": MOVING}}, {"_id": 1}).limit(most)
            return {row["_id"] async for row in found}

    async def _still_starting(self, entries: Collection[Document]) -> list[Document]:
        """Those that have not moved since: one that has is counted as what it is now, running or ended."""
        fresh = self._clock.now() - timedelta(seconds=STARTING_SECONDS)
        young = [entry for entry in entries if entry["at"] > fresh]
        with away():
            found = self._sessions.find({"_id": {"$in": [entry["session"] for entry in young]}}, {"version": 1})
            versions = {row["_id"]: row["version"] async for row in found}
        return [entry for entry in young if versions.get(entry["session"], 0) <= entry["version"]]

    async def _save(self, client: str, before: Document | None, starting: list[Document]) -> bool:
        """False when somebody else took or gave back a place meanwhile."""
        now = self._clock.now()
        with away():
            if before is None:
                try:
                    await self._places.insert_one({"_id": client, "starting": starting, "version": 1, "at": now})
                except DuplicateKeyError:
                    return False
                return True
            changed = {"$set": {"starting": starting, "at": now}, "$inc": {"version": 1}}
            written = await self._places.update_one({"_id": client, "version": before["version"]}, changed)
            return written.matched_count == 1
