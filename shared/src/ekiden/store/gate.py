"""The workers' side of a provider's shared state: what is waited for before a claim, and who is told of a refusal."""

import asyncio
import math
import os
from contextlib import suppress

import structlog
from pymongo import ReturnDocument

from ekiden.domain.plan import Provider
from ekiden.errors import (
    NotBought,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    Unreachable,
)
from ekiden.metrics import BREAKER_OPEN, PROVIDER_RATE_LIMIT
from ekiden.retry import opens_breaker
from ekiden.store import provider_writes as write
from ekiden.store.database import Database, Document, away
from ekiden.store.providers import ProviderState, read_state, seconds_until
from ekiden.store.task_writes import Pipeline

log = structlog.get_logger()
REFRESH_SECONDS = 0.5
"""How old a worker's view may be: a cool-down reaches all of them within a second."""
COOL_DOWN_SECONDS = 1.0
"""After a 429 that does not say for how long."""
LONGEST_HOLD_SECONDS = 60.0
"""A message is held no longer than this at a breaker or a cool-down; beyond it the task is parked.

No place of the rate line is taken that is further away; whoever waits for one goes on holding its message: parked, a
long backlog would be told of and parked again every minute."""
PARK_SECONDS = 15.0
"""A task parked at an open breaker may be claimed again as soon as the next probe may have closed it."""


class MongoGate:
    """Implements `worker.gate.Gate` for one provider. `rate_per_minute` is shared by all its workers."""

    def __init__(self, database: Database, provider: Provider, rate_per_minute: float | None) -> None:
        self._providers = database.quick("providers")
        self._clock = database.clock
        self._provider = provider
        self._rate_per_minute = rate_per_minute
        self._name = f"{provider}-{os.urandom(4).hex()}"
        self._probing = False
        self._state: ProviderState = ProviderState()
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Say how many calls a minute we allow, for people to see, and read the state. Raises Unreachable."""
        limit = math.inf if self._rate_per_minute is None else self._rate_per_minute / 60
        PROVIDER_RATE_LIMIT.labels(provider=self._provider).set(limit)
        with away():
            rate = {"$set": {"ratePerMinute": self._rate_per_minute}}
            await self._providers.update_one({"_id": self._provider}, rate, upsert=True)
        await self.refresh()

    async def refresh_forever(self) -> None:
        while True:
            try:
                await self.refresh()
            except Unreachable as error:
                log.debug("provider_state_not_read", error=str(error))
            except Exception:
                log.exception("provider_state_crashed")
            await asyncio.sleep(REFRESH_SECONDS)

    async def refresh(self) -> None:
        """Read the state, and keep the right to probe while our probe is under way. Raises Unreachable."""
        with away():
            if self._probing:
                mine = {"_id": self._provider, "probeBy": self._name}
                await self._providers.update_one(mine, write.renew_probe())
            found = await self._providers.find_one({"_id": self._provider})
        self._see(found)

    @property
    def stands_open(self) -> bool:
        state = self._state
        waits = state.breaker is not None or state.cool_down_seconds(self._clock.now()) > 0
        return self._rate_per_minute is None and not waits

    async def enter(self) -> float:
        since = self._clock.monotonic()
        while True:
            state, now = self._state, self._clock.now()
            wait = state.cool_down_seconds(now)
            if not wait and state.breaker is None:
                if await self._slot():
                    return 0.0
                since = self._clock.monotonic()  # the line is no closed door: only what comes now counts as held
                continue
            if not wait and await self._is_the_probe(state):
                return 0.0
            held = self._clock.monotonic() - since
            if state.breaker is not None and max(held, -seconds_until(state.breaker_since, now)) > LONGEST_HOLD_SECONDS:
                return PARK_SECONDS
            if max(held, wait) > LONGEST_HOLD_SECONDS:
                return max(wait, PARK_SECONDS)
            await self._changes_within(min(wait or REFRESH_SECONDS, REFRESH_SECONDS))

    async def unused(self) -> None:
        if self._probing:
            await self._write(write.probe_unused(self._name))

    async def refused(self, error: ProviderError) -> bool:
        if not isinstance(error, NotBought | OutcomeUnknown) or isinstance(error, NotSent):
            if self._probing:
                unsent = isinstance(error, NotSent)
                await self._write((write.probe_unused if unsent else write.probe_failed)(self._name))
            return False
        known = self._state.breaker
        reason = f"{type(error).__name__}: {error}"
        pipeline = write.refused(
            reason,
            counts=isinstance(error, ProviderUnavailable | OutcomeUnknown),
            opens=opens_breaker(error),
            cool_down_seconds=_cool_down(error),
        )
        saved = await self._write([*pipeline, *write.probe_failed(self._name)])
        if self._state.breaker is not None and known is None:
            log.error("breaker_opened", provider=self._provider, reason=self._state.breaker)
        elif isinstance(error, RateLimited):
            log.warning("cool_down_began", provider=self._provider, seconds=_cool_down(error))
        if isinstance(error, OutcomeUnknown):  # an outage for the breaker, but never held back: it may have been bought
            return False
        return self._state.breaker is not None if saved else opens_breaker(error)

    async def answered(self, after_seconds: float) -> None:
        known = self._state
        if known.breaker is None and not known.refusals:
            return
        await self._write(write.answered(after_seconds))
        if known.breaker is not None and self._state.breaker is None:
            log.warning("breaker_closed", provider=self._provider)

    async def _slot(self) -> bool:
        """Take a place in the line and wait until it has come; while the line is too long wait until it is shorter.

        False when there is none yet, or when it is worth nothing any more: the breaker opened or the line began anew.
        """
        if self._rate_per_minute is None:
            return True
        interval = 60.0 / self._rate_per_minute
        with away():
            after = await self._providers.find_one_and_update(
                {"_id": self._provider},
                write.slot(interval, LONGEST_HOLD_SECONDS),
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        self._see(after)
        line, taken = self._state.line, after is not None and after["slotTaken"] is True
        wait = seconds_until(self._state.slot_at, self._clock.now()) - (interval if taken else LONGEST_HOLD_SECONDS)
        until = self._clock.monotonic() + wait
        while self._state.breaker is None and self._state.line == line:
            left = until - self._clock.monotonic()
            if left <= 0:
                return taken
            await self._changes_within(left)
        return False

    async def _is_the_probe(self, state: ProviderState) -> bool:
        """Of all workers one may try whether the provider is back."""
        if not state.probe_is_due(self._clock.now()):
            return False
        due = {"_id": self._provider, "probeAt": state.probe_at, "breaker": {"$ne": None}}
        with away():
            won = await self._providers.find_one_and_update(
                due, write.begin_probe(self._name), return_document=ReturnDocument.AFTER
            )
        if won is not None:
            self._probing = True
            self._see(won)
            log.info("breaker_probed", provider=self._provider)
        return won is not None

    async def _write(self, pipeline: Pipeline) -> bool:
        """Write, and see at once what came of it. False while the database is away: a refusal is no reason to wait.

        Then nobody knows how our probe ended: the right to it is renewed no longer, so that somebody else may try.
        """
        try:
            with away():
                after = await self._providers.find_one_and_update(
                    {"_id": self._provider}, pipeline, upsert=True, return_document=ReturnDocument.AFTER
                )
        except Unreachable as error:
            log.warning("provider_state_not_saved", error=str(error))
            self._probing = False
            return False
        self._see(after)
        return True

    def _see(self, document: Document | None) -> None:
        state = read_state(document)
        if state != self._state:
            self._state = state
            self._changed.set()
            self._changed = asyncio.Event()
        self._probing = self._probing and state.probe_by == self._name
        BREAKER_OPEN.labels(provider=self._provider).set(1 if state.breaker else 0)

    async def _changes_within(self, seconds: float) -> None:
        """Wait, but no longer than until the state is seen to have changed."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)


def _cool_down(error: ProviderError) -> float | None:
    """For how long all workers leave the provider alone. None: this refusal is the matter of its own task only."""
    if not isinstance(error, RateLimited | ProviderUnavailable) or opens_breaker(error):
        return None
    return COOL_DOWN_SECONDS if error.delay_seconds is None and isinstance(error, RateLimited) else error.delay_seconds
