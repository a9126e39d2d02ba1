"""How many requests a client may still make: one token bucket a client, shared by all gateways, in one small write."""

import math
from contextlib import suppress
from dataclasses import dataclass

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from ekiden.store.database import Database, Document, away
from ekiden.store.task_writes import Pipeline

MINUTE_SECONDS = 60
_MINUTE_MS = MINUTE_SECONDS * 1000


@dataclass(frozen=True, slots=True)
class Balance:
    """What a bucket says: whether this request had a token, how many are left, and when there will be more."""

    taken: bool
    tokens: float
    per_minute: int

    @property
    def remaining(self) -> int:
        return math.floor(self.tokens)

    @property
    def next_seconds(self) -> int:
        """Whole seconds until there is a token; 0 when there is one."""
        return math.ceil(max(0.0, 1 - self.tokens) * MINUTE_SECONDS / self.per_minute)

    @property
    def full_seconds(self) -> int:
        """Whole seconds until there are as many as there can be."""
        return math.ceil((self.per_minute - self.tokens) * MINUTE_SECONDS / self.per_minute)


class RequestRates:
    """A minute's worth may come at once, and from there on as many as flow in. What a crash loses is a few tokens."""

    def __init__(self, database: Database) -> None:
        self._rates = database.quick("request_rates")

    async def take(self, client: str, per_minute: int) -> Balance:
        """Take a token if there is one. Raises Unreachable."""
        bucket: Document | None = None
        while bucket is None:
            with suppress(DuplicateKeyError), away():  # of several who begin a bucket one does
                bucket = await self._rates.find_one_and_update(
                    {"_id": client}, take(per_minute), upsert=True, return_document=ReturnDocument.AFTER
                )
        return Balance(bucket["taken"], bucket["tokens"], per_minute)


def take(per_minute: int) -> Pipeline:
    """Let in what has flowed since, then take one; a bucket that nobody has is full, so a forgotten one may go."""
    since = {"$max": [0, {"$subtract": ["$$NOW", {"$ifNull": ["$at", "$$NOW"]}]}]}
    flowed = {"$divide": [{"$multiply": [since, per_minute]}, _MINUTE_MS]}
    level = {"$min": [per_minute, {"$add": [{"$ifNull": ["$tokens", per_minute]}, flowed]}]}
    return [
        {"$set": {"tokens": level, "at": "$$NOW"}},
        {"$set": {"taken": {"$gte": ["$tokens", 1]}}},
        {"$set": {"tokens": {"$cond": ["$taken", {"$subtract": ["$tokens", 1]}, "$tokens"]}}},
    ]
