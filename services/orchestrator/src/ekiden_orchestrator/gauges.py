"""Gauges of the whole system, read from the database and the broker by every orchestrator: dashboards take max()."""

from dataclasses import dataclass

from ekiden.broker.queue_depth import QueueDepth
from ekiden.broker.topology import DEAD_LETTERS as DEAD_LETTER_QUEUE
from ekiden.clock import Clock
from ekiden.domain.plan import Provider
from ekiden.domain.session import WaitingReason
from ekiden.metrics import (
    BREAKER_OPEN,
    DEAD_LETTERS,
    SESSIONS_WAITING,
    SESSIONS_WAITING_LONGEST,
    TASKS_OUTSTANDING,
    WEBHOOK_OVERDUE_SECONDS,
)
from ekiden.store.dead_letters import DeadLetterStore
from ekiden.store.deliveries import DeliveryStore
from ekiden.store.providers import ProviderStates
from ekiden.store.sessions import SessionStore
from ekiden.store.tasks import TaskStore

MEASURE_SECONDS = 5.0


@dataclass(frozen=True)
class Gauges:
    sessions: SessionStore
    tasks: TaskStore
    providers: ProviderStates
    letters: DeadLetterStore
    deliveries: DeliveryStore
    queues: QueueDepth
    clock: Clock

    async def measure(self) -> float:
        """Answers the seconds until the next time. Raises Unreachable: they keep their values then."""
        outstanding = await self.tasks.outstanding()
        for provider in Provider:
            for state in ("queued", "leased"):
                TASKS_OUTSTANDING.labels(provider=provider, state=state).set(outstanding.get((provider, state), 0))
        waiting = await self.sessions.waiting()
        now = self.clock.now()
        for reason in WaitingReason:
            sessions, since = waiting.get(reason, (0, now))
            SESSIONS_WAITING.labels(reason=reason).set(sessions)
            SESSIONS_WAITING_LONGEST.labels(reason=reason).set(max(0.0, (now - since).total_seconds()))
        for provider, state in (await self.providers.all()).items():
            BREAKER_OPEN.labels(provider=provider).set(0 if state.breaker is None else 1)
        due = await self.deliveries.overdue_since()
        WEBHOOK_OVERDUE_SECONDS.set(max(0.0, (now - due).total_seconds()) if due else 0.0)
        queued = (await self.queues.depth(DEAD_LETTER_QUEUE)).ready  # those no orchestrator has taken yet
        DEAD_LETTERS.set(queued + await self.letters.count())
        return MEASURE_SECONDS
