"""A claim, read from the document the database answered: how old its run is, and for how long it was refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ekiden.store.ledger import read_claim
from ekiden.store.task_writes import LEASE_SECONDS
from ekiden.worker.ledger import Claim

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def claim(*sent: tuple[float, str], run_id: str | None = None, waited: float | None = None, now: float = 0) -> Claim:
    """A task whose submissions were sent so many seconds after noon, claimed `now`."""
    submissions: list[dict[str, Any]] = [
        {"epoch": number, "sentAt": NOON + timedelta(seconds=seconds), "outcome": outcome}
        for number, (seconds, outcome) in enumerate(sent, 1)
    ]
    if run_id is not None:
        submissions[-1]["runId"] = run_id
    document = {
        "_id": "ses_1.1E.g1.0",
        "sessionId": "ses_1",
        "provider": "perplexity",
        "epoch": len(sent),
        "runId": run_id,
        "request": {},
        "onUnknown": "ask",
        "cap": 1,
        "leaseUntil": NOON + timedelta(seconds=now + LEASE_SECONDS),
        "submissions": submissions,
    }
    if waited is not None:
        document["waitedUntil"] = NOON + timedelta(seconds=waited)
    return read_claim(document, 0.0)


def test_a_run_is_as_old_as_its_submission() -> None:
    assert claim((0, "failed"), (100, "accepted"), run_id="run_x", now=1000).run_age_seconds == 900


def test_a_call_that_is_to_be_sent_has_no_age() -> None:
    assert claim((0, "refused"), (100, "pending"), now=100).run_age_seconds == 0


@pytest.mark.parametrize(
    ("sent", "waited", "age"),
    [
        ([(0, "pending")], None, 0),
        ([(0, "refused"), (100, "pending")], None, 100),
        ([(0, "unusable"), (500, "refused"), (600, "pending")], None, 100),
        ([(0, "refused"), (50, "held_back"), (4000, "pending")], None, 0),
        ([(0, "refused"), (50, "held_back"), (4000, "refused"), (4010, "pending")], None, 10),
        ([(0, "refused"), (4000, "pending")], 3990, 10),
        ([(0, "refused"), (100, "pending")], -50, 100),
        ([(0, "refused"), (100, "pending")], 200, 0),
    ],
)
def test_only_the_time_in_which_it_was_refused_and_not_held_back_counts(
    sent: list[tuple[float, str]], waited: float | None, age: float
) -> None:
    assert claim(*sent, waited=waited).tally.age_seconds == age
