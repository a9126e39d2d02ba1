"""The reconciler: compares what sessions say should be with what the ledger says is, and closes the difference.

It runs in every orchestrator. What it does goes through the same relay as everything else, so that two of them, or
one and a handler, can only repeat each other. A pass costs what moved, not what exists.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from ekiden.broker.publisher import Announcer
from ekiden.broker.queue_depth import QueueDepth
from ekiden.clock import DatabaseClock
from ekiden.domain.ids import SessionId, TaskId
from ekiden.domain.messages import RetryDue, TaskStatus
from ekiden.domain.plan import Provider
from ekiden.errors import Unreachable
from ekiden.metrics import LEASE_TAKEOVERS, OUTCOME_UNKNOWN, RECONCILER_REPAIRS
from ekiden.relay import Relay
from ekiden.store.providers import ProviderStates
from ekiden.store.sessions import SessionStore
from ekiden.store.tasks import FREE_AT_ONCE, TaskStore
from ekiden.worker.lease import LEASE_SECONDS
from ekiden_orchestrator.repairs import complete, one_by_one, repaired

log = structlog.get_logger()
LONGEST_PAUSE_SECONDS = 2.0
SHORTEST_PAUSE_SECONDS = 0.05
"""Also covers how far our copy of the database's clock may be behind: what is due then is due."""
SETTLED_SECONDS = 5.0
"""What moved less than this ago is still in the hands of whoever moved it."""
FREE_SECONDS = 1.0
INTERRUPTED_SECONDS = 4.0
"""Looks at the leases further apart than this were interrupted, by a stopped machine or database.

The workers may have been interrupted, too."""
FIRST_LOOK_BACK = timedelta(days=1)
"""How far back a starting orchestrator looks: nobody may have looked since."""
DUE_AT_ONCE = 500


@dataclass
class Reconciler:
    """Two loops: what frees leases waits for no other repair, so that a long pass is no interruption."""

    sessions: SessionStore
    tasks: TaskStore
    providers: ProviderStates
    relay: Relay
    announcer: Announcer
    queues: QueueDepth
    clock: DatabaseClock
    _mark: datetime | None = None
    _passed: float = field(default=float("-inf"))
    _frees_from: float = field(default=float("-inf"))
    _lost: list[SessionId] = field(default_factory=list[SessionId])

    async def free_forever(self) -> None:
        await _forever(self._free)

    async def repair_forever(self) -> None:
        await _forever(self._repair)

    async def pass_once(self) -> float:
        """One pass of both; each repair is indexed and bounded. Answers the seconds until the next is due."""
        return min(await self._free(), await self._repair())

    async def _free(self) -> float:
        """Free what nobody renews any more. Answers the seconds until the next time."""
        self._watch_for_interruptions()
        if self.clock.monotonic() < self._frees_from:
            return FREE_SECONDS
        freed = await self.tasks.free_expired()
        for task in freed:
            LEASE_TAKEOVERS.inc()
            log.warning("lease_ran_out", task_id=task.task_id, status=task.status)
            if task.status is TaskStatus.OUTCOME_UNKNOWN:
                OUTCOME_UNKNOWN.inc()
                self._lost.append(task.session_id)
            else:
                RECONCILER_REPAIRS.labels(cause="freed").inc()
        return 0.0 if len(freed) == FREE_AT_ONCE else FREE_SECONDS

    def _watch_for_interruptions(self) -> None:
        """After an interruption of our own passes, and a start is one, give the workers a lease's time to renew."""
        now = self.clock.monotonic()
        if now - self._passed > INTERRUPTED_SECONDS:
            self._frees_from = now + LEASE_SECONDS
        self._passed = now

    async def _repair(self) -> float:
        """All other repairs; announcing comes last, because it alone needs the broker."""
        await self._look_at_lost()
        await self._retry_due()
        await self._look_at_what_moved()
        closed = await self.providers.closed_to_calls()
        more = await self._announce_due(closed)
        return 0.0 if more else await self.pause_seconds(closed)

    async def pause_seconds(self, closed: Collection[Provider]) -> float:
        """How long until there is something to do that is known of already."""
        now = self.clock.now()
        known = [await self.tasks.next_due(now, closed), await self.sessions.next_retry(now)]
        pauses = [(moment - now).total_seconds() + SHORTEST_PAUSE_SECONDS for moment in known if moment is not None]
        return min([*pauses, LONGEST_PAUSE_SECONDS])

    async def _look_at_lost(self) -> None:
        """Tell the sessions of calls that became unknown. Those that a crash forgets are found by when they ended."""
        while self._lost:
            with one_by_one(self._lost[-1]):
                repaired("freed_unknown", await self.relay.look(self._lost[-1]))
            self._lost.pop()

    async def _announce_due(self, closed: Collection[Provider]) -> bool:
        """Tell of free tasks whose time has come, and of those that seem forgotten.

        What is to be submitted to a provider that is `closed` to calls stays untold of until it opens. A task that
        was told of before and whose queue is not empty is most likely just behind others.
        """
        due = await self.tasks.due(DUE_AT_ONCE, closed)
        behind: list[TaskId] = []
        for task in due:
            provider, task_id = Provider(task["provider"]), TaskId(task["_id"])
            forgotten = int(task["announced"]) > 0
            if forgotten and not await self.queues.is_empty(provider):
                behind.append(task_id)
            elif await self.tasks.announced(task_id, task["announceAt"]):
                await self.announcer.command(provider, task_id, SessionId(task["sessionId"]))
                RECONCILER_REPAIRS.labels(cause="forgotten" if forgotten else "due").inc()
        if behind:
            await self.tasks.leave_queued(behind)
        return len(due) == DUE_AT_ONCE

    async def _retry_due(self) -> None:
        for session_id in await self.sessions.retries_due(self.clock.now()):
            with one_by_one(session_id):
                decision = await self.relay.say(session_id, lambda _: RetryDue(self.clock.now()))
                repaired("retry_due", decision)

    async def _look_at_what_moved(self) -> None:
        """Sessions and tasks that moved between our mark and a little ago: was what follows from it done?"""
        end = self.clock.now() - timedelta(seconds=SETTLED_SECONDS)
        start = self._mark or end - FIRST_LOOK_BACK
        if end <= start:
            return
        async for session_id in self.tasks.finished_between(start, end):
            with one_by_one(session_id):
                repaired("not_applied", await self.relay.look(session_id, late_bills=True))
        async for session in self.sessions.moved_between(start, end):
            with one_by_one(session.id):
                await complete(self.relay, session)
        self._mark = end


async def _forever(do: Callable[[], Awaitable[float]]) -> None:
    """Do it again and again, each time after the pause that it answers."""
    while True:
        pause = LONGEST_PAUSE_SECONDS
        try:
            pause = await do()
        except Unreachable as error:
            log.warning("reconciling_postponed", error=str(error))
        except Exception:
            log.exception("reconciler_crashed")
        await asyncio.sleep(pause)
