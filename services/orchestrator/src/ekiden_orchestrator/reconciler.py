"""The reconciler: compares what sessions say should be with what the ledger says is, and closes the difference.

It runs in every orchestrator. What it does goes through the same relay as everything else, so that two of them, or
one and a handler, can only repeat each other. A pass costs what moved, not what exists.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from ekiden import tracing
from ekiden.broker.queue_depth import QueueDepth
from ekiden.clock import DatabaseClock
from ekiden.domain.forecast import usd
from ekiden.domain.ids import NOTHING, SessionId, TaskId
from ekiden.domain.messages import GateDue, RetryDue, TaskStatus
from ekiden.domain.plan import Provider
from ekiden.domain.session import Session
from ekiden.metrics import LEASE_TAKEOVERS, OUTCOME_UNKNOWN, RECONCILER_REPAIRS
from ekiden.relay import Relay
from ekiden.store.database import Document
from ekiden.store.providers import ProviderState, ProviderStates
from ekiden.store.sessions import Actor, ActorKind, SessionStore
from ekiden.store.task_writes import ANNOUNCE_AGAIN_SECONDS
from ekiden.store.tasks import TaskStore
from ekiden.worker.lease import LEASE_SECONDS
from ekiden_orchestrator.repairs import complete, one_by_one, repaired, side_by_side

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
LOOK_AT_ONCE = timedelta(hours=1)
"""What was looked at is not looked at again, when a long look back is interrupted, but for this much."""
PROBES_AT_ONCE = 2
"""An open breaker is tried with one call; all others that were told of would be parked again."""
DUE_AT_ONCE = 500


@dataclass
class Reconciler:
    """Three loops: what frees leases, and what announces, waits for no look back, however long that takes."""

    sessions: SessionStore
    tasks: TaskStore
    providers: ProviderStates
    relay: Relay
    queues: QueueDepth
    clock: DatabaseClock
    fallback_seconds: float = 60.0
    _mark: datetime | None = None
    _passed: float = field(default=float("-inf"))
    _frees_from: float = field(default=float("-inf"))
    _lost: list[SessionId] = field(default_factory=list[SessionId])

    async def pass_once(self) -> float:
        """One pass of all three; each repair is indexed. Answers the seconds until the next is due."""
        return min(await self.free(), await self.look(), await self.repair())

    async def free(self) -> float:
        """Free what nobody renews any more. Answers the seconds until the next time."""
        if not self._may_free():
            return FREE_SECONDS
        freed = await self.tasks.free_expired(self._may_free)
        self._may_free()  # that we were busy is no interruption; that the database hung is one
        for task in freed:
            LEASE_TAKEOVERS.inc()
            at_risk = usd(task.cap) if task.unknown else usd(NOTHING)
            log.warning("lease_ran_out", task_id=task.task_id, status=task.status, at_risk=at_risk)
            if task.unknown:
                OUTCOME_UNKNOWN.inc()
            if task.status is TaskStatus.OUTCOME_UNKNOWN:
                self._lost.append(task.session_id)
            else:
                RECONCILER_REPAIRS.labels(cause="freed").inc()
        return 0.0 if freed else FREE_SECONDS

    def _may_free(self) -> bool:
        """After an interruption of our own passes, and a start is one, give the workers a lease's time to renew.

        Asked before and after every wait for the database: one that hung kept the workers from renewing, too.
        """
        now = self.clock.monotonic()
        if now - self._passed > INTERRUPTED_SECONDS:
            self._frees_from = now + LEASE_SECONDS
        self._passed = now
        return now >= self._frees_from

    async def repair(self) -> float:
        """What is due; announcing comes last, because it alone needs the broker."""
        await self._look_at_lost()
        await self._retry_due()
        await self._answer_gates()
        states, now = await self.providers.all(), self.clock.now()
        closed = {provider for provider, state in states.items() if state.is_closed_to_calls(now)}
        probing = {provider for provider, state in states.items() if state.probe_is_due(now)} - closed
        for provider in probing:
            await self._announce(await self.tasks.to_probe(provider, PROBES_AT_ONCE), ())
        closed |= probing
        lines = {provider for provider, state in states.items() if state.line_seconds(now) > ANNOUNCE_AGAIN_SECONDS}
        due = await self.tasks.due(DUE_AT_ONCE, closed)
        await self._announce(due, lines)
        await self._fall_back({p: s for p, s in states.items() if s.open_seconds(now) >= self.fallback_seconds})
        return 0.0 if len(due) == DUE_AT_ONCE else await self.pause_seconds(closed)

    async def pause_seconds(self, closed: Collection[Provider]) -> float:
        """How long until there is something to do that is known of already."""
        now = self.clock.now()
        known = [
            await self.tasks.next_due(now, closed),
            await self.sessions.next_retry(now),
            await self.sessions.next_gate(now),
        ]
        pauses = [(moment - now).total_seconds() + SHORTEST_PAUSE_SECONDS for moment in known if moment is not None]
        return min([*pauses, LONGEST_PAUSE_SECONDS])

    async def _fall_back(self, given_up: Mapping[Provider, ProviderState]) -> None:
        """What waits for a breaker that has been open for long is asked of somebody else, where its step names one."""
        for provider, state in given_up.items():
            for session_id in await self.tasks.fall_back(provider, f"its breaker is open: {state.breaker}"):
                with one_by_one(session_id):
                    repaired("fell_back", await self.relay.look(session_id))

    async def _look_at_lost(self) -> None:
        """Tell the sessions of calls that became unknown. Those that a crash forgets are found by when they ended."""
        while self._lost:
            with one_by_one(self._lost[0]):
                repaired("freed_unknown", await self.relay.look(self._lost[0]))
            self._lost.pop(0)  # not the last: more may have come behind it meanwhile

    async def _announce(self, due: Sequence[Document], lines: Collection[Provider]) -> None:
        """Tell of free tasks whose time has come, and then of those that seem forgotten.

        A task that was told of before and whose queue is not empty is most likely just behind others; so it is where
        workers hold messages in a long line for the provider's rate. Told of again it would take a second place there.
        To know it the queue has to be asked, which holds up nobody who was never told of.
        """
        behind: list[TaskId] = []
        for task in sorted(due, key=lambda task: int(task["announced"]) > 0):
            provider, task_id = Provider(task["provider"]), TaskId(task["_id"])
            forgotten = int(task["announced"]) > 0
            if forgotten and (provider in lines or not await self.queues.is_empty(provider)):
                behind.append(task_id)
            elif await self.tasks.announcing(task_id, task["announceAt"]):
                with tracing.continued(task.get("traceparent", "")):
                    await self.relay.announce([(provider, task_id, SessionId(task["sessionId"]))])
                RECONCILER_REPAIRS.labels(cause="forgotten" if forgotten else "due").inc()
        if behind:
            await self.tasks.leave_queued(behind)

    async def _retry_due(self) -> None:
        for session_id in await self.sessions.retries_due(self.clock.now()):
            with one_by_one(session_id):
                decision = await self.relay.say(session_id, lambda _: RetryDue(self.clock.now()))
                repaired("retry_due", decision)

    async def _answer_gates(self) -> None:
        """Do what was wished for the gates that nobody has answered in time."""
        for session_id in await self.sessions.gates_due(self.clock.now()):
            with one_by_one(session_id):
                nobody = Actor(ActorKind.TIMEOUT)
                decision = await self.relay.say(session_id, lambda _: GateDue(self.clock.now()), by=nobody)
                repaired("gate_due", decision)

    async def look(self) -> float:
        """Sessions and tasks that moved between our mark and a little ago: was what follows from it done?"""
        end = self.clock.now() - timedelta(seconds=SETTLED_SECONDS)
        mark = self._mark or end - FIRST_LOOK_BACK
        while mark < end:
            until = min(mark + LOOK_AT_ONCE, end)
            await self._look_between(mark, until)
            self._mark = mark = until
        return LONGEST_PAUSE_SECONDS

    async def _look_between(self, start: datetime, end: datetime) -> None:
        await side_by_side(self.tasks.finished_between(start, end), self._apply_what_finished)
        await side_by_side(self.sessions.moved_between(start, end), self._send_what_follows)

    async def _apply_what_finished(self, session_id: SessionId) -> None:
        with one_by_one(session_id):
            repaired("not_applied", await self.relay.look(session_id, late_bills=True))

    async def _send_what_follows(self, session: Session) -> None:
        with one_by_one(session.id):
            await complete(self.relay, session)
