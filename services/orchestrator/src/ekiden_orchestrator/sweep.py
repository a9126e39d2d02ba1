"""The sweep: all sessions that are under way, once at the start and then every minute. Nothing stands still unseen.

It is a loop of its own, so that thousands of sessions hold up no other repair. A batch costs two reads, however many
of its sessions are well; only those that something follows from are looked at one by one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from ekiden.clock import DatabaseClock
from ekiden.domain.diagnosis import diagnose
from ekiden.domain.ids import SessionId, TaskId
from ekiden.domain.messages import FINAL, OPEN, TaskStatus
from ekiden.domain.progress import abandoned
from ekiden.domain.session import ACTIVE, Session, WaitingReason
from ekiden.metrics import RECONCILER_REPAIRS, SESSIONS_STALLED
from ekiden.relay import Relay
from ekiden.store.sessions import SessionStore
from ekiden.store.task_facts import facts
from ekiden.store.tasks import TaskStore
from ekiden_orchestrator.repairs import complete, one_by_one, repaired

log = structlog.get_logger()
SWEEP_SECONDS = 60.0
BATCH = 200

Known = Mapping[TaskId, TaskStatus]


@dataclass(frozen=True)
class Sweep:
    sessions: SessionStore
    tasks: TaskStore
    relay: Relay
    clock: DatabaseClock

    async def sweep(self) -> float:
        """Go through all of them, a batch at a time. Answers the seconds until the next time. Raises Unreachable."""
        stalled = 0
        for batch in _batches(await self.sessions.moving()):
            sessions = await self.sessions.loaded(batch)
            known = await self.tasks.existing([task for session in sessions for task in _named(session)])
            for session in sessions:
                with one_by_one(session.id):
                    stalled += await self._examine(session, known)
        SESSIONS_STALLED.set(stalled)
        return SWEEP_SECONDS

    async def _examine(self, session: Session, known: Known) -> bool:
        """Repair one session, if there is anything to repair. True when the doctor found that it had stalled."""
        stalled = await self._has_stalled(session, known)
        if _is_to_be_looked_at(session, known):
            decision = await self.relay.look_at(session)
            if not stalled:
                repaired("not_applied", decision)
        if _is_to_be_sent_again(session, known):
            await complete(self.relay, session)
        return stalled

    async def _has_stalled(self, session: Session, known: Known) -> bool:
        """The doctor says; asked only about those that wait for no open task."""
        if session.status not in ACTIVE or _any(session.waits_for, known, OPEN):
            return False
        workflow = await self.relay.workflows.compiled(session.workflow)
        documents = await self.tasks.of_session(session.id)
        found = diagnose(session, await facts(self.tasks, documents), workflow.plan, self.clock.now())
        if found.stalled:
            says = [f"{item.subject}: {item.says}" for item in found.evidence]
            RECONCILER_REPAIRS.labels(cause="stalled").inc()
            log.error("session_stalled", session_id=session.id, cause=" ".join(found.issues), evidence=says)
        return found.stalled


def _batches(ids: Sequence[SessionId]) -> Iterator[Sequence[SessionId]]:
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


def _named(session: Session) -> set[TaskId]:
    return {*session.waits_for, *session.money.reserved}


def _is_to_be_looked_at(session: Session, known: Known) -> bool:
    """What ended is to be settled; no open task is to be waited for, and no unknown outcome that is open again."""
    if _any(session.money.reserved, known, FINAL):
        return True
    open_again = session.waiting_reason is WaitingReason.OUTCOME_UNKNOWN
    return (session.status in ACTIVE or open_again) and _any(session.waits_for, known, OPEN) == open_again


def _is_to_be_sent_again(session: Session, known: Known) -> bool:
    """Something it waits for is missing, or something nobody waits for has not ended."""
    missing = session.status in ACTIVE and not set(session.waits_for) <= set(known)
    return missing or any(known.get(task) not in FINAL for task in abandoned(session))


def _any(tasks: Iterable[TaskId], known: Known, statuses: Collection[TaskStatus]) -> bool:
    return any(known.get(task) in statuses for task in tasks)
