"""Indexes, made at start and idempotently. Each one serves a query that is named beside it."""

from pymongo import ASCENDING, DESCENDING, IndexModel

from ekiden.store.database import Database, away

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
            [("nextRetryAt", ASCENDING)],
            name="retries_due",
            partialFilterExpression={"nextRetryAt": {"$type": "date"}},
        ),
    ],
    "tasks": [
        IndexModel([("sessionId", ASCENDING), ("createdAt", ASCENDING)], name="of_session"),
        IndexModel([("leaseUntil", ASCENDING)], name="leases_that_ran_out", sparse=True),
        IndexModel([("announceAt", ASCENDING)], name="due", sparse=True),
        IndexModel([("finishedAt", ASCENDING)], name="reconcile_what_finished", sparse=True),
        IndexModel([("bookedAt", ASCENDING)], name="reconcile_what_was_booked", sparse=True),
        IndexModel([("worker", ASCENDING)], name="renew", partialFilterExpression={"worker": {"$type": "string"}}),
        IndexModel(
            [("provider", ASCENDING), ("status", ASCENDING)],
            name="outstanding",
            partialFilterExpression={"status": {"$in": ["QUEUED", "PROCESSING", "SUBMITTED"]}},
        ),
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
    "drafts": [IndexModel([("session", ASCENDING), ("conceptNumber", ASCENDING)], name="of_session")],
}


async def ensure_schema(database: Database) -> None:
    """Make what is missing. Raises Unreachable."""
    for collection, indexes in INDEXES.items():
        with away():
            await database.journaled(collection).create_indexes(indexes)
