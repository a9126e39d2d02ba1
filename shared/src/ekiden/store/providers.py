"""Each provider's shared state: cool-down, rate, breaker. One small document that all its workers read.

What is read of it stands here, and what a person may do to it; the workers' side is `gate`, the writes are in
`provider_writes`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from pymongo import ReturnDocument

from ekiden.domain.evidence import at
from ekiden.domain.plan import Provider
from ekiden.domain.told import told
from ekiden.store import provider_writes as write
from ekiden.store.database import Database, Document, away
from ekiden.store.task_writes import Pipeline

log = structlog.get_logger()
SHORT_COOL_DOWN_SECONDS = 5.0
"""Up to this a cool-down is waited for with the message in hand: telling of a task meanwhile does no harm."""


class BreakerState(StrEnum):
    """Whether calls pass: all, none, or none but the one that tries whether the provider is back."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


@dataclass(frozen=True, slots=True)
class ProviderState:
    """What the document says: until when to hold back, and why the breaker is open (None: it is closed).

    `refusals` counts the outages in a row that the provider has told of since its last answer. `probe_at` is when a
    call may next be tried: None while the breaker is closed, and when a person opened it, because then nobody tries.
    """

    cool_down_until: datetime | None = None
    refusals: int = 0
    breaker: str | None = None
    breaker_since: datetime | None = None
    opened_by: str | None = None
    probe_at: datetime | None = None
    probe_by: str | None = None
    slot_at: datetime | None = None
    line: int = 0
    rate_per_minute: float | None = None

    @property
    def breaker_state(self) -> BreakerState:
        if self.breaker is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.probe_by is None else BreakerState.PROBING

    def cool_down_seconds(self, now: datetime) -> float:
        """How long the cool-down still lasts; 0.0 when there is none."""
        return max(0.0, seconds_until(self.cool_down_until, now))

    def line_seconds(self, now: datetime) -> float:
        """How long the line for the provider's rate is: who takes a place now may call after so long."""
        return max(0.0, seconds_until(self.slot_at, now))

    def open_seconds(self, now: datetime) -> float:
        """For how long the breaker has been open; -1.0 while it is closed."""
        return -seconds_until(self.breaker_since, now) if self.breaker is not None else -1.0

    def probe_is_due(self, now: datetime) -> bool:
        """Whether somebody may try, of the open breaker, if the provider is back."""
        return self.breaker is not None and self.probe_at is not None and self.probe_at <= now

    def is_closed_to_calls(self, now: datetime) -> bool:
        """Whether a worker that is told of a task now could do nothing but hold or park it.

        That is at an open breaker with no probe due, and in a cool-down of some length.
        """
        if self.cool_down_seconds(now) > SHORT_COOL_DOWN_SECONDS:
            return True
        return self.breaker is not None and not self.probe_is_due(now)


class ProviderStates:
    """The state of all providers. Reading only; every method may raise Unreachable."""

    def __init__(self, database: Database) -> None:
        self._providers = database.quick("providers")
        self._clock = database.clock

    async def all(self) -> Mapping[Provider, ProviderState]:
        """Every provider, also those of which nothing was stored yet."""
        with away():
            documents = await self._providers.find({"_id": {"$in": list(Provider)}}).to_list()
        found = {document["_id"]: read_state(document) for document in documents}
        return {provider: found.get(provider, ProviderState()) for provider in Provider}

    async def held(self) -> Mapping[Provider, str]:
        """Why calls to a provider are held back at the moment, one sentence each; those that are not are left out."""
        now = self._clock.now()
        reasons: dict[Provider, str] = {}
        for provider, state in (await self.all()).items():
            if state.breaker is not None:
                since = told(" since {at}", at=at(state.breaker_since)) if state.breaker_since else ""
                reasons[provider] = told("its breaker is open{since}: {why}", since=since, why=state.breaker)
            elif state.cool_down_until is not None and state.cool_down_until > now:
                reasons[provider] = told("it cools down until {at}", at=at(state.cool_down_until))
        return reasons


class Breakers:
    """What a person does to a provider's breaker. Every method may raise Unreachable, and answers the new state."""

    def __init__(self, database: Database) -> None:
        self._providers = database.journaled("providers")

    async def open(self, provider: Provider, reason: str) -> ProviderState:
        """Stop all calls to a provider until a person closes its breaker again: nobody probes."""
        log.warning("breaker_opened_by_a_person", provider=provider, reason=reason)
        return await self._write(provider, write.open_by_person(reason))

    async def close(self, provider: Provider) -> ProviderState:
        """Let calls pass again, whoever opened the breaker. A cool-down the provider asked for is kept."""
        log.warning("breaker_closed_by_a_person", provider=provider)
        return await self._write(provider, write.close())

    async def _write(self, provider: Provider, pipeline: Pipeline) -> ProviderState:
        with away():
            after = await self._providers.find_one_and_update(
                {"_id": provider}, pipeline, upsert=True, return_document=ReturnDocument.AFTER
            )
        return read_state(after)


def read_state(document: Document | None) -> ProviderState:
    found = document or {}
    return ProviderState(
        cool_down_until=found.get("coolDownUntil"),
        refusals=found.get("refusals") or 0,
        breaker=found.get("breaker"),
        breaker_since=found.get("breakerSince"),
        opened_by=found.get("openedBy"),
        probe_at=found.get("probeAt"),
        probe_by=found.get("probeBy"),
        slot_at=found.get("slotAt"),
        line=found.get("line") or 0,
        rate_per_minute=found.get("ratePerMinute"),
    )


def seconds_until(moment: datetime | None, now: datetime) -> float:
    """Negative when it has passed; 0.0 for no moment."""
    return (moment - now) / timedelta(seconds=1) if moment else 0.0
