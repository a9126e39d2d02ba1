"""The worker's side of the ledger, on MongoDB: claim, submit, save, renew. The writes are in `task_writes`."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from ekiden.domain.ids import Micros, TaskId
from ekiden.domain.messages import TaskStatus
from ekiden.domain.plan import Provider
from ekiden.retry import Tally, UnknownOutcome
from ekiden.store import task_writes as write
from ekiden.store.database import Database, Document, away
from ekiden.store.group import Finds, Group, KeyedUpdates, Updates
from ekiden.worker.ledger import Claim, Completed, Ended, Saved

_NEEDED = {"response": 0, "result": 0}
_ASKED = {"requestHash": 1, "tenant": 1, "cacheSeconds": 1}
BUSY_SECONDS = 2.0
"""How long a search waits before it looks again whether an identical one has been bought."""


class MongoLedger:
    """Implements `worker.ledger.Ledger`.

    `worker` names this process and this start of it. A claim is the permission to spend: it is journaled before it
    counts, whatever the policy, so that no kill of the database can forget what was sent.
    """

    def __init__(
        self,
        database: Database,
        worker: str,
        provider: Provider,
        *,
        cache_seconds: float,
    ) -> None:
        self._journaled = database.journaled("tasks")
        self._quick = database.quick("tasks")
        self._update = Updates(self._journaled, database.writing)
        self._complete = KeyedUpdates(self._journaled, database.writing, write.UNANSWERED, write.complete())
        self._claims = Group(self._take, database.writing)
        self._queued = Finds(self._journaled, database.reading, _ASKED, {"status": TaskStatus.QUEUED})
        self._clock = database.clock
        self._worker = worker
        self._searches = provider.searches
        self._cache_seconds = cache_seconds
        self._held: dict[TaskId, int] = {}
        """What is in hand, with its epoch. Only this is renewed: a claim whose reply was lost must run out."""
        self._claiming: set[TaskId] = set()

    async def claim(self, task_id: TaskId) -> Claim | None:
        if task_id in self._held or task_id in self._claiming:
            return None
        self._claiming.add(task_id)
        try:
            return await self._claim(task_id)
        finally:
            self._claiming.discard(task_id)

    async def _claim(self, task_id: TaskId) -> Claim | None:
        asked = time.monotonic()
        try:
            found = await self._claims(task_id)
        except DuplicateKeyError:  # somebody is buying the very same search: soon it may be in the cache
            submitted = write.free([task_id]) | {"status": TaskStatus.SUBMITTED}
            found = await self._take_one(submitted, write.claim(self._worker, cache_seconds=None))
            if found is None:
                await self.put_off(task_id, BUSY_SECONDS)
                return None
        if found is None or await self._need_not_be_sent(found):
            return None
        self._held[task_id] = found["epoch"]
        return read_claim(found, asked)

    async def _take(self, task_ids: Sequence[TaskId]) -> list[Document | None]:
        """Claim what is free of these, in one write; what of them is ours afterwards was free, or is ours already.

        Ours already, but not in hand, is a task when the reply to its claim was lost: nothing was sent by it. Its
        lease may be old, so one that this claim did not begin is claimed alone.
        """
        claim = write.claim(self._worker, cache_seconds=self._cache_seconds if self._searches else None)
        if len(task_ids) == 1:
            free = await self._take_one(write.free(task_ids), claim)
            return [free or await self._take_one(write.held_by(self._worker, task_ids), write.renew())]
        taken = await self._journaled.update_many(write.free(task_ids), claim)
        found = self._journaled.find(write.held_by(self._worker, task_ids), _NEEDED)
        mine = {row["_id"]: row for row in await found.to_list()}
        if len(mine) > taken.matched_count:
            return [(await self._take([task_id]))[0] for task_id in task_ids]
        return [mine.get(task_id) for task_id in task_ids]

    async def _need_not_be_sent(self, found: Document) -> bool:
        """Whether an identical search was answered in the meantime.

        Now that we are its only buyer nobody can be buying it, so this look is conclusive.
        """
        if not self._searches or found.get("runId") is not None:
            return False
        with away():
            twin = await self._find_bought(found)
            if twin is None:
                return False
            mine = write.claimed(found["_id"], self._worker, found["epoch"])
            await self._journaled.update_one(mine, write.unsent_from_cache(found["epoch"], twin))
        return True

    async def _take_one(self, query: Document, pipeline: write.Pipeline) -> Document | None:
        with away():
            return await self._journaled.find_one_and_update(
                query, pipeline, projection=_NEEDED, return_document=ReturnDocument.AFTER
            )

    async def answer_from_cache(self, task_id: TaskId) -> bool:
        if not self._searches:
            return False
        task = await self._queued(task_id)
        with away():
            twin = await self._find_bought(task) if task else None
            if task is None or twin is None:
                return False
            queued = write.free([task_id]) | {"status": TaskStatus.QUEUED}
            done = await self._journaled.update_one(queued, write.from_cache(twin))
        return done.matched_count == 1

    async def put_off(self, task_id: TaskId, seconds: float) -> None:
        with away():
            await self._quick.update_one({"_id": task_id, "status": TaskStatus.QUEUED}, write.put_off(seconds))

    async def submitted(self, claim: Claim, run_id: str) -> bool:
        held = write.claimed(claim.task_id, self._worker, claim.epoch)
        with away():
            if await self._update(held, write.submitted(claim.submission, run_id)):
                return True
            late = write.late_run(claim.submission, run_id)
            if not await self._update(write.without_run(claim.task_id), late):
                await self._book(claim, "accepted_late", claim.cap, run_id, write.WITHOUT_RUN)
        return False

    async def complete(self, claim: Claim, answer: Completed) -> Saved:
        with away():
            saved = await self._complete(claim.task_id, write.answered(claim.submission, answer))
            came = Saved.DECIDED
            if not saved:
                billed = answer.usage.billed or 0
                came = await self._book(claim, "completed_late", billed, claim.run_id, write.WITHOUT_VERDICT)
        self._put_down(claim)
        return came

    async def end(self, claim: Claim, ending: Ended) -> Saved:
        held = write.claimed(claim.task_id, self._worker, claim.epoch)
        with away():
            came = Saved.DECIDED
            if not await self._update(
                held, write.end(claim.submission, ending)
            ):  # the failure is ignored, but what it says of the cost is not
                unknown = ending.outcome == "unknown"
                waiting = write.NOTHING_KNOWN if unknown else write.WITHOUT_VERDICT
                outcome = "unknown" if unknown else f"{ending.outcome}_late"
                came = await self._book(claim, outcome, ending.billed, claim.run_id, waiting)
        self._put_down(claim)
        return came

    async def let_go(self, claim: Claim) -> None:
        with away():
            held = write.claimed(claim.task_id, self._worker, claim.epoch)
            await self._update(held | {"status": TaskStatus.SUBMITTED}, write.let_go())
        self._put_down(claim)

    async def renew(self) -> Sequence[TaskId]:
        if not self._held:
            return []
        mine = write.held_by(self._worker, list(self._held))
        with away():
            await self._quick.update_many(mine, write.renew())
            asked = self._quick.find(mine | {"cancelRequested": True}, {"_id": 1})
            return [TaskId(row["_id"]) async for row in asked]

    async def status(self, task_id: TaskId) -> str | None:
        with away():
            found = await self._quick.find_one({"_id": task_id}, {"status": 1})
        return found["status"] if found else None

    async def _find_bought(self, task: Mapping[str, Any]) -> Document | None:
        cache_seconds = task.get("cacheSeconds", self._cache_seconds)
        if cache_seconds <= 0:
            return None
        # whoever waited for the buyer of the very same search has that answer, however short it is kept
        young = max(cache_seconds, 3 * BUSY_SECONDS)
        twins = write.bought(task["tenant"], [task["requestHash"]], young)
        shown = {"result": 1, "billed": 1, "flags": 1, "simulated": 1}
        return await self._journaled.find_one(twins, shown, sort=[("finishedAt", -1)])

    async def _book(self, claim: Claim, outcome: str, billed: int, run_id: str | None, waiting: Sequence[str]) -> Saved:
        open_yet = write.unbooked(claim.task_id, claim.submission, waiting)
        booked = await self._update(open_yet, write.book(claim.submission, outcome, billed, run_id))
        return Saved.BOOKED if booked else Saved.KNOWN

    def _put_down(self, claim: Claim) -> None:
        if self._held.get(claim.task_id) == claim.epoch:
            del self._held[claim.task_id]


def read_claim(document: Mapping[str, Any], asked: float) -> Claim:
    """Read a task that has just been claimed; `asked` is our monotonic clock before the claim was sent."""
    submissions: list[Document] = document["submissions"]
    outcomes = [submission["outcome"] for submission in submissions]
    run_id: str | None = document.get("runId")
    brought_it = [s["epoch"] for s in submissions if run_id is not None and s.get("runId") == run_id]
    number = brought_it[-1] if brought_it else submissions[-1]["epoch"]
    return Claim(
        task_id=TaskId(document["_id"]),
        session_id=document["sessionId"],
        provider=Provider(document["provider"]),
        epoch=document["epoch"],
        submission=number,
        attempt=sum(1 for outcome in outcomes if outcome != "not_sent"),
        run_id=run_id,
        request=document["request"],
        tally=Tally(
            refused=outcomes.count("refused"),
            unusable=outcomes.count("unusable"),
            unknown=outcomes.count("unknown"),
            age_seconds=_refused_for(submissions, document.get("waitedUntil")),
        ),
        policy=UnknownOutcome(document["onUnknown"]),
        cap=Micros(document["cap"]),
        hint=document.get("hint", ""),
        run_age_seconds=_run_age(document, number) if run_id is not None else 0.0,
        claimed_at=asked,
        traceparent=document.get("traceparent", ""),
    )


def _refused_for(submissions: Sequence[Document], waited_until: datetime | None) -> float:
    """From the first refusal that counts to the last sending, in seconds; what lies before a wait does not count."""
    begun: datetime | None = None
    for submission in submissions:
        if submission["outcome"] == "held_back":
            begun = None
        elif submission["outcome"] == "refused" and begun is None:
            begun = submission["sentAt"]
    if begun is None:
        return 0.0
    begun = max(begun, waited_until) if waited_until is not None else begun
    return max(0.0, (submissions[-1]["sentAt"] - begun).total_seconds())


def _run_age(document: Mapping[str, Any], number: int) -> float:
    """A claim's lease was counted from the database's own now, so both times are of one clock."""
    claimed: datetime = document["leaseUntil"] - timedelta(seconds=write.LEASE_SECONDS)
    sent: datetime = next(s["sentAt"] for s in document["submissions"] if s["epoch"] == number)
    return max(0.0, (claimed - sent).total_seconds())
