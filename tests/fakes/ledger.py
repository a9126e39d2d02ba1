"""The ledger in memory: plain Python for what `ekiden.store` does with update pipelines.

Records have the names the database's documents have, so that one contract suite reads both. Time stands still until a
test moves it. Whatever a worker calls can be told to be away, or to lose its reply after the write.
"""

import copy
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ekiden.domain.ids import Micros, SessionId, TaskId, TaskName
from ekiden.domain.messages import FINAL, OPEN, Outcome, TaskStatus
from ekiden.domain.plan import Provider
from ekiden.errors import Unreachable
from ekiden.retry import RESENDS, Tally, UnknownOutcome
from ekiden.store.task_document import NewTask
from ekiden.store.tasks import Freed
from ekiden.worker.lease import LEASE_SECONDS
from ekiden.worker.ledger import Claim, Completed, Ended, Saved

Record = dict[str, Any]
HELD = frozenset({TaskStatus.PROCESSING, TaskStatus.SUBMITTED})
BEGINNING = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class FakeClock:
    """A clock that stands still."""

    moment: datetime = BEGINNING

    def now(self) -> datetime:
        return self.moment

    def later(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass
class FakeTasks:
    """The orchestrator's and the gateway's side: what `TaskStore` does."""

    clock: FakeClock = field(default_factory=FakeClock)
    records: dict[str, Record] = field(default_factory=dict[str, Record])

    async def create(self, tasks: Sequence[NewTask]) -> None:
        for task in tasks:
            self._insert(task, TaskStatus.QUEUED, announceAt=self._in(5), finishedAt=None)

    async def abandon(self, tasks: Iterable[tuple[TaskId, str, Provider]]) -> None:
        for task_id, tenant, provider in tasks:
            nobody = NewTask(TaskName.parse(task_id), tenant, provider, {}, "", UnknownOutcome.ASK, Micros(0))
            self._insert(nobody, TaskStatus.CANCELLED, announceAt=None, finishedAt=self.clock.now())
            record = self.records[task_id]
            if record["status"] in FINAL:
                continue
            record["cancelRequested"] = True
            if record["status"] not in HELD:
                record |= {"status": TaskStatus.CANCELLED, "finishedAt": self.clock.now(), "announceAt": None}

    async def any_open(self, task_ids: Sequence[TaskId]) -> bool:
        return any(self.records[task]["status"] in OPEN for task in task_ids if task in self.records)

    async def outcomes(self, task_ids: Iterable[TaskId]) -> dict[TaskId, Outcome]:
        return {task: _outcome(self.records[task]) for task in task_ids if task in self.records}

    async def existing(self, task_ids: Sequence[TaskId]) -> dict[TaskId, TaskStatus]:
        return {task: self.records[task]["status"] for task in task_ids if task in self.records}

    async def free_expired(self) -> list[Freed]:
        now = self.clock.now()
        expired = [r for r in self.records.values() if r["leaseUntil"] is not None and r["leaseUntil"] < now]
        freed: list[Freed] = []
        for record in expired:
            unknown = record["status"] != TaskStatus.SUBMITTED
            if unknown:
                self._free_unsure(record)
            else:
                self.release(record)
            task, session = TaskId(record["_id"]), SessionId(record["sessionId"])
            freed.append(Freed(task, session, TaskStatus(record["status"]), unknown, record["cap"]))
        return freed

    async def due(self, limit: int) -> list[Record]:
        now = self.clock.now()
        found = [r for r in self.records.values() if r["announceAt"] is not None and r["announceAt"] <= now]
        return copy.deepcopy(sorted(found, key=lambda record: record["announceAt"])[:limit])

    async def announcing(self, task_id: TaskId, at: datetime) -> bool:
        record = self.records[task_id]
        if record["announceAt"] != at:
            return False
        record["announceAt"] = self._in(5)
        return True

    async def told(self, task_ids: Sequence[TaskId]) -> None:
        for record in map(self.records.__getitem__, task_ids):
            if record["announceAt"] is not None and record["status"] in OPEN and record["worker"] is None:
                pause = 5 * 2 ** min(max(record["announced"] - 1, 0), 4)
                record |= {"announceAt": self._in(pause), "announced": record["announced"] + 1}

    async def finished_between(self, start: datetime, end: datetime) -> AsyncIterator[SessionId]:
        for name in ("finishedAt", "bookedAt"):
            found = {r["sessionId"] for r in self.records.values() if r[name] is not None and start <= r[name] < end}
            for session in found:
                yield SessionId(session)

    async def give_up(self, task_id: TaskId) -> bool:
        record = self.records[task_id]
        if record["status"] != TaskStatus.OUTCOME_UNKNOWN:
            return False
        self.finish(record, TaskStatus.FAILED, error="OutcomeUnknown")
        return True

    async def resend(self, task_id: TaskId) -> bool:
        record = self.records[task_id]
        if record["status"] != TaskStatus.OUTCOME_UNKNOWN:
            return False
        self.finish(record, TaskStatus.FAILED, error="ResendAsked")
        return True

    async def attach(self, task_id: TaskId, run_id: str) -> bool:
        record = self.records[task_id]
        if record["status"] != TaskStatus.OUTCOME_UNKNOWN:
            return False
        self.hand_over(record, record["submissions"][-1]["epoch"], run_id)
        return True

    # ── what the workers' side shares ────────────────────────────────────────────────────────────────────

    def now_in(self, seconds: float) -> datetime:
        return self._in(seconds)

    def finish(self, record: Record, status: TaskStatus, **more: object) -> None:
        record |= {"status": status, "worker": None, "leaseUntil": None, "buying": False, "announceAt": None}
        record |= {"finishedAt": self.clock.now(), **more}

    def release(self, record: Record) -> None:
        record |= {"worker": None, "leaseUntil": None, "announceAt": self.clock.now(), "announced": 0}

    def hand_over(self, record: Record, epoch: int, run_id: str) -> None:
        """Make it a task that anybody may collect."""
        submission_of(record, epoch).update(outcome="accepted", runId=run_id, billed=0)
        record |= {"status": TaskStatus.SUBMITTED, "runId": run_id, "buying": False, "notBefore": self.clock.now()}
        self.release(record)
        count_up(record)

    def queue_again(self, record: Record, seconds: float) -> None:
        if record["cancelRequested"]:
            self.finish(record, TaskStatus.CANCELLED)
            return
        record |= {"status": TaskStatus.QUEUED, "worker": None, "leaseUntil": None, "buying": False, "runId": None}
        record |= {"notBefore": self._in(seconds), "announceAt": self._in(seconds), "announced": 0}

    def leave_unknown(self, record: Record) -> None:
        if record["cancelRequested"]:
            self.finish(record, TaskStatus.CANCELLED)
            return
        record |= {"status": TaskStatus.OUTCOME_UNKNOWN, "worker": None, "leaseUntil": None, "buying": False}
        record["bookedAt"] = self.clock.now()
        record["announceAt"] = None

    def _free_unsure(self, record: Record) -> None:
        before = outcomes_of(record).count("unknown")
        submission_of(record, record["epoch"]).update(outcome="unknown", billed=record["cap"])
        record["error"] = "OutcomeUnknown"
        count_up(record)
        if record["onUnknown"] == UnknownOutcome.RESEND and before < RESENDS:
            self.queue_again(record, 0)
        else:
            self.leave_unknown(record)

    def _in(self, seconds: float) -> datetime:
        return self.clock.now() + timedelta(seconds=seconds)

    def _insert(
        self, task: NewTask, status: TaskStatus, *, announceAt: datetime | None, finishedAt: datetime | None
    ) -> None:
        if task.name.id in self.records:
            return
        self.records[task.name.id] = {
            "_id": task.name.id,
            "sessionId": task.name.session,
            "tenant": task.tenant,
            "provider": task.provider.value,
            "request": copy.deepcopy(dict(task.request)),
            "requestHash": task.request_hash,
            "onUnknown": task.on_unknown,
            "cap": task.cap,
            "status": status,
            "epoch": 0,
            "worker": None,
            "leaseUntil": None,
            "runId": None,
            "notBefore": self.clock.now(),
            "announceAt": announceAt,
            "announced": 0,
            "submissions": [],
            "billed": 0,
            "finishedAt": finishedAt,
            "bookedAt": None,
            "cancelRequested": False,
            "buying": False,
            "traceparent": task.traceparent,
            "cacheSeconds": task.cache_seconds,
        }


@dataclass
class FakeLedger:
    """A worker's side: implements `worker.ledger.Ledger`.

    While `away` is set every method raises Unreachable and does nothing. A method named in `lost` does its work and
    raises Unreachable once. `calls` names every call that came through.
    """

    tasks: FakeTasks
    worker: str = "one"
    provider: Provider = Provider.PERPLEXITY
    cache_seconds: float = 0.0
    away: bool = False
    lost: set[str] = field(default_factory=set[str])
    calls: list[str] = field(default_factory=list[str])
    held: dict[TaskId, int] = field(default_factory=dict[TaskId, int])

    def _shares(self, record: Record) -> bool:
        return self.provider is Provider.PERPLEXITY and self._cache_seconds(record) > 0

    def _cache_seconds(self, record: Record) -> float:
        said: float | None = record["cacheSeconds"]
        return self.cache_seconds if said is None else said

    async def claim(self, task_id: TaskId) -> Claim | None:
        self._called("claim")
        record = self.tasks.records.get(task_id)
        if record is None or task_id in self.held:
            return None
        ours_already = record["worker"] == self.worker and record["status"] in HELD
        if not ours_already and not self._take(record):
            return None
        record["leaseUntil"] = self.tasks.now_in(LEASE_SECONDS)
        self._replied("claim")
        self.held[task_id] = record["epoch"]
        return _claim(record, self.tasks.clock.now())

    async def answer_from_cache(self, task_id: TaskId) -> bool:
        self._called("answer_from_cache")
        record = self.tasks.records.get(task_id)
        if (
            record is None
            or not self._shares(record)
            or not self._free(record)
            or record["status"] != TaskStatus.QUEUED
        ):
            return False
        twins = [twin for twin in self.tasks.records.values() if self._answers(twin, record)]
        if not twins:
            return False
        twin = max(twins, key=lambda found: found["finishedAt"])
        marks = {name: copy.deepcopy(twin[name]) for name in ("result", "flags", "simulated")}
        self.tasks.finish(record, TaskStatus.COMPLETED, **marks, cachedFrom=twin["_id"], saved=twin["billed"])
        self._replied("answer_from_cache")
        return True

    async def put_off(self, task_id: TaskId, seconds: float) -> None:
        self._called("put_off")
        record = self.tasks.records.get(task_id)
        if record is not None and record["status"] == TaskStatus.QUEUED:
            later = max(record["notBefore"], self.tasks.now_in(seconds))
            record |= {"notBefore": later, "announceAt": later, "announced": 0}

    async def submitted(self, claim: Claim, run_id: str) -> bool:
        self._called("submitted")
        record = self.tasks.records[claim.task_id]
        submission = submission_of(record, claim.submission)
        ours = self._ours(record, claim)
        waits = record["status"] in {TaskStatus.QUEUED, TaskStatus.OUTCOME_UNKNOWN} and record["runId"] is None
        if ours:
            record |= {"status": TaskStatus.SUBMITTED, "runId": run_id}
            submission.update(outcome="accepted", runId=run_id)
        elif waits:
            self.tasks.hand_over(record, claim.submission, run_id)
        elif submission["outcome"] in {"pending", "unknown"}:
            submission.update(runId=run_id)
            self._book(record, submission, "accepted_late", claim.cap)
        self._replied("submitted")
        return ours

    async def complete(self, claim: Claim, answer: Completed) -> Saved:
        self._called("complete")
        record = self.tasks.records[claim.task_id]
        submission = submission_of(record, claim.submission)
        billed = answer.usage.billed or 0
        came = Saved.KNOWN
        if record["status"] not in FINAL:
            came = Saved.DECIDED
            submission.update(outcome="completed", billed=billed)
            marks = {"flags": list(answer.flags), "simulated": answer.usage.simulated, "error": None}
            self.tasks.finish(record, TaskStatus.COMPLETED, result=copy.deepcopy(answer.result), **marks)
            count_up(record)
        elif submission["outcome"] in {"pending", "accepted", "accepted_late", "unknown"}:
            came = self._book(record, submission, "completed_late", billed)
        self._replied("complete")
        self._put_down(claim)
        return came

    async def end(self, claim: Claim, ending: Ended) -> Saved:
        self._called("end")
        record = self.tasks.records[claim.task_id]
        submission = submission_of(record, claim.submission)
        came = Saved.KNOWN
        if self._ours(record, claim):
            came = Saved.DECIDED
            self._apply(record, submission, ending)
        elif ending.outcome == "unknown":
            if submission["outcome"] == "pending":
                came = self._book(record, submission, "unknown", ending.billed)
        elif submission["outcome"] in {"pending", "accepted", "accepted_late", "unknown"}:
            came = self._book(record, submission, f"{ending.outcome}_late", ending.billed)
        self._replied("end")
        self._put_down(claim)
        return came

    async def let_go(self, claim: Claim) -> None:
        self._called("let_go")
        record = self.tasks.records[claim.task_id]
        if self._ours(record, claim) and record["status"] == TaskStatus.SUBMITTED:
            self.tasks.release(record)
        self._replied("let_go")
        self._put_down(claim)

    async def renew(self) -> Sequence[TaskId]:
        self._called("renew")
        mine = [self.tasks.records[task] for task in self.held]
        mine = [record for record in mine if record["worker"] == self.worker and record["status"] in HELD]
        for record in mine:
            record["leaseUntil"] = self.tasks.now_in(LEASE_SECONDS)
        return [TaskId(record["_id"]) for record in mine if record["cancelRequested"]]

    async def status(self, task_id: TaskId) -> str | None:
        self._called("status")
        record = self.tasks.records.get(task_id)
        return record["status"] if record else None

    # ── small words ──────────────────────────────────────────────────────────────────────────────────────

    def _free(self, record: Record) -> bool:
        claimable = record["status"] in {TaskStatus.QUEUED, TaskStatus.SUBMITTED}
        return claimable and record["worker"] is None and record["notBefore"] <= self.tasks.clock.now()

    def _take(self, record: Record) -> bool:
        if not self._free(record):
            return False
        if record["status"] == TaskStatus.QUEUED:
            if self._shares(record) and self._somebody_buys(record):
                later = self.tasks.now_in(2)
                record |= {"notBefore": later, "announceAt": later, "announced": 0}
                return False
            record["status"] = TaskStatus.PROCESSING
            sent = self.tasks.clock.now()
            record["submissions"].append(
                {"epoch": record["epoch"] + 1, "sentAt": sent, "outcome": "pending", "billed": 0}
            )
            record["buying"] = self._shares(record)
        record |= {"worker": self.worker, "epoch": record["epoch"] + 1, "announceAt": None}
        return True

    def _somebody_buys(self, record: Record) -> bool:
        same = (record["tenant"], record["requestHash"])
        return any(r["buying"] and (r["tenant"], r["requestHash"]) == same for r in self.tasks.records.values())

    def _answers(self, twin: Record, record: Record) -> bool:
        same = (twin["tenant"], twin["requestHash"]) == (record["tenant"], record["requestHash"])
        if not same or twin["status"] != TaskStatus.COMPLETED or twin.get("cachedFrom"):
            return False
        return self.tasks.clock.now() - twin["finishedAt"] <= timedelta(seconds=self._cache_seconds(record))

    def _apply(self, record: Record, submission: Record, ending: Ended) -> None:
        submission.update(outcome=ending.outcome, billed=ending.billed)
        record["error"] = ending.error
        count_up(record)
        if ending.again_seconds is not None:
            record["hint"] = ending.message if ending.outcome == "unusable" else ""
            self.tasks.queue_again(record, ending.again_seconds)
        elif ending.ask:
            self.tasks.leave_unknown(record)
        else:
            self.tasks.finish(record, TaskStatus.FAILED)

    def _ours(self, record: Record, claim: Claim) -> bool:
        return (record["worker"], record["epoch"]) == (self.worker, claim.epoch) and record["status"] in HELD

    def _book(self, record: Record, submission: Record, outcome: str, billed: int) -> Saved:
        submission.update(outcome=outcome, billed=billed)
        record["bookedAt"] = self.tasks.clock.now()
        count_up(record)
        return Saved.BOOKED

    def _put_down(self, claim: Claim) -> None:
        if self.held.get(claim.task_id) == claim.epoch:
            del self.held[claim.task_id]

    def _called(self, name: str) -> None:
        if self.away:
            raise Unreachable("the database is away")
        self.calls.append(name)

    def _replied(self, name: str) -> None:
        if name in self.lost:
            self.lost.discard(name)
            raise Unreachable("the reply was lost")


def submission_of(record: Record, epoch: int) -> Record:
    return next(submission for submission in record["submissions"] if submission["epoch"] == epoch)


def outcomes_of(record: Record) -> list[str]:
    return [submission["outcome"] for submission in record["submissions"]]


def count_up(record: Record) -> None:
    record["billed"] = sum(submission["billed"] for submission in record["submissions"])


def _claim(record: Record, now: datetime) -> Claim:
    outcomes = outcomes_of(record)
    run_id: str | None = record["runId"]
    brought_it = [s["epoch"] for s in record["submissions"] if run_id is not None and s.get("runId") == run_id]
    number = brought_it[-1] if brought_it else record["submissions"][-1]["epoch"]
    sent: datetime = submission_of(record, number)["sentAt"]
    return Claim(
        task_id=TaskId(record["_id"]),
        session_id=record["sessionId"],
        provider=Provider(record["provider"]),
        epoch=record["epoch"],
        submission=number,
        attempt=sum(1 for outcome in outcomes if outcome != "not_sent"),
        run_id=run_id,
        request=copy.deepcopy(record["request"]),
        tally=Tally(outcomes.count("refused"), outcomes.count("unusable"), outcomes.count("unknown")),
        policy=record["onUnknown"],
        cap=record["cap"],
        hint=record.get("hint", ""),
        run_age_seconds=(now - sent).total_seconds() if run_id is not None else 0.0,
        claimed_at=time.monotonic(),
        traceparent=record["traceparent"],
    )


def _outcome(record: Mapping[str, Any]) -> Outcome:
    return Outcome(
        status=record["status"],
        result=record.get("result"),
        error=record.get("error") or "",
        resend=record.get("error") == "ResendAsked",
        billed=Micros(record["billed"]),
        saved=Micros(record.get("saved", 0)),
        finished_at=record["finishedAt"],
        maybe_paid=any(submission["outcome"] == "unknown" for submission in record["submissions"]),
    )
