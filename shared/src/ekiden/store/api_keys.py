"""API keys in the database: digests of secrets, never a secret. Two active ones of a client, so that it can rotate."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from ekiden.store import created, lists
from ekiden.store.database import Database, Document, away
from ekiden.store.sessions import Idempotency

ACTIVE_KEYS = 2
"""Of one client: the one it uses and, while it changes over, the next."""
USE_NOTED_SECONDS = 60
_ACTIVE: Mapping[str, object] = {"revokedAt": None}
_END = [{"$set": {"revokedAt": {"$ifNull": ["$revokedAt", "$$NOW"]}, "slot": "$$REMOVE"}}]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key, without its digest. A limit that is None is the gateway's own."""

    id: str
    client: str
    scopes: frozenset[str]
    created_at: datetime
    created_by: str
    rate_per_minute: int | None = None
    concurrent_sessions: int | None = None
    revision: int = 0
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class ApiKeyStore:
    """Every method may raise Unreachable. Making and revoking are journaled: both are the truth of who may come in."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keys = database.journaled("api_keys")
        self._quick = database.quick("api_keys")

    async def create(self, key: ApiKey, digest: bytes, most: int, known_as: Idempotency | None = None) -> bool:
        """Store a key if the client has fewer than `most` active ones, whoever else makes one at the same time.

        Each takes one of two numbered places, and a unique index gives a place to one. False when all are taken, and
        when the same idempotency key of the same maker is there already.
        """
        document = _document(key, digest) | created.noted(known_as)
        for slot in range(1, most + 1):
            try:
                with away():
                    await self._keys.insert_one({**document, "slot": slot})
            except DuplicateKeyError:
                continue
            return True
        return False

    async def created_under(self, maker: str, key: str) -> tuple[ApiKey, Idempotency] | None:
        """The key that a maker's request of this idempotency key made, revoked or not."""
        found = await created.created_under(self._keys, {"createdBy": maker}, key)
        return (_key(found[0]), found[1]) if found else None

    async def by_digest(self, digest: bytes) -> ApiKey | None:
        """The active key of a secret."""
        with away():
            found = await self._keys.find_one({"digest": digest, **_ACTIVE})
        return _key(found) if found else None

    async def one(self, key_id: str) -> ApiKey | None:
        with away():
            found = await self._keys.find_one({"_id": key_id})
        return _key(found) if found else None

    async def active_of(self, client: str) -> list[ApiKey]:
        """A client's active keys, the newest first."""
        with away():
            found = await self._keys.find({"client": client, "slot": {"$gt": 0}}).to_list()
        return sorted(map(_key, found), key=lambda key: (key.created_at, key.id), reverse=True)

    async def any_with(self, scopes: Collection[str]) -> bool:
        """Whether an active key has all of these scopes."""
        with away():
            return await self._keys.find_one(_active_with(scopes), {"_id": 1}) is not None

    async def any_ever(self) -> bool:
        """Whether a key was ever stored, revoked ones included."""
        with away():
            return await self._keys.find_one({}, {"_id": 1}) is not None

    async def page(
        self, filters: Mapping[str, object], behind: lists.Place | None, limit: int, *, revoked: bool
    ) -> list[ApiKey]:
        """The newest first; with `revoked` also those that open nothing any more."""
        wanted = filters if revoked else {**filters, **_ACTIVE}
        return [_key(row) for row in await lists.page(self._keys, wanted, behind, limit)]

    async def limit(self, key: ApiKey, changes: Mapping[str, int | None]) -> ApiKey | None:
        """Change limits, by their stored names. None when the key was changed or revoked since it was read."""
        as_read = {"_id": key.id, "revision": key.revision, **_ACTIVE}
        changed = {"$set": dict(changes), "$inc": {"revision": 1}}
        with away():
            found = await self._keys.find_one_and_update(as_read, changed, return_document=ReturnDocument.AFTER)
        return _key(found) if found else None

    async def revoke(self, key_id: str) -> None:
        """End a key and give its place free; one that is revoked already stays as it is."""
        with away():
            await self._keys.update_one({"_id": key_id}, _END)

    async def revoke_unless_last(self, key_id: str, scopes: Collection[str]) -> bool:
        """End a key if another active one has all of these scopes. False when none has: then nothing is done.

        The one that stays is written, too: of two that are to end one another at the same moment one finds the other
        ended, and stays.
        """
        others = {"_id": {"$ne": key_id}, **_active_with(scopes)}

        async def end(session: AsyncClientSession) -> bool:
            staying = await self._keys.update_one(others, {"$inc": {"stayed": 1}}, session=session)
            if staying.matched_count:
                await self._keys.update_one({"_id": key_id}, _END, session=session)
            return staying.matched_count == 1

        return await self._database.as_one(end)

    async def used(self, key_id: str) -> None:
        """Note that a key was used, at most once a minute."""
        long_ago = {"$subtract": ["$$NOW", USE_NOTED_SECONDS * 1000]}
        stale = {"$expr": {"$lt": [{"$ifNull": ["$lastUsedAt", None]}, long_ago]}}  # null comes before every date
        with away():
            await self._quick.update_one({"_id": key_id, **stale}, [{"$set": {"lastUsedAt": "$$NOW"}}])


def _active_with(scopes: Collection[str]) -> Document:
    return {"scopes": {"$all": sorted(scopes)}, **_ACTIVE}


def _document(key: ApiKey, digest: bytes) -> Document:
    return {
        "_id": key.id,
        "client": key.client,
        "digest": digest,
        "scopes": sorted(key.scopes),
        "ratePerMinute": key.rate_per_minute,
        "concurrentSessions": key.concurrent_sessions,
        "revision": key.revision,
        "createdAt": key.created_at,
        "createdBy": key.created_by,
        "lastUsedAt": None,
        "revokedAt": None,
    }


def _key(row: Mapping[str, Any]) -> ApiKey:
    scopes: Sequence[str] = row["scopes"]
    return ApiKey(
        id=row["_id"],
        client=row["client"],
        scopes=frozenset(scopes),
        created_at=row["createdAt"],
        created_by=row["createdBy"],
        rate_per_minute=row.get("ratePerMinute"),
        concurrent_sessions=row.get("concurrentSessions"),
        revision=row.get("revision", 0),
        last_used_at=row.get("lastUsedAt"),
        revoked_at=row.get("revokedAt"),
    )
