"""The oracle sees every kind of lie between ledger and bill; without this its silence would prove nothing."""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.chaos.at_risk import AtRisk
from tests.chaos.oracle import Row, judge
from tests.chaos.report import Part, shortfalls, table

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
Case = dict[str, Any]


def made() -> Case:
    """A session with one search that was bought once, after a cut that was resent, and one GPT call."""
    later = NOON + timedelta(seconds=2)
    times = {"startedAt": NOON, "finishedAt": later}
    cut = {"epoch": 1, "sentAt": NOON, "endedAt": later, "outcome": "unknown", "billed": 60_000}
    done = {"epoch": 2, "sentAt": NOON, "endedAt": later, "outcome": "completed", "billed": 5_000}
    final = {"sessionId": "s", "status": "COMPLETED", "worker": None, "requestHash": "", "cap": 60_000, **times}
    search = final | {"_id": "s.1E.g1.0", "provider": "perplexity", "requestHash": "h", "billed": 65_000}
    thought = final | {"_id": "s.1T.g1.0", "provider": "gpt", "billed": 700}
    return {
        "session": {
            "_id": "s",
            "status": "COMPLETED",
            "version": 1,
            "history": [{"version": 0, "at": NOON}, {"version": 1, "at": later}],
            "reserved": [],
            "settled": [{"task": "s.1E.g1.0", "micros": 65_000}, {"task": "s.1T.g1.0", "micros": 700}],
            "budget": 100_000,
            "steps": {"1E": times},
        },
        "search": search | {"submissions": [cut, done | {"runId": "run-2"}]},
        "gpt": thought | {"submissions": [done | {"epoch": 1, "billed": 700}]},
        "bill": [
            bought("s.1E.g1.0", "run-1", "1", 0.005),
            bought("s.1E.g1.0", "run-2", "2", 0.005),
            {"taskId": "s.1T.g1.0", "provider": "openai", "runId": "chat-1", "costUsd": 0.0007},
        ],
    }


def bought(task_id: str, run_id: str, attempt: str, usd: float) -> Row:
    return {"taskId": task_id, "provider": "perplexity", "runId": run_id, "attempt": attempt, "costUsd": usd}


def test_an_honest_ledger_is_believed_and_its_resend_counted() -> None:
    case = made()

    verdict = judge([case["session"]], [case["search"], case["gpt"]], case["bill"])

    assert (verdict.searches, verdict.searches_twice, verdict.resends, verdict.gpt_twice) == (2, 0, 1, 0)


def test_a_search_that_an_other_task_bought_again_is_found() -> None:
    case = made()
    twin = deepcopy(case["search"]) | {"_id": "s.1E.g2.0", "billed": 5_000}
    twin["submissions"] = [twin["submissions"][1] | {"epoch": 1, "runId": "run-3"}]
    case["session"]["settled"].append({"task": "s.1E.g2.0", "micros": 5_000})
    case["search"]["submissions"][0]["outcome"] = "not_sent"
    case["bill"][1]["attempt"] = "1"
    bill = [*case["bill"][1:], bought("s.1E.g2.0", "run-3", "1", 0.005)]

    assert judge([case["session"]], [case["search"], twin, case["gpt"]], bill).searches_twice == 1


def test_a_gpt_call_without_an_answer_counts_as_sent_twice() -> None:
    case = made()
    case["gpt"]["submissions"].insert(0, case["search"]["submissions"][0] | {"billed": 0})
    case["bill"].append(case["bill"][2] | {"runId": "chat-2"})

    verdict = judge([case["session"]], [case["search"], case["gpt"]], case["bill"])

    assert (verdict.gpt_twice, verdict.gpt_unknown) == (1, 1)
    assert verdict.gpt_unexplained == 1, "no fault had met it, whatever the ledger says"


def test_a_gpt_call_that_was_under_way_at_a_fault_may_be_sent_again_and_an_other_one_not() -> None:
    case = made()
    case["gpt"]["submissions"].insert(0, case["search"]["submissions"][0] | {"billed": 0})
    case["bill"].append(case["bill"][2] | {"runId": "chat-2"})
    told = ([case["session"]], [case["search"], case["gpt"]], case["bill"])

    assert judge(*told, {"s.1T.g1.0": 1}).gpt_unexplained == 0
    assert judge(*told, {"s.2T.g1.0": 1}).gpt_unexplained == 1


def test_a_tombstone_that_was_never_reserved_need_not_be_settled() -> None:
    case = made()
    stone = case["gpt"] | {"_id": "s.1T.g2.0", "status": "CANCELLED", "submissions": [], "billed": 0}

    judge([case["session"]], [case["search"], case["gpt"], stone], case["bill"])


def test_calls_at_risk_are_those_claimed_before_a_fault_and_those_accepted_while_it_lasts() -> None:
    risk = AtRisk({("held", 1), ("held", 2)}, [(NOON, NOON + timedelta(seconds=3))])
    moments = {"before": -1, "in": 2, "after": 4}
    bill = [{"taskId": t, "acceptedAt": (NOON + timedelta(seconds=s)).isoformat()} for t, s in moments.items()]

    assert risk.by_task(bill) == {"held": 2, "in": 1}


def test_a_whole_run_of_too_few_sessions_or_with_little_more_than_repeated_messages_falls_short() -> None:
    enough = Part("enough", Counter(kills=500), sessions=1_000)
    messages = Part("messages", Counter({"kills": 499, "stale event": 10_000}), sessions=999)

    assert not shortfalls([enough])
    assert len(shortfalls([messages])) == 2
    assert "499 of all kinds" in table([messages], 1)


def change(row: str, **fields: object) -> Callable[[Case], object]:
    return lambda case: case[row].update(fields)


def submission(number: int, **fields: object) -> Callable[[Case], object]:
    def lie(case: Case) -> None:
        search = case["search"]
        search["submissions"][number].update(fields)
        search["billed"] = sum(one["billed"] for one in search["submissions"])  # that much is told well

    return lie


LIES: dict[str, Callable[[Case], object]] = {
    "a run nobody submitted": lambda case: case["bill"].append(bought("s.1E.g1.0", "run-3", "3", 0.005)),
    "a run twice under one attempt": lambda case: case["bill"].append(bought("s.1E.g1.0", "run-3", "1", 0.005)),
    "a run of a refused call": submission(0, outcome="refused"),
    "a paid call of no task": lambda case: case["bill"].append(bought("s.9E.g1.0", "run-4", "1", 0.005)),
    "a run that is not on the bill": submission(1, runId="run-9"),
    "an answer that is not on the bill": lambda case: case["bill"].pop(1),
    "a cost that is not the bill's": submission(1, billed=4_000),
    "an unknown outcome booked too low": submission(0, billed=1_000),
    "a sum that is not that of its parts": change("search", billed=1),
    "a submission never closed": submission(0, outcome="pending"),
    "a GPT submission never closed": lambda case: case["gpt"]["submissions"][0].update(outcome="pending"),
    "a run of an unknown outcome that is not on the bill": submission(0, runId="run-9"),
    "one run of two submissions": lambda case: (submission(0, runId="run-2")(case), case["bill"].pop(0)),
    "an answer without a run": lambda case: (submission(1, runId=None)(case), case["bill"].pop(1)),
    "a task on its way": change("search", status="SUBMITTED"),
    "a task still held": change("search", worker="w"),
    "a GPT answer that is not on the bill": lambda case: case["bill"].pop(2),
    "a GPT cost that is not the bill's": lambda case: case["bill"][2].update(costUsd=0.5),
    "money still reserved": change("session", reserved=[{"task": "s.1E.g1.0", "micros": 1}]),
    "nothing settled": change("session", settled=[]),
    "a task that is not settled": lambda case: case["session"]["settled"].pop(),
    "a task settled at another sum": lambda case: case["session"]["settled"][1].update(micros=701),
    "a task settled twice": lambda case: case["session"]["settled"].append({"task": "s.1T.g1.0", "micros": 700}),
    "a task settled that nobody ordered": lambda case: case["session"]["settled"].append({"task": "x", "micros": 0}),
    "more GPT calls than were sent": lambda case: case["bill"].append(case["bill"][2] | {"runId": "chat-2"}),
    "a GPT call that was held back and is on the bill": lambda case: case["gpt"]["submissions"][0].update(
        outcome="held_back", billed=0
    ),
    "more spent than allowed": change("session", budget=65_699),
    "a transition without history": change("session", version=2),
    "time that runs backwards": change("gpt", startedAt=NOON + timedelta(minutes=5)),
    "a history that runs backwards": lambda case: case["session"]["history"][1].update(at=NOON - timedelta(minutes=5)),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_lie_is_found(lie: Callable[[Case], object]) -> None:
    case = made()
    lie(case)

    with pytest.raises(AssertionError):
        judge([case["session"]], [case["search"], case["gpt"]], case["bill"])
