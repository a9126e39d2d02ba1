"""What can happen to a provider's document, as update pipelines: each one atomic, with the database's own clock in it.

Two workers that are refused at the same moment are both counted, and of all that see a probe due one gets it.
"""

import math

from ekiden.retry import REFUSED_ATTEMPTS
from ekiden.store.database import Document
from ekiden.store.task_writes import Pipeline, seconds_from_now

OUTAGE_REFUSALS = REFUSED_ATTEMPTS
"""So many refusals for an outage in a row, of all workers and without an answer between, open the breaker.

As many as one task is given: a task that is alone in an outage is held back at its last attempt, and does not fail.
"""
FIRST_PROBE_SECONDS = 15.0
LONGEST_PROBE_SECONDS = 120.0
PROBE_LEASE_SECONDS = 8.0
"""Whoever probes renews this while its call is under way; after its death somebody else may."""
BY_PERSON = "person"
BY_WORKER = "worker"

_IS_OPEN = {"$ne": [{"$ifNull": ["$breaker", None]}, None]}
_BY_PERSON = {"$eq": ["$openedBy", BY_PERSON]}
_NOBODY_PROBES: Document = {"probeBy": None, "probeAt": None, "probePause": None}
_NEW_LINE: Document = {
    "slotAt": {"$max": ["$coolDownUntil", "$$NOW"]},
    "line": {"$add": [{"$ifNull": ["$line", 0]}, 1]},
}
"""Whoever stands in the line must take a new place, which is none before the end of the cool-down."""
_CLOSED: Document = {
    "breaker": None,
    "breakerSince": None,
    "openedBy": None,
    "refusals": 0,
    **_NOBODY_PROBES,
    **_NEW_LINE,
}


def refused(reason: str, *, counts: bool, opens: bool, cool_down_seconds: float | None) -> Pipeline:
    """A call was refused: count it as an outage, open the breaker at once or when there were enough, cool down.

    An open breaker keeps its reason, and one that a person opened stays the person's. The line of rate
    slots begins anew behind the cool-down: the places within it would be lost, and come due all at once after it.
    """
    enough = [{"$gte": ["$refusals", OUTAGE_REFUSALS]}] if counts else []
    opening: Document = {"$and": [{"$not": [_IS_OPEN]}, {"$or": [opens, *enough]}]}
    opened: Document = {
        "breaker": {"$literal": reason},
        "breakerSince": "$$NOW",
        "openedBy": BY_WORKER,
        "probeBy": None,
        "probeAt": seconds_from_now(FIRST_PROBE_SECONDS),
        "probePause": FIRST_PROBE_SECONDS,
    }
    steps: Pipeline = []
    if counts:
        steps.append({"$set": {"refusals": {"$add": [{"$ifNull": ["$refusals", 0]}, 1]}}})
    if cool_down_seconds is not None:
        later = {"$max": ["$coolDownUntil", seconds_from_now(cool_down_seconds)]}
        steps += [{"$set": {"coolDownUntil": later}}, {"$set": _NEW_LINE}]
    return [*steps, _where(opening, opened)]


def probe_failed(worker: str) -> Pipeline:
    """The next one comes after a longer pause."""
    pause = {"$ifNull": ["$probePause", FIRST_PROBE_SECONDS]}
    longer = {"$min": [{"$multiply": [pause, 2]}, LONGEST_PROBE_SECONDS]}
    following = {"$add": ["$$NOW", {"$multiply": ["$probePause", 1000]}]}
    mine = {"$eq": ["$probeBy", worker]}
    return [
        _where(mine, {"probePause": longer}),
        _where(mine, {"probeBy": None, "probeAt": following}),
    ]


def probe_unused(worker: str) -> Pipeline:
    """What was to be the probe was not sent: whoever comes next may be it."""
    return [_where({"$eq": ["$probeBy", worker]}, {"probeBy": None, "probeAt": "$$NOW"})]


def begin_probe(worker: str) -> Pipeline:
    return [{"$set": {"probeBy": worker, "probeAt": seconds_from_now(PROBE_LEASE_SECONDS)}}]


def renew_probe() -> Pipeline:
    return [{"$set": {"probeAt": seconds_from_now(PROBE_LEASE_SECONDS)}}]


def answered(after_seconds: float) -> Pipeline:
    """An answer to a call that was sent so many seconds ago ends a row of refusals.

    It closes the breaker only when it was sent after that had opened, and no person opened it: what was accepted
    before an outage says nothing of how the provider is now.
    """
    sent = {"$subtract": ["$$NOW", round(after_seconds * 1000)]}
    closes: Document = {"$and": [_IS_OPEN, {"$not": [_BY_PERSON]}, {"$lte": ["$breakerSince", sent]}]}
    return [{"$set": {"refusals": 0}}, _where(closes, _CLOSED)]


def open_by_person(reason: str) -> Pipeline:
    since = {"$cond": [_IS_OPEN, "$breakerSince", "$$NOW"]}
    opened = {"breaker": {"$literal": reason}, "breakerSince": since, "openedBy": BY_PERSON, **_NOBODY_PROBES}
    return [{"$set": opened}]


def close() -> Pipeline:
    return [{"$set": _CLOSED}]


def slot(interval_seconds: float, longest_wait_seconds: float) -> Pipeline:
    """Take the next place of an evenly spaced line (GCRA without burst), unless it is too far away.

    `slotTaken` says whether it was: the place is then one interval before the new `slotAt`.
    """
    line = {"$max": ["$slotAt", "$$NOW"]}
    near = {"$lte": [{"$ifNull": ["$slotAt", "$$NOW"]}, seconds_from_now(longest_wait_seconds)]}
    following = {"$add": [line, math.ceil(interval_seconds * 1000)]}
    return [{"$set": {"slotAt": {"$cond": [near, following, "$slotAt"]}, "slotTaken": near}}]


def _where(condition: Document, fields: Document) -> Document:
    """Set the fields in a document for which the condition holds."""
    return {"$replaceWith": {"$cond": [condition, {"$mergeObjects": ["$$ROOT", fields]}, "$$ROOT"]}}
