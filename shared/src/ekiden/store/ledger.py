"""The worker's side of the ledger, on MongoDB: claim, submit, save, renew. The writes are in `task_writes`."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from ekiden.domain.ids import Micros, TaskId
from ekiden.domain.messages import TaskStatus
from ekiden.domain.plan import Provider
from ekiden.retry import Tally, UnknownOutcome
from ekiden.store import task_writes as write
from ekiden.store.database import Database, Document, away
from ekiden.worker.ledger import Claim, Completed, Ended

_NEEDED = {"response": 0, "result": 0}
BUSY_SECONDS = 2.0
"""How long a search waits before it looks again whether an identical one has been bought."""


class MongoLedger:
    """Implements `worker.ledger.Ledger`.

    `worker` names this process and this start of it. A claim that may spend by a person's leave only (policy
    `ask`) is journaled before it counts; where a resend is allowed anyway, the quick write is enough.
    """

    def __init__(
        self,
        database: Database,
        worker: str,
        provider: Provider,
        policy: UnknownOutcome,
        *,
        cache_seconds: float,
    ) -> None:
        self._journaled = database.journaled("tasks")
        self._quick = database.quick("tasks")
        self._claims = self._journaled if policy is UnknownOutcome.ASK else self._quick
        self._clock = database.clock
        self._worker = worker
        self._shares = provider is Provider.PERPLEXITY and cache_seconds > 0
        self._cache_seconds = cache_seconds

    async def claim(self, task_id: TaskId) -> Claim | None:
        asked = time.monotonic()
        try:
            with away():
                found = await self._claims.find_one_and_update(
                    write.free(task_id),
                    write.claim(self._worker, search=self._shares),
                    projection=_NEEDED,
                    return_document=ReturnDocument.AFTER,
                )
        except DuplicateKeyError:  # somebody is buying the very same search: soon it may be in the cache
            await self.put_off(task_id, BUSY_SECONDS)
            return None
        return read_claim(found, asked) if found else None

    async def answer_from_cache(self, task_id: TaskId) -> bool:
        if not self._shares:
            return False
        with away():
            task = await self._journaled.find_one(
                {"_id": task_id, "status": TaskStatus.QUEUED}, {"requestHash": 1, "tenant": 1}
            )
            twin = await self._find_bought(task) if task else None
            if task is None or twin is None:
                return False
            saved = twin.get("billed", 0)
            done = await self._journaled.update_one(
                write.free(task_id), write.from_cache(twin["result"], twin["_id"], saved)
            )
        return done.matched_count == 1

    async def put_off(self, task_id: TaskId, seconds: float) -> None:
        later = write.seconds_from_now(seconds)
        fields = {"notBefore": later, "announceAt": later, "announced": 0}
        with away():
            await self._quick.update_one({"_id": task_id, "status": TaskStatus.QUEUED}, [{"$set": fields}])

    async def submitted(self, claim: Claim, run_id: str) -> bool:
        held = write.claimed(claim.task_id, self._worker, claim.epoch)
        with away():
            saved = await self._journaled.update_one(held, write.submitted(claim.submission, run_id))
            if saved.matched_count:
                return True
            late = write.late_run(claim.submission, run_id)
            kept = await self._journaled.update_one(write.without_run(claim.task_id), late)
            if not kept.matched_count:
                await self._book(claim, "accepted_late", 0, run_id)
        return False

    async def complete(self, claim: Claim, answer: Completed) -> bool:
        done = write.complete(claim.submission, answer)
        with away():
            saved = await self._journaled.update_one(write.claimed(claim.task_id, self._worker, claim.epoch), done)
            if saved.matched_count:
                return True
            kept = await self._journaled.update_one(write.unanswered(claim.task_id), done)
            if kept.matched_count:
                return True
            await self._book(claim, "completed_late", answer.usage.billed or 0, claim.run_id)
        return False

    async def end(self, claim: Claim, ending: Ended) -> bool:
        held = write.claimed(claim.task_id, self._worker, claim.epoch)
        with away():
            saved = await self._journaled.update_one(held, write.end(claim.submission, ending))
            if not saved.matched_count and ending.billed:
                await self._book(claim, f"{ending.outcome}_late", ending.billed, claim.run_id)
        return saved.matched_count == 1

    async def let_go(self, claim: Claim) -> None:
        with away():
            held = write.claimed(claim.task_id, self._worker, claim.epoch)
            await self._journaled.update_one(held | {"status": TaskStatus.SUBMITTED}, write.let_go())

    async def renew(self) -> Sequence[TaskId]:
        mine = write.held_by(self._worker)
        with away():
            await self._quick.update_many(mine, write.renew())
            asked = self._quick.find(mine | {"cancelRequested": True}, {"_id": 1})
            return [TaskId(row["_id"]) async for row in asked]

    async def status(self, task_id: TaskId) -> str | None:
        with away():
            found = await self._quick.find_one({"_id": task_id}, {"status": 1})
        return found["status"] if found else None

    async def _find_bought(self, task: Mapping[str, Any]) -> Document | None:
        """A search with the same request and tenant, young enough, that was really bought."""
        oldest = {"$gte": [{"$subtract": ["$$NOW", "$finishedAt"]}, 0]}
        young = {"$lte": [{"$subtract": ["$$NOW", "$finishedAt"]}, round(self._cache_seconds * 1000)]}
        return await self._journaled.find_one(
            {
                "tenant": task["tenant"],
                "requestHash": task["requestHash"],
                "status": TaskStatus.COMPLETED,
                "cachedFrom": None,
                "$expr": {"$and": [oldest, young]},
            },
            {"result": 1, "billed": 1},
            sort=[("finishedAt", -1)],
        )

    async def _book(self, claim: Claim, outcome: str, billed: int, run_id: str | None) -> None:
        booked = write.book(claim.submission, outcome, billed, run_id)
        await self._journaled.update_one(write.unbooked(claim.task_id, claim.submission), booked)


def read_claim(document: Mapping[str, Any], asked: float) -> Claim:
    """Read a task that has just been claimed; `asked` is our monotonic clock before the claim was sent."""
    submissions: list[Document] = document["submissions"]
    outcomes = [submission["outcome"] for submission in submissions]
    first: datetime | None = submissions[0]["sentAt"] if submissions else None
    last: datetime | None = submissions[-1]["sentAt"] if submissions else None
    return Claim(
        task_id=TaskId(document["_id"]),
        session_id=document["sessionId"],
        provider=Provider(document["provider"]),
        epoch=document["epoch"],
        submission=submissions[-1]["epoch"] if submissions else document["epoch"],
        attempt=sum(1 for outcome in outcomes if outcome != "not_sent"),
        run_id=document.get("runId"),
        request=document["request"],
        tally=Tally(
            refused=outcomes.count("refused"),
            unusable=outcomes.count("unusable"),
            unknown=outcomes.count("unknown"),
            age_seconds=(last - first).total_seconds() if first and last else 0.0,
        ),
        policy=UnknownOutcome(document["onUnknown"]),
        cap=Micros(document["cap"]),
        hint=document.get("hint", ""),
        claimed_at=asked,
    )
