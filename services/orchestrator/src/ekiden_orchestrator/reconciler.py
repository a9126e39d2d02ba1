"""The reconciler: compares what sessions say should be with what the ledger says is, and closes the difference.

It runs in every orchestrator. What it does goes through the same relay as everything else, so that two of them, or
one and a handler, can only repeat each other. A pass costs what moved, not what exists.
"""

import asyncio
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from ekiden.broker.publisher import Announcer
from ekiden.clock import DatabaseClock
from ekiden.domain.ids import SessionId, TaskId
from ekiden.domain.messages import RetryDue, TaskStatus
from ekiden.domain.plan import Provider
from ekiden.domain.progress import Decision, Verdict
from ekiden.domain.session import ACTIVE, Session
from ekiden.errors import Unreachable
from ekiden.metrics import LEASE_TAKEOVERS, OUTCOME_UNKNOWN, RECONCILER_REPAIRS, SESSIONS_STALLED
from ekiden.relay import Relay
from ekiden.store.sessions import SessionStore
from ekiden.store.task_writes import ANNOUNCE_AGAIN_SECONDS
from ekiden.store.tasks import TaskStore
from ekiden.worker.lease import LEASE_SECONDS
from ekiden_orchestrator.queues import QueueDepth

log = structlog.get_logger()
PASS_SECONDS = 1.0
SETTLED_SECONDS = 5.0
"""What moved less than this ago is still in the hands of whoever moved it."""
SWEEP_SECONDS = 60.0
INTERRUPTED_SECONDS = 4.0
"""Passes further apart than this were interrupted, by a stopped machine or database; the workers may have been too."""
FIRST_LOOK_BACK = timedelta(days=1)
"""How far back a starting orchestrator looks: nobody may have looked since."""
STALLED_SECONDS = 120.0
DUE_AT_ONCE = 500
MOST_DOUBLINGS = 3
FIRST_REPEAT_SECONDS = 600.0
"""A task is announced again this late, doubling up to 80 minutes, while its queue is not empty.

It is most likely just behind others."""


@dataclass
class Reconciler:
    sessions: SessionStore
    tasks: TaskStore
    relay: Relay
    announcer: Announcer
    queues: QueueDepth
    clock: DatabaseClock
    _mark: datetime | None = None
    _swept: float = field(default=float("-inf"))
    _passed: float = field(default=float("-inf"))
    _frees_from: float = field(default=float("-inf"))

    async def run_forever(self) -> None:
        while True:
            try:
                await self.pass_once()
            except Unreachable as error:
                log.warning("reconciling_postponed", error=str(error))
            except Exception:
                log.exception("reconciler_crashed")
            await asyncio.sleep(PASS_SECONDS)

    async def pass_once(self) -> None:
        """One pass over all repairs; each of them is indexed and bounded."""
        self._watch_for_interruptions()
        await self._free_expired()
        await self._announce_due()
        await self._retry_due()
        await self._look_at_what_moved()
        if self.clock.monotonic() - self._swept >= SWEEP_SECONDS:
            await self._sweep()
            self._swept = self.clock.monotonic()

    def _watch_for_interruptions(self) -> None:
        """After an interruption of our own passes, and a start is one, give the workers a lease's time to renew."""
        now = self.clock.monotonic()
        if now - self._passed > INTERRUPTED_SECONDS:
            self._frees_from = now + LEASE_SECONDS
        self._passed = now

    async def _free_expired(self) -> None:
        if self.clock.monotonic() < self._frees_from:
            return
        for freed in await self.tasks.free_expired():
            LEASE_TAKEOVERS.inc()
            log.warning("lease_ran_out", task_id=freed.task_id, status=freed.status)
            if freed.status is TaskStatus.OUTCOME_UNKNOWN:
                OUTCOME_UNKNOWN.inc()
                with self._one_by_one(freed.session_id):
                    self._repaired("freed_unknown", await self.relay.look(freed.session_id))
            else:
                RECONCILER_REPAIRS.labels(cause="freed").inc()

    async def _announce_due(self) -> None:
        """Tell of free tasks whose time has come, and of those that seem forgotten."""
        for task in await self.tasks.due(DUE_AT_ONCE):
            provider, seen = Provider(task["provider"]), int(task["announced"])
            forgotten = seen > 0
            if forgotten and not await self.queues.is_empty(provider):
                later = FIRST_REPEAT_SECONDS * 2 ** min(seen - 1, MOST_DOUBLINGS)
                await self.tasks.announced(TaskId(task["_id"]), task["announceAt"], later)
                continue
            if await self.tasks.announced(TaskId(task["_id"]), task["announceAt"], ANNOUNCE_AGAIN_SECONDS):
                await self.announcer.command(provider, TaskId(task["_id"]), SessionId(task["sessionId"]))
                RECONCILER_REPAIRS.labels(cause="forgotten" if forgotten else "due").inc()

    async def _retry_due(self) -> None:
        for session_id in await self.sessions.retries_due(self.clock.now()):
            with self._one_by_one(session_id):
                decision = await self.relay.say(session_id, lambda _: RetryDue(self.clock.now()))
                self._repaired("retry_due", decision)

    async def _look_at_what_moved(self) -> None:
        """Sessions and tasks that moved between our mark and a little ago: was what follows from it done?"""
        end = self.clock.now() - timedelta(seconds=SETTLED_SECONDS)
        start = self._mark or end - FIRST_LOOK_BACK
        if end <= start:
            return
        async for session_id in self.tasks.finished_between(start, end):
            with self._one_by_one(session_id):
                self._repaired("not_applied", await self.relay.look(session_id, late_bills=True))
        await self._send_again(self.sessions.moved_between(start, end))
        self._mark = end

    async def _sweep(self) -> None:
        """All sessions that are under way: nothing may stand still unseen, whatever was missed before."""
        now, stalled = self.clock.now(), 0
        async for session in self.sessions.moving():
            with self._one_by_one(session.id):
                decision = await self.relay.look_at(session)
                self._repaired("not_applied", decision)
                moved = decision is not None and decision.verdict is Verdict.MOVED
                if not moved and await self._complete(session):
                    stalled += await self._stands_still(session, now)
        SESSIONS_STALLED.set(stalled)

    async def _send_again(self, sessions: AsyncIterator[Session]) -> None:
        async for session in sessions:
            with self._one_by_one(session.id):
                await self._complete(session)

    async def _complete(self, session: Session) -> bool:
        """Create what a session waits for and the ledger does not have. True when nothing was missing."""
        missing = await self.relay.send_again(session)
        if missing:
            log.warning("tasks_were_missing", session_id=session.id, missing=missing)
            RECONCILER_REPAIRS.labels(cause="task_missing").inc(missing)
        return not missing

    async def _stands_still(self, session: Session, now: datetime) -> bool:
        """A session under way that waits for nothing and has not moved for two minutes: a bug, named and counted."""
        old = session.moved_at is not None and now - session.moved_at > timedelta(seconds=STALLED_SECONDS)
        if session.status not in ACTIVE or not old or await self.tasks.any_open(session.waits_for):
            return False
        log.error("session_stalled", session_id=session.id, position=str(session.position), since=session.moved_at)
        RECONCILER_REPAIRS.labels(cause="stalled").inc()
        await self.relay.look(session.id)
        return True

    @contextmanager
    def _one_by_one(self, session_id: SessionId) -> Generator[None]:
        """One session that cannot be repaired, because of a bug or of what it has become, holds up no other."""
        try:
            yield
        except Unreachable:
            raise
        except Exception:
            log.exception("session_not_reconciled", session_id=session_id)

    def _repaired(self, cause: str, decision: Decision | None) -> None:
        if decision is not None and decision.verdict is Verdict.MOVED:
            RECONCILER_REPAIRS.labels(cause=cause).inc()
            log.info("repaired", cause=cause, session_id=decision.session.id, status=decision.session.status)
