"""What became of each tick, and what the sessions of a schedule cost: read from their own accounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pymongo.errors import DuplicateKeyError

from ekiden.domain.ids import NOTHING, Micros, RunId, ScheduleId, SessionId
from ekiden.domain.schedule import Outcome, Run, Schedule
from ekiden.domain.session import ENDED, Status
from ekiden.store import lists
from ekiden.store.database import Database, Document, away
from ekiden.store.schedule_document import read_run, run_to_document

_OVER = [status.value for status in ENDED]
_NOT_OVER = [status.value for status in Status if status not in ENDED]
_SPENT = {"$sum": "$settled.micros"}
_BOUND = {"$add": [_SPENT, {"$sum": "$reserved.micros"}]}


@dataclass(frozen=True, slots=True)
class Account:
    """The sessions that a schedule began in a span of time.

    `committed` is what they cost, and of those that are not over all that they still may: their budgets.
    `completed` of them have their drafts, for `completed_cost` in all.
    """

    sessions: int = 0
    spent: Micros = NOTHING
    committed: Micros = NOTHING
    completed: int = 0
    completed_cost: Micros = NOTHING


class RunStore:
    """All writes are journaled. Every method raises Unreachable."""

    def __init__(self, database: Database) -> None:
        self._runs = database.journaled("schedule_runs")
        self._sessions = database.journaled("sessions")
        self._pruned = database.journaled("pruned")

    async def record(self, schedule: Schedule, run: Run) -> None:
        """Write down what became of a tick; what was decided on it later stays."""
        fired = run.outcome is Outcome.FIRED
        said = run_to_document(run) | {
            "scheduleId": schedule.id,
            "sessionId": schedule.session_id(run) if fired else None,
            "decidedAt": schedule.decided_at,
            "decision": schedule.version,
        }
        earlier = {"_id": schedule.run_id(run), "decision": {"$lt": schedule.version}}
        try:
            with away():
                await self._runs.update_one(earlier, {"$set": said}, upsert=True)
        except DuplicateKeyError:  # this decision on it, or a later one, is there
            pass

    async def one(self, run_id: RunId) -> Run | None:
        with away():
            found = await self._runs.find_one({"_id": run_id})
        return read_run(found) if found else None

    async def page(self, schedule_id: ScheduleId, behind: lists.Place | None, limit: int) -> list[Document]:
        """The latest tick first."""
        return await lists.page(self._runs, {"scheduleId": schedule_id}, behind, limit, by="at")

    async def running(self, schedule_id: ScheduleId) -> tuple[SessionId, ...]:
        """The sessions of a schedule that are not over; those that wait for somebody are among them."""
        query = {"scheduleId": schedule_id, "status": {"$in": _NOT_OVER}}
        with away():
            return tuple([SessionId(row["_id"]) async for row in self._sessions.find(query, {"_id": 1}).sort("_id")])

    async def account(self, schedule_id: ScheduleId, since: datetime) -> Account:
        """What the sessions begun since a moment cost, those that retention has removed included."""
        begun = {"$match": {"scheduleId": schedule_id, "createdAt": {"$gte": since}}}
        over, done = {"$in": ["$status", _OVER]}, {"$eq": ["$status", Status.COMPLETED.value]}
        sums = {
            "_id": None,
            "sessions": {"$sum": 1},
            "spent": {"$sum": _SPENT},
            "committed": {"$sum": {"$cond": [over, _BOUND, {"$max": ["$budget", _BOUND]}]}},
            "completed": {"$sum": {"$cond": [done, 1, 0]}},
            "completedCost": {"$sum": {"$cond": [done, _SPENT, 0]}},
        }
        with away():
            there = await (await self._sessions.aggregate([begun, {"$group": sums}])).to_list()
            removed = {"_id": None, "sessions": {"$sum": 1}, "spent": {"$sum": "$spent"}}
            gone = await (await self._pruned.aggregate([begun, {"$group": removed}])).to_list()
        first: Mapping[str, int] = there[0] if there else {}
        rest: Mapping[str, int] = gone[0] if gone else {}
        return Account(
            sessions=first.get("sessions", 0) + rest.get("sessions", 0),
            spent=Micros(first.get("spent", 0) + rest.get("spent", 0)),
            committed=Micros(first.get("committed", 0) + rest.get("spent", 0)),
            completed=first.get("completed", 0),
            completed_cost=Micros(first.get("completedCost", 0)),
        )

    async def is_pruned(self, session_id: SessionId) -> bool:
        """Whether retention has removed a session: it was begun, and is over."""
        with away():
            return await self._pruned.find_one({"_id": session_id}, {"_id": 1}) is not None
