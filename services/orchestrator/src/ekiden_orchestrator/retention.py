"""Retention: sessions that ended longer ago than they are to be kept are pruned, whole, a batch at a time.

A loop of its own in every orchestrator: they may do the same work twice, and never half of it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from ekiden.clock import Clock
from ekiden.domain.forecast import usd
from ekiden.metrics import PRUNED_COST, SESSIONS_PRUNED
from ekiden.store.pruning import Ended, PruningStore
from ekiden.webhooks.endpoint import LOOKED_AT_EVERY

log = structlog.get_logger()
PASS_SECONDS = 60.0
BATCH = 50
LETTERS = 500
WEBHOOKS = 500
BREATH_SECONDS = 0.5
"""Between two full batches: what is old can wait, what is under way must not."""
INTERRUPTED_AFTER = timedelta(minutes=1)
"""A pruning that has not ended so long after it was noted is somebody's who died at it."""


@dataclass(frozen=True)
class Retention:
    """`keep` counts from a session's end, or from a dead letter's arrival, on the database's clock."""

    store: PruningStore
    clock: Clock
    keep: timedelta

    async def prune(self) -> float:
        """Finish what was interrupted, then prune a batch. Answers the seconds until the next. Raises Unreachable."""
        now = self.clock.now()
        for left in await self.store.interrupted(now - INTERRUPTED_AFTER, BATCH):
            await self._finish(left)
        old = await self.store.ended_before(now - self.keep, BATCH)
        for ended in old:
            await self.store.note(ended, now)
            await self._finish(ended)
        letters = await self.store.remove_letters(now - self.keep, LETTERS)
        if letters:
            log.info("dead_letters_pruned", letters=letters)
        if webhooks := await self.store.remove_webhooks(now - LOOKED_AT_EVERY, now, WEBHOOKS):
            log.info("webhooks_pruned", webhooks=webhooks)
        return BREATH_SECONDS if len(old) == BATCH or letters == LETTERS else PASS_SECONDS

    async def _finish(self, ended: Ended) -> None:
        """Go on with a pruning from wherever it stands."""
        if await self.store.remove_session(ended):
            SESSIONS_PRUNED.inc()
            PRUNED_COST.inc(ended.spent / 1_000_000)
            log.info(
                "session_pruned", session_id=ended.id, finished_at=_text(ended.finished_at), spent=usd(ended.spent)
            )
        elif await self.store.has_session(ended.id):  # a person has set it going again since
            await self.store.forget_note(ended)
            return
        await self.store.remove_what_is_left(ended)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
