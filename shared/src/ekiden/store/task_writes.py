"""The ledger's writes as MongoDB updates, most of them pipelines: each one atomic, by the database's own clock.

They are kept apart from the stores that send them, so that what can happen to a task is read on one page.
"""

from collections.abc import Sequence
from typing import Any

from ekiden.domain.messages import TaskStatus
from ekiden.store.database import Document
from ekiden.worker.ledger import Completed, Ended

LEASE_SECONDS = 8
"""How long a claim holds without renewal (DESIGN 6)."""
ANNOUNCE_AGAIN_SECONDS = 5
"""A task is announced again after this long beside an empty queue, doubling up to 80 s.

Its message may be in the hands of a worker whose slots are all taken."""
BEHIND_OTHERS_SECONDS = 600
"""A task that is queued behind others is told of again this late, doubling up to 80 minutes."""
MOST_DOUBLINGS = {ANNOUNCE_AGAIN_SECONDS: 4, BEHIND_OTHERS_SECONDS: 3}
RESEND_ASKED = "ResendAsked"
"""The error of a task that a person wants ordered again."""
RESTORED = "Restored"
"""The error of a submission that was made, if it was, after the backup that this ledger came out of."""
WHY_DOUBTED = "the database was restored from a backup: it may have been bought since that was made"

Pipeline = list[Document]

_FREE = [TaskStatus.QUEUED, TaskStatus.SUBMITTED]
_HELD = [TaskStatus.PROCESSING, TaskStatus.SUBMITTED]
_NOT_FINAL = [TaskStatus.QUEUED, TaskStatus.PROCESSING, TaskStatus.SUBMITTED, TaskStatus.OUTCOME_UNKNOWN]
_GONE = {"worker": None, "leaseUntil": "$$REMOVE", "buying": "$$REMOVE"}
_FINAL = _GONE | {"announceAt": "$$REMOVE", "finishedAt": "$$NOW"}
_UNKNOWN = _GONE | {"status": TaskStatus.OUTCOME_UNKNOWN, "announceAt": "$$REMOVE", "bookedAt": "$$NOW"}
_BILLED = {"$sum": "$submissions.billed"}


def seconds_from_now(seconds: float) -> Document:
    return {"$add": ["$$NOW", round(seconds * 1000)]}


# ── announce ─────────────────────────────────────────────────────────────────────────────────────────────


def announcing() -> Pipeline:
    """Somebody is about to tell of it. Until they have, nobody was told, whatever stands in its queue."""
    return [{"$set": {"announceAt": seconds_from_now(ANNOUNCE_AGAIN_SECONDS)}}]


def announced(first_seconds: int) -> Pipeline:
    """Count a telling, and put the next one off for twice as long as the last time."""
    doublings = {"$min": [{"$max": [{"$subtract": ["$announced", 1]}, 0]}, MOST_DOUBLINGS[first_seconds]]}
    pause = {"$multiply": [first_seconds * 1000, {"$pow": [2, doublings]}]}
    return [{"$set": {"announceAt": {"$add": ["$$NOW", pause]}, "announced": {"$add": ["$announced", 1]}}}]


def still_to_announce(task_ids: Sequence[str]) -> Document:
    """Those of them that are free, and that somebody is to be told of: not what was claimed, and refused, meanwhile."""
    return free(task_ids) | {"announceAt": {"$type": "date"}}


def never_announced(task_ids: Sequence[str]) -> Document:
    """Those of them that are as they were created: neither told of, nor claimed, nor put off since."""
    return still_to_announce(task_ids) | {"announced": 0, "epoch": 0}


# ── claim ────────────────────────────────────────────────────────────────────────────────────────────────


def put_off(seconds: float) -> Pipeline:
    """Later than now, and never sooner than it already is. How long a task is tried does not run meanwhile."""
    later = {"$max": ["$notBefore", seconds_from_now(seconds)]}
    return [{"$set": {"notBefore": later, "announceAt": later, "announced": 0, "waitedUntil": later}}]


def free(task_ids: Sequence[str]) -> Document:
    """Those of them that may be claimed: nobody's, and their time has come."""
    due = {"$expr": {"$lte": ["$notBefore", "$$NOW"]}}
    return _these(task_ids) | {"status": {"$in": _FREE}, "worker": None, **due}


def claim(worker: str, *, cache_seconds: float | None) -> Pipeline:
    """Owner, epoch + 1 and a lease. A queued task begins a submission: the intent, stored before the first byte.

    `cache_seconds` is the worker's for a search whose workflow says none; None claims without being its one buyer.
    """
    queued = {"$eq": ["$status", TaskStatus.QUEUED]}
    intent = {"epoch": {"$add": ["$epoch", 1]}, "sentAt": "$$NOW", "outcome": "pending", "billed": 0}
    begun = {"$concatArrays": ["$submissions", [intent]]}
    fields: Document = {
        "worker": worker,
        "epoch": {"$add": ["$epoch", 1]},
        "leaseUntil": seconds_from_now(LEASE_SECONDS),
        "status": {"$cond": [queued, TaskStatus.PROCESSING, "$status"]},
        "submissions": {"$cond": [queued, begun, "$submissions"]},
        "startedAt": {"$ifNull": ["$startedAt", "$$NOW"]},
        "announceAt": "$$REMOVE",
    }
    if cache_seconds is not None:
        shared = {"$gt": [{"$ifNull": ["$cacheSeconds", cache_seconds]}, 0]}
        fields["buying"] = {"$cond": [shared, True, "$$REMOVE"]}
    return [{"$set": fields}]


def _these(task_ids: Sequence[str]) -> Document:
    return {"_id": task_ids[0] if len(task_ids) == 1 else {"$in": list(task_ids)}}


def renew() -> Pipeline:
    return [{"$set": {"leaseUntil": seconds_from_now(LEASE_SECONDS)}}]


def held_by(worker: str, task_ids: Sequence[str]) -> Document:
    """Those of them that the database says this worker has claimed, whatever the worker knows of it."""
    return _these(task_ids) | {"worker": worker, "status": {"$in": _HELD}}


def claimed(task_id: str, worker: str, epoch: int) -> Document:
    """The fence: only the claim that is in force."""
    return {"_id": task_id, "worker": worker, "epoch": epoch, "status": {"$in": _HELD}}


def bought(tenant: str, request_hashes: list[str], cache_seconds: float) -> Document:
    """Searches with these requests of one owner, young enough, that were really bought: the ledger is the cache."""
    age = {"$subtract": ["$$NOW", "$finishedAt"]}
    young = {"$and": [{"$gte": [age, 0]}, {"$lte": [age, round(cache_seconds * 1000)]}]}
    return {
        "tenant": tenant,
        "requestHash": {"$in": request_hashes},
        "status": TaskStatus.COMPLETED,
        "cachedFrom": None,
        "$expr": young,
    }


# ── submit and collect ───────────────────────────────────────────────────────────────────────────────────


def submitted(epoch: int, run_id: str) -> Pipeline:
    run = {"$literal": run_id}
    fields = {"status": TaskStatus.SUBMITTED, "runId": run}
    return [{"$set": fields | {"submissions": _booked(epoch, {"runId": run, "outcome": "accepted"})}}]


def without_run(task_id: str) -> Document:
    """A task to which a late run id is still news."""
    waiting = [TaskStatus.QUEUED, TaskStatus.OUTCOME_UNKNOWN]
    return {"_id": task_id, "runId": None, "status": {"$in": waiting}}


def late_run(epoch: int, run_id: str) -> Pipeline:
    """Evidence closes an unknown outcome: the run is there to be collected, and what it costs will be known."""
    return _to_collect(epoch, run_id)


UNANSWERED: Document = {"status": {"$in": _NOT_FINAL}}
"""A task to which an answer is news, whoever holds it by now."""


def answered(submission: int, answer: Completed) -> Document:
    """The values of `complete` for one task."""
    usage = answer.usage
    booked = {
        "outcome": "completed",
        "billed": usage.billed,
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "price": usage.price,
        "model": usage.model,
        "simulated": usage.simulated,
    }
    task = {"result": answer.result, "response": answer.response, "flags": list(answer.flags)}
    return {"submission": submission, "booked": booked, **task}


def complete() -> Pipeline:
    """The answer that `$mine` is, as `answered` says it."""
    answer = {name: f"$mine.{name}" for name in ("result", "response", "flags")}
    fields: Document = {"status": TaskStatus.COMPLETED, "simulated": "$mine.booked.simulated", "error": None, **answer}
    booked = {"$mergeObjects": ["$mine.booked", {"endedAt": "$$NOW"}]}
    return [
        {"$set": _FINAL | fields | {"submissions": _booked("$mine.submission", booked)}},
        {"$set": {"billed": _BILLED}},
    ]


def end(epoch: int, ending: Ended) -> Pipeline:
    """How a submission without an answer ends its task, or queues it again.

    A task whose cancellation was asked for is never queued again.
    """
    booked: Document = {"outcome": ending.outcome, "endedAt": "$$NOW", "billed": ending.billed, "error": ending.error}
    booked["message"] = {"$literal": ending.message}
    error: Document = {"error": ending.error, "message": {"$literal": ending.message}}
    error |= {"mayPass": ending.may_pass, "tooLong": ending.too_long}
    if ending.again_seconds is not None:
        fields = _requeue(ending.again_seconds)
        fields["hint"] = {"$literal": ending.message if ending.outcome == "unusable" else ""}
    elif ending.ask:
        fields = _unless_abandoned(_UNKNOWN)
    else:
        fields = _FINAL | {"status": TaskStatus.FAILED}
    return [
        {"$set": {"submissions": _booked(epoch, booked)}},
        {"$set": {"billed": _BILLED, "error": error}},
        {"$set": fields},
    ]


def book(epoch: int, outcome: str, billed: int, run_id: str | None) -> Pipeline:
    """Book what came second: only its cost, so that our bill equals the provider's."""
    booked: Document = {"outcome": outcome, "endedAt": "$$NOW", "billed": billed}
    if run_id:
        booked["runId"] = {"$literal": run_id}
    return [
        {"$set": {"submissions": _booked(epoch, booked)}},
        {"$set": {"billed": _BILLED, "bookedAt": "$$NOW"}},
    ]


def from_cache(twin: Document) -> Pipeline:
    """The answer of an identical search, with the marks it bears."""
    fields: Document = _FINAL | {
        "status": TaskStatus.COMPLETED,
        "result": {"$literal": twin["result"]},
        "flags": {"$literal": twin.get("flags", [])},
        "simulated": twin.get("simulated", False),
        "cachedFrom": twin["_id"],
        "saved": twin.get("billed", 0),
        "startedAt": "$$NOW",
    }
    return [{"$set": fields}]


def unsent_from_cache(epoch: int, twin: Document) -> Pipeline:
    """A claimed search that need not be sent: while it was being claimed an identical one was answered."""
    booked = _booked(epoch, {"outcome": "not_sent", "endedAt": "$$NOW"})
    return [{"$set": {"submissions": booked}}, *from_cache(twin)]


def let_go() -> Pipeline:
    """Nobody's any more, and to be announced at once."""
    return [{"$set": {"worker": None, "leaseUntil": "$$REMOVE", "announceAt": "$$NOW", "announced": 0}}]


# ── free, abandon, resolve ───────────────────────────────────────────────────────────────────────────────


def free_processing(epoch: int, cap: int, *, resend: bool) -> Pipeline:
    """A lease ran out between claim and answer: the request may have gone out."""
    booked = {"outcome": "unknown", "endedAt": "$$NOW", "billed": cap, "error": "OutcomeUnknown"}
    why = "the worker that sent it stopped before it had an answer"
    error = {"error": "OutcomeUnknown", "message": why, "mayPass": False, "tooLong": False}
    unknown = _unless_abandoned(_UNKNOWN)
    return [
        {"$set": {"submissions": _booked(epoch, booked)}},
        {"$set": {"billed": _BILLED, "error": error}},
        {"$set": _requeue(0) if resend else unknown},
    ]


def abandon(*, cancel: bool) -> Pipeline:
    """Nobody waits for it any more: unsent work ends here, a call under way runs to its end and is booked.

    With `cancel` its worker also asks the provider to stop; without, its answer may still serve as a cached one.
    """
    held = {"$in": ["$status", _HELD]}
    fields = {
        "status": {"$cond": [held, "$status", TaskStatus.CANCELLED]},
        "finishedAt": {"$cond": [held, "$finishedAt", "$$NOW"]},
        "announceAt": {"$cond": [held, "$announceAt", "$$REMOVE"]},
        "abandoned": True,
    }
    return [{"$set": fields | ({"cancelRequested": True} if cancel else {})}]


def not_final(task_ids: list[str]) -> Document:
    return {"_id": {"$in": task_ids}, "status": {"$in": _NOT_FINAL}}


def give_up(why: str) -> Pipeline:
    error = {"error": "OutcomeUnknown", "message": {"$literal": why}, "mayPass": False, "tooLong": False}
    return [{"$set": _FINAL | {"status": TaskStatus.FAILED, "error": error}}]


def resend() -> Pipeline:
    """A person wants it ordered again: closed first, so that an answer which comes now is only booked."""
    why = "a person asked to send it again"
    error = {"error": RESEND_ASKED, "message": why, "mayPass": True, "tooLong": False}
    return [{"$set": _FINAL | {"status": TaskStatus.FAILED, "error": error}}]


def fall_back(why: str) -> Pipeline:
    """Nobody asks this provider any more: what waits for it fails unsent, and its step asks somebody else."""
    error = {"error": "ProviderUnavailable", "message": {"$literal": why}, "mayPass": True, "tooLong": False}
    return [{"$set": _FINAL | {"status": TaskStatus.FAILED, "error": error}}]


def doubt(*, resend: bool) -> Pipeline:
    """This ledger came out of a backup, and what had not ended in it may have been sent, or answered, since then.

    Written as a claim that was lost: counted, billed at its cap, and there for a run to be attached to.
    """
    lost: Document = {"outcome": "unknown", "endedAt": "$$NOW", "billed": "$cap", "error": RESTORED}
    following = {"$add": ["$epoch", 1]}
    begun = {"$concatArrays": ["$submissions", [{"epoch": following, "sentAt": "$$NOW", **lost}]]}
    without_verdict = {"$in": ["$$s.outcome", ["pending", "accepted"]]}
    merged = {"$cond": [without_verdict, {"$mergeObjects": ["$$s", lost]}, "$$s"]}
    closed = {"$map": {"input": "$submissions", "as": "s", "in": merged}}
    queued = {"$eq": ["$status", TaskStatus.QUEUED]}
    sent: Document = {
        "submissions": {"$cond": [queued, begun, closed]},
        "epoch": {"$cond": [queued, following, "$epoch"]},
        "startedAt": {"$ifNull": ["$startedAt", "$$NOW"]},
    }
    no_run = {"$eq": [{"$ifNull": ["$runId", None]}, None]}
    run = {"$concat": [WHY_DOUBTED, "; its run ", "$runId", " was accepted before: attach it"]}
    error: Document = {"error": "OutcomeUnknown", "message": {"$cond": [no_run, WHY_DOUBTED, run]}}
    error |= {"mayPass": False, "tooLong": False}
    return [
        {"$set": sent},
        {"$set": {"billed": _BILLED, "error": error}},
        {"$set": _requeue(0) if resend else _unless_abandoned(_UNKNOWN)},
    ]


def attach(run_id: str) -> Pipeline:
    """A person found the run at the provider: collect it."""
    return _to_collect({"$arrayElemAt": ["$submissions.epoch", -1]}, run_id)


WITHOUT_VERDICT = ("pending", "accepted", "accepted_late", "unknown")
"""Outcomes of a submission that what it brought, or did not bring, may still replace."""
WITHOUT_RUN = ("pending", "unknown")
NOTHING_KNOWN = ("pending",)


def unbooked(task_id: str, epoch: int, waiting: Sequence[str]) -> Document:
    """A task on which this submission still has one of these outcomes."""
    return {"_id": task_id, "submissions": {"$elemMatch": {"epoch": epoch, "outcome": {"$in": list(waiting)}}}}


def _to_collect(epoch: Any, run_id: str) -> Pipeline:
    """Free, to be collected by anybody under this run id; what the submission costs is open again."""
    run = {"$literal": run_id}
    fields = _GONE | {"status": TaskStatus.SUBMITTED, "runId": run, "announceAt": "$$NOW", "announced": 0}
    booked = _booked(epoch, {"runId": run, "outcome": "accepted", "billed": 0})
    return [{"$set": fields | {"notBefore": "$$NOW", "submissions": booked}}, {"$set": {"billed": _BILLED}}]


def _requeue(seconds: float) -> Document:
    later = seconds_from_now(seconds)
    return _unless_abandoned(
        _GONE | {"status": TaskStatus.QUEUED, "runId": None, "notBefore": later, "announceAt": later, "announced": 0}
    )


def _unless_abandoned(fields: Document) -> Document:
    """The same, but for a task that was abandoned: that one is CANCELLED and stays so."""
    asked = {"$eq": ["$abandoned", True]}
    ended = _FINAL | {"status": TaskStatus.CANCELLED}
    names = {*fields, *ended}
    return {name: {"$cond": [asked, ended.get(name, f"${name}"), fields.get(name, f"${name}")]} for name in names}


def _booked(epoch: Any, values: Document) -> Document:
    """The submissions, with values merged into the one of an epoch."""
    this = {"$eq": ["$$s.epoch", epoch]}
    merged = {"$mergeObjects": ["$$s", values]}
    return {"$map": {"input": "$submissions", "as": "s", "in": {"$cond": [this, merged, "$$s"]}}}
