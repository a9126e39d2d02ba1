"""The orchestrator's and the gateway's side of the ledger: create, abandon, look, free, announce, resolve.

Longer than a module should be, because all that reads or moves a task from outside its worker is one port.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from pymongo import ReturnDocument

from ekiden.domain.ids import Micros, SessionId, TaskId
from ekiden.domain.messages import OPEN, Outcome, TaskStatus
from ekiden.domain.plan import Provider
from ekiden.retry import Again, UnknownOutcome, after_unknown
from ekiden.store import task_writes as write
from ekiden.store.database import Database, Document, away
from ekiden.store.first_tellings import FirstTellings
from ekiden.store.group import Group
from ekiden.store.inserts import Inserts
from ekiden.store.schema import BEGINNING_OF_TIME
from ekiden.store.task_document import NewTask, ordered, outcome, tombstone
from ekiden.workflow.record import ANSWERED

_BILL = {"status": 1, "error": 1, "billed": 1, "saved": 1, "finishedAt": 1, "submissions.outcome": 1}
_VERDICT = _BILL | {"result": 1}
_TOLD = {"provider": 1, "sessionId": 1, "announced": 1, "announceAt": 1, "traceparent": 1}
_ANNOUNCED = {"_id": 0, "announceAt": 1}
_TOLD_OF = (TaskStatus.QUEUED, TaskStatus.SUBMITTED)
_ANY_TIME = {"$gt": BEGINNING_OF_TIME}
FREE_AT_ONCE = 100
FALL_BACK_AT_ONCE = 200
FREE_TOGETHER = 25
"""So few that freeing them at the same time takes no time that counts beside a lease."""
LATELY = 2_000
"""Among so many tasks that finished last a provider's calls are looked for, however large the ledger is."""
_CLOCK_ERROR = timedelta(milliseconds=20)
"""Our copy of the database's clock may be this far ahead of it: an announcement must not come before its time."""


@dataclass(frozen=True, slots=True)
class Freed:
    """A task whose lease ran out: where it went, so that somebody is told.

    `unknown`: its request may have gone out, wherever it went since; paid once more it costs up to `cap`.
    """

    task_id: TaskId
    session_id: SessionId
    status: TaskStatus
    unknown: bool
    cap: Micros


class TaskStore:
    def __init__(self, database: Database) -> None:
        self._journaled = database.journaled("tasks")
        self._quick = database.quick("tasks")
        self._clock = database.clock
        self._insert = Inserts(self._quick, database.writing)
        self._verdicts = Group(partial(self._find_verdicts, _VERDICT), database.reading)
        self._bills = Group(partial(self._find_verdicts, _BILL), database.reading)
        self._simulated = Group(self._find_simulated, database.reading)
        self._opens = Group(self._find_open, database.reading)
        self._first_tellings = FirstTellings(self._quick)

    async def create(self, tasks: Sequence[NewTask]) -> None:
        """Create tasks; those that exist stay as they are, with the prompt they were rendered with."""
        now = self._clock.now()
        await self._insert.all([ordered(task, now) for task in tasks])

    async def abandon(self, tasks: Iterable[tuple[TaskId, str, Provider]], *, cancel: bool = True) -> None:
        """Nobody waits for these any more. An absent one gets a tombstone, so that a late creation finds it taken.

        With `cancel` runs under way are stopped at the provider, too.
        """
        now = self._clock.now()
        named = list(tasks)
        if not named:
            return
        await self._insert.all([tombstone(*each, now) for each in named])
        with away():
            await self._journaled.update_many(
                write.not_final([task for task, _, _ in named]), write.abandon(cancel=cancel)
            )

    async def any_open(self, task_ids: Sequence[TaskId]) -> bool:
        """Whether one of these is still on its way: the cheap first question of every event."""
        return await self._opens(task_ids)

    async def outcomes(self, task_ids: Iterable[TaskId]) -> dict[TaskId, Outcome]:
        """What the ledger says of these tasks; those it does not know are left out."""
        return await self._verdicts(list(task_ids))

    async def bills(self, task_ids: Iterable[TaskId]) -> dict[TaskId, Outcome]:
        """The same without results: what was billed of them, which may change after they ended."""
        return await self._bills(list(task_ids))

    async def existing(self, task_ids: Sequence[TaskId]) -> dict[TaskId, TaskStatus]:
        with away():
            found = self._quick.find({"_id": {"$in": list(task_ids)}}, {"status": 1})
            return {TaskId(row["_id"]): TaskStatus(row["status"]) async for row in found}

    async def free_expired(self, go_on: Callable[[], bool] = lambda: True) -> list[Freed]:
        """Take tasks whose lease ran out from their workers. Nobody else ever does.

        `go_on` is asked each time after the database answered and before something is freed by that answer.
        """
        freed: list[Freed | None] = []
        with away():
            expired = await self._expired()
            for first in range(0, len(expired), FREE_TOGETHER):
                if not go_on():
                    break
                freed += await asyncio.gather(*map(self._free, expired[first : first + FREE_TOGETHER]))
        return [task for task in freed if task is not None]

    async def _expired(self) -> list[Document]:
        query = {"leaseUntil": {"$lt": self._clock.now()}}
        needed = {"sessionId": 1, "status": 1, "epoch": 1, "onUnknown": 1, "cap": 1, "submissions": 1}
        return await self._journaled.find(query, needed).limit(FREE_AT_ONCE).to_list()

    async def due(self, limit: int, closed: Collection[Provider] = ()) -> list[Document]:
        """Free tasks that somebody should be told of now; of those `closed` to calls only what was bought already."""
        with away():
            cursor = self._quick.find(_to_announce({"$lte": self._clock.now() - _CLOCK_ERROR}, closed), _TOLD)
            return await cursor.sort("announceAt").limit(limit).to_list()

    async def to_probe(self, provider: Provider, limit: int) -> list[Document]:
        """The same of one provider, of what is to be submitted: so few that an open breaker can be tried with them."""
        due = {"$lte": self._clock.now() - _CLOCK_ERROR}
        query = {"provider": provider.value, "status": TaskStatus.QUEUED.value, "announceAt": due}
        with away():
            return await self._quick.find(query, _TOLD).sort("announceAt").limit(limit).to_list()

    async def fall_back(self, provider: Provider, why: str) -> list[SessionId]:
        """Let queued tasks fail whose step names somebody else. Answers the sessions to look at.

        Nothing of them was ever sent whose outcome is unknown: that may be paid, and its answer may still come.
        """
        queued: Document = {"provider": provider.value, "status": TaskStatus.QUEUED.value, "announceAt": _ANY_TIME}
        queued |= {"mayFallBack": True, "submissions.outcome": {"$ne": "unknown"}}
        with away():
            found = await self._quick.find(queued, {"sessionId": 1}).limit(FALL_BACK_AT_ONCE).to_list()
            if found:
                free = queued | {"_id": {"$in": [row["_id"] for row in found]}, "worker": None}
                await self._journaled.update_many(free, write.fall_back(why))
        return list(dict.fromkeys(SessionId(row["sessionId"]) for row in found))

    async def announcing(self, task_id: TaskId, at: datetime) -> bool:
        """Take it on to announce a task, so that of many reconcilers one does."""
        with away():
            taken = await self._quick.update_one({"_id": task_id, "announceAt": at}, write.announcing())
        return taken.matched_count == 1

    async def told(self, task_ids: Sequence[TaskId]) -> None:
        """Note that commands for these were published. What a crash forgets to note is announced again, once."""
        with away():
            free = write.still_to_announce(list(task_ids))
            await self._quick.update_many(free, write.announced(write.ANNOUNCE_AGAIN_SECONDS))

    def first_told(self, task_ids: Iterable[TaskId]) -> None:
        """The same for tasks just created, a little later: what has been claimed by then needs no note."""
        self._first_tellings.add(task_ids)

    async def flush(self) -> None:
        """Note now what was to be noted later: who stops, or lets time pass, leaves nothing behind."""
        await self._first_tellings.flush()

    async def leave_queued(self, task_ids: Sequence[TaskId]) -> None:
        """Tell of these much later, if still need be: they are behind others in their queue."""
        with away():
            behind = {"_id": {"$in": list(task_ids)}, "announceAt": {"$lte": self._clock.now()}}
            await self._quick.update_many(behind, write.announced(write.BEHIND_OTHERS_SECONDS))

    async def next_due(self, now: datetime, closed: Collection[Provider] = ()) -> datetime | None:
        """When a task is to be told of next, after `now`."""
        with away():
            told = await self._quick.find_one(_to_announce({"$gt": now}, closed), _ANNOUNCED, sort=[("announceAt", 1)])
        return told["announceAt"] if told is not None else None

    async def finished_between(self, start: datetime, end: datetime) -> AsyncIterator[SessionId]:
        """The sessions of tasks that ended, or were booked late, in a span of the database's time."""
        span = {"$gte": start, "$lt": end}
        for field in ("finishedAt", "bookedAt"):  # no `distinct`: its answer is one document, of 16 MB at most
            with away():
                each = [{"$match": {field: span}}, {"$group": {"_id": "$sessionId"}}]
                async for row in await self._journaled.aggregate(each):
                    yield SessionId(row["_id"])

    async def give_up(self, task_id: TaskId) -> bool:
        return await self._resolve(task_id, write.give_up("a person gave it up"))

    async def resend(self, task_id: TaskId) -> bool:
        """Close an unknown outcome so that its session orders it again. False when its answer came in meanwhile."""
        return await self._resolve(task_id, write.resend())

    async def attach(self, task_id: TaskId, run_id: str) -> bool:
        """Hand over a run that a person found at the provider, to be collected."""
        return await self._resolve(task_id, write.attach(run_id))

    async def of_session(self, session_id: SessionId, *, whole: bool = False) -> list[Document]:
        """All tasks of a session, oldest first; without what was asked and answered unless `whole` is asked for."""
        hidden = {} if whole else {"request": 0, "response": 0, "result": 0}
        with away():
            found = self._journaled.find({"sessionId": session_id}, hidden)
            return await found.sort([("createdAt", 1), ("_id", 1)]).to_list()

    async def longest_texts(self, task_ids: Sequence[TaskId]) -> dict[TaskId, tuple[str, int]]:
        """Which text of these tasks' requests is the longest, and its characters. Raises Unreachable."""
        with away():
            found = self._quick.find({"_id": {"$in": list(task_ids)}}, {"request": 1})
            return {TaskId(row["_id"]): longest async for row in found if (longest := _longest(row["request"]))}

    async def bought(self, tenant: str, request_hashes: Sequence[str], cache_seconds: float) -> dict[str, Micros]:
        """Which of these searches the cache would answer now, each with what it cost when it was bought."""
        if cache_seconds <= 0:
            return {}
        with away():
            query = write.bought(tenant, list(request_hashes), cache_seconds)
            found = self._quick.find(query, {"requestHash": 1, "billed": 1})
            return {row["requestHash"]: Micros(row["billed"]) async for row in found}

    async def buyers(self, tenant: str, request_hashes: Sequence[str]) -> dict[str, TaskId]:
        """Which tasks are buying these searches at the moment."""
        with away():
            query = {"tenant": tenant, "requestHash": {"$in": list(request_hashes)}, "buying": True}
            return {row["requestHash"]: row["_id"] async for row in self._quick.find(query, {"requestHash": 1})}

    async def recorded(
        self, owner: str, session_ids: Sequence[SessionId], providers: Collection[Provider]
    ) -> list[Document]:
        """What an owner's sessions were answered, the newest first, with what was asked."""
        query: Document = {"sessionId": {"$in": list(session_ids)}, "tenant": owner}
        query |= {"provider": {"$in": list(providers)}, "status": TaskStatus.COMPLETED}
        with away():
            return await self._journaled.find(query, ANSWERED).sort([("finishedAt", -1), ("_id", 1)]).to_list()

    async def one(self, session_id: SessionId, task_id: TaskId) -> Document | None:
        with away():
            return await self._journaled.find_one({"_id": task_id, "sessionId": session_id})

    async def any_simulated(self, session_id: SessionId) -> bool:
        """Whether the simulator answered any task of a session."""
        return await self._simulated(session_id)

    async def median_seconds(self, provider: Provider) -> float | None:
        """How long the last hundred calls of a provider took, from sending to answer. None when none was of late."""
        pipeline: list[Document] = [
            {"$match": {"finishedAt": {"$gt": BEGINNING_OF_TIME}}},
            {"$sort": {"finishedAt": -1}},
            {"$limit": LATELY},
            {"$match": {"provider": provider, "status": TaskStatus.COMPLETED, "cachedFrom": None}},
            {"$limit": 100},
            {"$project": {"startedAt": 1, "finishedAt": 1}},
        ]
        with away():
            rows = await (await self._quick.aggregate(pipeline)).to_list()
        took = sorted((row["finishedAt"] - row["startedAt"]).total_seconds() for row in rows)
        return took[len(took) // 2] if took else None

    async def outstanding(self) -> dict[tuple[str, str], int]:
        """How many tasks are queued and how many are under way, by provider: what scaling goes by.

        Read off the indexes of what is to be told of and of the leases: no task that has ended is in either.
        """
        by_provider = {"_id": {"provider": "$provider", "status": "$status"}, "tasks": {"$sum": 1}}
        free = {"provider": {"$gt": ""}, "status": {"$in": list(_TOLD_OF)}, "announceAt": _ANY_TIME}
        held = [{"$match": {"leaseUntil": _ANY_TIME}}, {"$group": by_provider}]
        each = [{"$match": free}, {"$group": by_provider}, {"$unionWith": {"coll": "tasks", "pipeline": held}}]
        counted: Counter[tuple[str, str]] = Counter()
        with away():
            async for row in await self._quick.aggregate(each):
                queued = row["_id"]["status"] == TaskStatus.QUEUED
                counted[row["_id"]["provider"], "queued" if queued else "leased"] += row["tasks"]
        return dict(counted)

    async def _resolve(self, task_id: TaskId, pipeline: list[Document]) -> bool:
        with away():
            unknown = {"_id": task_id, "status": TaskStatus.OUTCOME_UNKNOWN}
            return (await self._journaled.update_one(unknown, pipeline)).matched_count == 1

    async def _find_verdicts(
        self, shown: Document, asked: Sequence[Sequence[TaskId]]
    ) -> Sequence[dict[TaskId, Outcome]]:
        found = self._journaled.find({"_id": {"$in": [task for tasks in asked for task in tasks]}}, shown)
        known = {TaskId(row["_id"]): outcome(row) for row in await found.to_list()}
        return [{task: known[task] for task in tasks if task in known} for tasks in asked]

    async def _find_simulated(self, asked: Sequence[SessionId]) -> Sequence[bool]:
        of_these = {"sessionId": {"$in": list(asked)}, "simulated": True}
        each = await self._journaled.aggregate([{"$match": of_these}, {"$group": {"_id": "$sessionId"}}])
        found = {row["_id"] for row in await each.to_list()}
        return [session_id in found for session_id in asked]

    async def _find_open(self, asked: Sequence[Sequence[TaskId]]) -> Sequence[bool]:
        query = {"_id": {"$in": [task for tasks in asked for task in tasks]}, "status": {"$in": list(OPEN)}}
        found = {row["_id"] for row in await self._journaled.find(query, {"_id": 1}).to_list()}
        return [not found.isdisjoint(tasks) for tasks in asked]

    async def _free(self, task: Mapping[str, Any]) -> Freed | None:
        """One task, if it is still as it was found and its lease has run out by the database's clock."""
        held = {"_id": task["_id"], "epoch": task["epoch"], "status": task["status"]}
        expired = {"leaseUntil": {"$type": "date"}, "$expr": {"$lt": ["$leaseUntil", "$$NOW"]}}
        if task["status"] == TaskStatus.SUBMITTED:
            pipeline = write.let_go()
        else:
            unknown = 1 + sum(1 for s in task["submissions"] if s["outcome"] == "unknown")
            resend = isinstance(after_unknown(unknown, UnknownOutcome(task["onUnknown"])), Again)
            pipeline = write.free_processing(task["epoch"], task["cap"], resend=resend)
        freed = await self._journaled.find_one_and_update(
            held | expired, pipeline, {"status": 1}, return_document=ReturnDocument.AFTER
        )
        if freed is None:
            return None
        return Freed(
            TaskId(task["_id"]),
            SessionId(task["sessionId"]),
            TaskStatus(freed["status"]),
            unknown=task["status"] != TaskStatus.SUBMITTED,
            cap=Micros(task["cap"]),
        )


def _longest(request: Mapping[str, object]) -> tuple[str, int] | None:
    texts = {f"the {name} message": value for name, value in request.items() if isinstance(value, str)}
    name = max(texts, key=lambda text: len(texts[text]), default=None)
    return (name, len(texts[name])) if name is not None else None


def _to_announce(when: Document, closed: Collection[Provider]) -> Document:
    """One branch for each kind of free task, so that all of them are read off one index in the order of their time."""
    kinds = [(p, s) for p in Provider for s in _TOLD_OF if s is TaskStatus.SUBMITTED or p not in closed]
    return {"$or": [{"provider": p.value, "status": s.value, "announceAt": when} for p, s in kinds]}
