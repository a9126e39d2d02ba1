"""After a restore: what the database believes is older than what the providers were paid for.

Everything a session had not finished when the backup was made, and every search it has yet to order, may have been
bought in the meantime. The ledger's open searches become unknown outcomes; the sessions are marked (`Restored`), so
that the searches they order from here on are created as unknown outcomes, too. Nothing is sent before a person says so.

Schedules are paused: their last ticks may have begun sessions that the backup knows nothing of.

For a database that no service uses: a worker that is up claims what is about to be turned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ekiden.domain.decider import decide
from ekiden.domain.forecast import items
from ekiden.domain.ids import NOTHING, Micros, SessionId
from ekiden.domain.messages import Restored, TaskStatus
from ekiden.domain.plan import Plan, StepPlan
from ekiden.domain.progress import Verdict
from ekiden.domain.schedule import Schedule
from ekiden.domain.scheduling import restored
from ekiden.domain.session import ACTIVE, Session, WaitingReason
from ekiden.retry import usual_policies
from ekiden.store.database import Database
from ekiden.store.restored import RestoredLedger, Unfinished
from ekiden.store.schedules import ScheduleStore
from ekiden.store.sessions import SessionStore
from ekiden.store.workflows import WorkflowStore

SCHEDULE_PAUSED = "restored from a backup: look at its runs, then resume it"
_UNDER_WAY = (WaitingReason.OUTCOME_UNKNOWN, WaitingReason.PAUSED)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A session, and what of it may have been bought since the backup.

    `searches` had not ended and are unknown outcomes afterwards, at the risk of `at_risk` if all of them are sent
    again; up to `expected` more, of `expected_at_risk`, will be unknown outcomes when it orders them. `calls` are GPT
    calls under way, which follow their policy. `is_marked`: an earlier run has marked the session already.
    """

    session: SessionId
    status: str
    position: str
    searches: int = 0
    at_risk: Micros = NOTHING
    expected: int = 0
    expected_at_risk: Micros = NOTHING
    calls: int = 0
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class Turned:
    """What a run changed; a second one changes nothing."""

    sessions: int
    searches: int
    calls: int
    schedules: int = 0


class AfterRestore:
    def __init__(self, database: Database) -> None:
        self._clock = database.clock
        self._sessions = SessionStore(database)
        self._ledger = RestoredLedger(database)
        self._workflows = WorkflowStore(database, usual_policies())  # which steps search is the same under all
        self._schedules = ScheduleStore(database)

    async def survey(self) -> list[Doubt]:
        """Say, for every session that is not over, what would be or has been turned. Raises as `turn` does."""
        found = await self._ledger.unfinished()
        by_session: dict[SessionId, list[Unfinished]] = {}
        for task in found:
            by_session.setdefault(task.session, []).append(task)
        doubts = [await self._doubt(of, by_session.pop(of, [])) for of in await self._sessions.not_over()]
        return doubts + [_leftover(of, tasks) for of, tasks in by_session.items()]

    async def turn(self) -> Turned:
        """Pause the schedules, mark the sessions, then turn the ledger; what was cut off the next run makes up for.

        Raises Unreachable, and KeyError when a session's workflow is not in the database.
        """
        paused = sum([await self._pause(schedule) for schedule in await self._schedules.all()])
        ends = await self._ledger.ends_at()
        marked = sum([await self._mark(session_id, ends) for session_id in await self._sessions.not_over()])
        return Turned(marked, await self._ledger.doubt_searches(), await self._ledger.doubt_calls(), paused)

    async def _pause(self, schedule: Schedule) -> bool:
        paused = restored(schedule, self._clock.now(), SCHEDULE_PAUSED)
        return paused != schedule and await self._schedules.save(schedule, paused) is not None

    async def _doubt(self, session_id: SessionId, tasks: Sequence[Unfinished]) -> Doubt:
        session = await self._sessions.load(session_id)
        if session is None:
            return _leftover(session_id, tasks)
        plan = (await self._workflows.compiled(session.workflow)).plan
        searches = [task for task in tasks if task.provider.searches]
        expected = _expected(session, plan)
        return Doubt(
            session=session_id,
            status=session.status.value,
            position=str(session.position or ""),
            searches=len(searches),
            at_risk=Micros(sum(task.cap for task in searches)),
            expected=sum(count for count, _ in expected),
            expected_at_risk=Micros(sum(count * cap for count, cap in expected)),
            calls=sum(not task.provider.searches and task.status is not TaskStatus.OUTCOME_UNKNOWN for task in tasks),
            is_marked=session.restored_to is not None,
        )

    async def _mark(self, session_id: SessionId, ends: datetime | None) -> bool:
        while (session := await self._sessions.load(session_id)) is not None:
            plan = (await self._workflows.compiled(session.workflow)).plan
            message = Restored(self._clock.now(), ends or session.created_at)
            decision = decide(session, message, plan)
            if decision.verdict is not Verdict.MOVED:
                return False
            if await self._sessions.apply(session, decision, message) is not None:
                return True
        return False


def _expected(session: Session, plan: Plan) -> list[tuple[int, Micros]]:
    """How many searches, and at which cap, a session may have yet to order, step by step."""
    here = session.position or plan.first()
    steps = [plan.by_position[position] for position in plan.from_(here)]
    searching = [step for step in steps if step.provider.searches]
    return [(_to_order(session, step, plan), step.cap) for step in searching]


def _to_order(session: Session, step: StepPlan, plan: Plan) -> int:
    if step.position != session.position or not session.waits_for:
        return len(items(session, step.position, plan)) or step.at_most
    under_way = session.status in ACTIVE or session.waiting_reason in _UNDER_WAY
    return 0 if under_way else len(session.current.failed)


def _leftover(session_id: SessionId, tasks: Sequence[Unfinished]) -> Doubt:
    """Tasks that run to their end for a session that is over, or gone."""
    searches = [task for task in tasks if task.provider.searches]
    at_risk = Micros(sum(task.cap for task in searches))
    return Doubt(session_id, "over", "", len(searches), at_risk, calls=len(tasks) - len(searches))
