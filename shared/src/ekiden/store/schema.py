"""Indexes, made at start and idempotently. Each one serves a query that is named beside it."""

from datetime import UTC, datetime

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import OperationFailure

from ekiden.store.database import Collection, Database, away

BEGINNING_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""What a partial index of dates is told by: the planner takes it for a comparison, and would not for a `$type`."""
REPLAYED_KEPT_SECONDS = 30 * 86_400
COUNTED_BY = "count_by_status"
"""Has all that is counted, so that no session is read for it. Others begin alike: the planner has to be told."""
FULL_AGAIN_SECONDS = 120
"""A bucket of requests is full after a minute; one that nobody has is full, too."""
STARTED_SECONDS = 3600
"""Whoever was about to start has long started."""
RUNS_KEPT_SECONDS = 90 * 86_400
VISIT_SECONDS = 7 * 86_400
"""A visit to the page lasts so long at most; one that was ended has then ended by itself."""
_INDEX_NOT_FOUND = 27

INDEXES: dict[str, list[IndexModel]] = {
    "sessions": [
        IndexModel([("owner", ASCENDING), ("createdAt", DESCENDING), ("_id", DESCENDING)], name="list"),
        IndexModel(
            [("owner", ASCENDING), ("idempotency.key", ASCENDING)],
            name="one_session_of_an_idempotency_key",
            unique=True,
            partialFilterExpression={"idempotency.key": {"$type": "string"}},
        ),
        IndexModel([("movedAt", ASCENDING)], name="reconcile_what_moved"),
        IndexModel([("reserved.task", ASCENDING)], name="reconcile_all_reserved", sparse=True),
        IndexModel([("status", ASCENDING), ("_id", ASCENDING)], name="reconcile_all_moving"),
        IndexModel(
            [("finishedAt", ASCENDING)],
            name="prune_by_age",
            partialFilterExpression={"finishedAt": {"$gt": BEGINNING_OF_TIME}},
        ),
        IndexModel(
            [("nextRetryAt", ASCENDING)],
            name="retry_when_due",
            partialFilterExpression={"nextRetryAt": {"$gt": BEGINNING_OF_TIME}},
        ),
        IndexModel([("owner", ASCENDING), ("status", ASCENDING), ("version", ASCENDING)], name=COUNTED_BY),
        IndexModel(
            [("scheduleId", ASCENDING), ("createdAt", ASCENDING)],
            name="of_schedule_in_a_month",
            partialFilterExpression={"scheduleId": {"$gt": ""}},
        ),
        IndexModel(
            [("scheduleId", ASCENDING), ("status", ASCENDING)],
            name="of_schedule_not_over",
            partialFilterExpression={"scheduleId": {"$gt": ""}},
        ),
        IndexModel(
            [("owner", ASCENDING), ("webhookUrl", ASCENDING)],
            name="that_name_an_address",
            partialFilterExpression={"webhookUrl": {"$gt": ""}},
        ),
        IndexModel(
            [("replay.root", ASCENDING), ("createdAt", DESCENDING)],
            name="replays",
            partialFilterExpression={"replay.root": {"$gt": ""}},
        ),
        IndexModel(
            [("waitingReason", ASCENDING), ("gate.dueAt", ASCENDING)],
            name="answer_gates_when_due",
            partialFilterExpression={"gate.dueAt": {"$gt": BEGINNING_OF_TIME}},
        ),
    ],
    "schedules": [
        IndexModel([("owner", ASCENDING), ("createdAt", DESCENDING), ("_id", DESCENDING)], name="list"),
        IndexModel(
            [("owner", ASCENDING), ("idempotency.key", ASCENDING)],
            name="one_schedule_of_an_idempotency_key",
            unique=True,
            partialFilterExpression={"idempotency.key": {"$type": "string"}},
        ),
        IndexModel([("nextAt", ASCENDING)], name="due", partialFilterExpression={"nextAt": {"$gt": BEGINNING_OF_TIME}}),
        IndexModel(
            [("decidedAt", ASCENDING)],
            name="not_carried_out",
            partialFilterExpression={"decidedAt": {"$gt": BEGINNING_OF_TIME}},
        ),
        IndexModel(
            [("queuedAt", ASCENDING)],
            name="with_a_queue",
            partialFilterExpression={"queuedAt": {"$gt": BEGINNING_OF_TIME}},
        ),
    ],
    "schedule_runs": [
        IndexModel([("scheduleId", ASCENDING), ("at", DESCENDING), ("_id", DESCENDING)], name="list"),
        IndexModel([("decidedAt", ASCENDING)], name="forget", expireAfterSeconds=RUNS_KEPT_SECONDS),
    ],
    "tasks": [
        IndexModel([("sessionId", ASCENDING), ("createdAt", ASCENDING)], name="of_session"),
        IndexModel([("leaseUntil", ASCENDING)], name="leases_that_ran_out", sparse=True),
        IndexModel(
            [("provider", ASCENDING), ("status", ASCENDING), ("announceAt", ASCENDING)],
            name="to_announce",
            partialFilterExpression={"announceAt": {"$exists": True}},
        ),
        IndexModel([("finishedAt", ASCENDING)], name="reconcile_what_finished", sparse=True),
        IndexModel([("bookedAt", ASCENDING)], name="reconcile_what_was_booked", sparse=True),
        IndexModel(
            [("tenant", ASCENDING), ("requestHash", ASCENDING), ("finishedAt", DESCENDING)],
            name="cache",
            partialFilterExpression={"requestHash": {"$gt": ""}},
        ),
        IndexModel(
            [("tenant", ASCENDING), ("requestHash", ASCENDING)],
            name="one_buyer_of_a_search",
            unique=True,
            partialFilterExpression={"buying": True},
        ),
    ],
    "dead_letters": [
        IndexModel([("replayedAt", ASCENDING), ("diedAt", DESCENDING), ("_id", DESCENDING)], name="list"),
        IndexModel([("replayedAt", ASCENDING)], name="forget_replayed", expireAfterSeconds=REPLAYED_KEPT_SECONDS),
        IndexModel([("storedAt", ASCENDING)], name="prune_by_age"),
        IndexModel([("sessionId", ASCENDING)], name="of_session", sparse=True),
    ],
    "pruned": [
        IndexModel([("prunedAt", ASCENDING)], name="interrupted", partialFilterExpression={"left": True}),
        IndexModel(
            [("scheduleId", ASCENDING), ("createdAt", ASCENDING)],
            name="of_schedule_in_a_month",
            partialFilterExpression={"scheduleId": {"$gt": ""}},
        ),
    ],
    "api_keys": [
        IndexModel([("digest", ASCENDING)], name="of_secret", unique=True),
        IndexModel([("createdAt", DESCENDING), ("_id", DESCENDING)], name="list"),
        IndexModel(
            [("client", ASCENDING), ("slot", ASCENDING)],
            name="two_active_keys_of_a_client",
            unique=True,
            partialFilterExpression={"slot": {"$gt": 0}},
        ),
        IndexModel(
            [("createdBy", ASCENDING), ("idempotency.key", ASCENDING)],
            name="one_key_of_an_idempotency_key",
            unique=True,
            partialFilterExpression={"idempotency.key": {"$gt": ""}},
        ),
    ],
    "request_rates": [IndexModel([("at", ASCENDING)], name="forget_full", expireAfterSeconds=FULL_AGAIN_SECONDS)],
    "session_places": [IndexModel([("at", ASCENDING)], name="forget_started", expireAfterSeconds=STARTED_SECONDS)],
    "ended_visits": [IndexModel([("at", ASCENDING)], name="forget_ended", expireAfterSeconds=VISIT_SECONDS)],
    "webhooks": [
        IndexModel([("owner", ASCENDING), ("createdAt", DESCENDING), ("_id", DESCENDING)], name="list"),
        IndexModel([("owner", ASCENDING)], name="hears_of_all", partialFilterExpression={"sessionOnly": False}),
        IndexModel(
            [("owner", ASCENDING), ("namedAt", ASCENDING)],
            name="addresses_of_sessions",
            partialFilterExpression={"namedAt": {"$gt": BEGINNING_OF_TIME}},
        ),
        IndexModel(
            [("namedAt", ASCENDING)],
            name="look_whether_still_named",
            partialFilterExpression={"namedAt": {"$gt": BEGINNING_OF_TIME}},
        ),
        IndexModel(
            [("owner", ASCENDING), ("idempotency.key", ASCENDING)],
            name="one_webhook_of_an_idempotency_key",
            unique=True,
            partialFilterExpression={"idempotency.key": {"$type": "string"}},
        ),
    ],
    "deliveries": [
        IndexModel([("webhook", ASCENDING), ("createdAt", DESCENDING), ("_id", DESCENDING)], name="log"),
        IndexModel(
            [("lane", ASCENDING), ("dueAt", ASCENDING)],
            name="due_of_lane",
            partialFilterExpression={"dueAt": {"$gt": BEGINNING_OF_TIME}},
        ),
        IndexModel([("dueAt", ASCENDING)], name="due", partialFilterExpression={"dueAt": {"$gt": BEGINNING_OF_TIME}}),
        IndexModel([("sessionId", ASCENDING)], name="of_session", sparse=True),
        IndexModel([("forgetAt", ASCENDING)], name="forget_pings", expireAfterSeconds=0, sparse=True),
    ],
    "drafts": [IndexModel([("session", ASCENDING), ("conceptNumber", ASCENDING)], name="of_session")],
}


RETIRED: dict[str, frozenset[str]] = {"tasks": frozenset({"outstanding"})}
"""Indexes of older versions that serve no query any more. No name of these is ever given to another index, and an
index that changes gets another name: an older version must find its own, or make it again, when somebody goes back."""


async def ensure_schema(database: Database) -> None:
    """Make what is missing, then drop what is retired. Raises Unreachable."""
    for collection, indexes in INDEXES.items():
        with away():
            await database.journaled(collection).create_indexes(indexes)
    for collection, names in RETIRED.items():
        with away():
            await _retire(database.journaled(collection), names)


async def _retire(collection: Collection, names: frozenset[str]) -> None:
    for name in sorted(names & (await collection.index_information()).keys()):
        try:
            await collection.drop_index(name)
        except OperationFailure as error:  # a process that starts at the same moment was first
            if error.code != _INDEX_NOT_FOUND:
                raise
