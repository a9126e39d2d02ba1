"""Each provider's shared state: cool-down, rate slot, breaker. One small document that all its workers read."""

import asyncio
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from pymongo import ReturnDocument

from ekiden.domain.plan import Provider
from ekiden.errors import ProviderError, RateLimited, Unreachable
from ekiden.metrics import BREAKER_OPEN
from ekiden.store.database import Database, Document, away
from ekiden.store.task_writes import seconds_from_now

log = structlog.get_logger()
REFRESH_SECONDS = 0.5
"""How old a worker's view may be: a cool-down reaches all of them within a second."""
COOL_DOWN_SECONDS = 1.0
"""After a 429 that does not say for how long."""
LONGEST_HOLD_SECONDS = 60.0
"""A worker holds a message no longer than this; beyond it the task is parked."""
PROBE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class ProviderState:
    """What the document says: until when to hold back, and why the breaker is open (None: it is closed)."""

    cool_down_until: datetime | None = None
    breaker: str | None = None
    breaker_since: datetime | None = None
    probe_at: datetime | None = None


class MongoGate:
    """Implements `worker.gate.Gate` for one provider. `rate_per_minute` is shared by all its workers."""

    def __init__(self, database: Database, provider: Provider, rate_per_minute: float | None) -> None:
        self._providers = database.quick("providers")
        self._clock = database.clock
        self._provider = provider
        self._interval = 60.0 / rate_per_minute if rate_per_minute else 0.0
        self._state = ProviderState()

    async def refresh_forever(self) -> None:
        while True:
            try:
                await self.refresh()
            except Unreachable as error:
                log.debug("provider_state_unknown", error=str(error))
            await asyncio.sleep(REFRESH_SECONDS)

    async def refresh(self) -> None:
        with away():
            found = await self._providers.find_one({"_id": self._provider})
        self._state = read_state(found or {})
        BREAKER_OPEN.labels(provider=self._provider).set(1 if self._state.breaker else 0)

    async def enter(self) -> float:
        since = self._clock.monotonic()
        while True:
            state, now = self._state, self._clock.now()
            if state.breaker is not None:
                if await self._is_the_probe(state):
                    return 0.0
                wait = _seconds(state.probe_at, now) or REFRESH_SECONDS
            elif (wait := _seconds(state.cool_down_until, now)) <= 0:
                return await self._slot()
            if wait > LONGEST_HOLD_SECONDS or self._clock.monotonic() - since > LONGEST_HOLD_SECONDS:
                return max(wait, LONGEST_HOLD_SECONDS)
            await asyncio.sleep(min(wait, REFRESH_SECONDS))

    async def refused(self, error: ProviderError) -> None:
        if error.opens_breaker:
            await self._set({"breaker": f"{type(error).__name__}: {error}", "probeAt": seconds_from_now(PROBE_SECONDS)})
            log.error("breaker_opened", provider=self._provider, error=str(error))
        elif isinstance(error, RateLimited):
            seconds = error.delay_seconds if error.delay_seconds is not None else COOL_DOWN_SECONDS
            later = {"$max": ["$coolDownUntil", seconds_from_now(seconds)]}
            await self._set({"coolDownUntil": later})
            log.warning("cooling_down", provider=self._provider, seconds=seconds)

    async def answered(self) -> None:
        if self._state.breaker is not None:
            await self._set({"breaker": None, "probeAt": None})
            log.warning("breaker_closed", provider=self._provider)

    async def _slot(self) -> float:
        """Take the next place of an evenly spaced line (GCRA without burst), and wait until it has come."""
        if not self._interval:
            return 0.0
        line = {"$max": ["$slotAt", "$$NOW"]}
        short = {"$lte": [{"$ifNull": ["$slotAt", "$$NOW"]}, seconds_from_now(LONGEST_HOLD_SECONDS)]}
        following = {"$cond": [short, {"$add": [line, math.ceil(self._interval * 1000)]}, "$slotAt"]}
        with away():
            before = await self._providers.find_one_and_update(
                {"_id": self._provider},
                [{"$set": {"slotAt": following}}],
                upsert=True,
                return_document=ReturnDocument.BEFORE,
            )
        wait = _seconds((before or {}).get("slotAt"), self._clock.now())
        if wait > LONGEST_HOLD_SECONDS:
            return wait
        await asyncio.sleep(max(0.0, wait))
        return 0.0

    async def _is_the_probe(self, state: ProviderState) -> bool:
        """Of all workers one may try whether the provider is back."""
        if _seconds(state.probe_at, self._clock.now()) > 0:
            return False
        with away():
            won = await self._providers.update_one(
                {"_id": self._provider, "probeAt": state.probe_at, "breaker": {"$ne": None}},
                [{"$set": {"probeAt": seconds_from_now(PROBE_SECONDS)}}],
            )
        return won.matched_count == 1

    async def _set(self, fields: Document) -> None:
        if "breaker" in fields:
            opened = {"$ifNull": ["$breakerSince", "$$NOW"]}
            fields["breakerSince"] = opened if fields["breaker"] is not None else None
            fields["breaker"] = {"$literal": fields["breaker"]}
        try:
            with away():
                await self._providers.update_one({"_id": self._provider}, [{"$set": fields}], upsert=True)
            await self.refresh()
        except Unreachable as error:
            log.warning("provider_state_not_saved", error=str(error))


def read_state(document: Document) -> ProviderState:
    return ProviderState(
        cool_down_until=document.get("coolDownUntil"),
        breaker=document.get("breaker"),
        breaker_since=document.get("breakerSince"),
        probe_at=document.get("probeAt"),
    )


def _seconds(moment: datetime | None, now: datetime) -> float:
    return (moment - now) / timedelta(seconds=1) if moment else 0.0
