"""The oracle: from the ledger and the provider's bill it says whether anything was lost, or paid more than once.

It trusts neither: every entry of the bill has to find the one submission that was allowed to cause it, and every
submission that claims to have been accepted its entry of the bill.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Row = dict[str, Any]

FINAL = {"COMPLETED", "FAILED", "CANCELLED"}
NOT_OUT = {"not_sent", "refused", "held_back"}
"""Outcomes of a submission that the provider is known not to have been paid for."""
MAY_BE_OUT = {"unknown", "accepted_late", "rejected"}
"""Outcomes under which an entry of the bill may stand whose run id the ledger never learnt."""
ANSWERED = {"completed", "unusable", "rejected"}
"""The answer of a GPT call arrived, whether or not it was of use."""
CLOCK_MS = 1000
"""How far the clocks of two services may be apart in what they stamped: each follows the database's by itself."""


@dataclass(frozen=True)
class Verdict:
    """What was paid for; `searches_twice` counts what nothing explains, `resends` what an unknown outcome does."""

    sessions: int
    completed: int
    searches: int
    cached: int
    """Searches that were answered from the ledger."""
    searches_twice: int
    resends: int
    gpt_calls: int
    gpt_twice: int
    gpt_unexplained: int
    """Of those sent twice, the ones that were not under way at a fault."""
    gpt_unknown: int


def judge(
    sessions: Sequence[Row], tasks: Sequence[Row], bill: Sequence[Row], at_risk: Mapping[str, int] | None = None
) -> Verdict:
    """Check what must hold of sessions that have ended; raise AssertionError with the first thing that does not.

    `at_risk` says how many GPT calls of a task were under way at a fault.
    """
    for session in sessions:
        _check_session(session)
    _check_settled(sessions, tasks)
    known: dict[str, Row] = {task["_id"]: task for task in tasks}
    paid: defaultdict[str, list[Row]] = defaultdict(list)
    for call in bill:
        assert call["taskId"] in known, f"{call['taskId']} was paid and is not in the ledger"
        paid[call["taskId"]].append(call)
    for task in tasks:
        _check_task(task)
        if task["provider"] == "perplexity":
            _check_runs(task, paid[task["_id"]])
        else:
            _check_calls(task, paid[task["_id"]])
    twice, resends = _bought_again([task for task in tasks if task["provider"] == "perplexity"], paid)
    gpt = [task for task in tasks if task["provider"] == "gpt"]
    again = {t["_id"]: max(0, len(paid[t["_id"]]) - max(1, _count(t, ANSWERED))) for t in gpt}
    return Verdict(
        sessions=len(sessions),
        completed=sum(session["status"] == "COMPLETED" for session in sessions),
        searches=sum(call["provider"] == "perplexity" for call in bill),
        cached=sum(task.get("cachedFrom") is not None for task in tasks),
        searches_twice=twice,
        resends=resends,
        gpt_calls=sum(call["provider"] == "openai" for call in bill),
        gpt_twice=sum(again.values()),
        gpt_unexplained=sum(max(0, times - (at_risk or {}).get(task, 0)) for task, times in again.items()),
        gpt_unknown=sum(_count(task, {"unknown"}) for task in gpt),
    )


def _check_session(session: Row) -> None:
    name, history = session["_id"], session["history"]
    assert [entry["version"] for entry in history] == list(range(session["version"] + 1)), (
        f"{name}: each transition is in the history once"
    )
    assert not session["reserved"], f"{name}: money is still reserved: {session['reserved']}"
    spent = sum(row["micros"] for row in session["settled"])
    assert spent <= session["budget"], f"{name}: spent {spent} of {session['budget']}"
    for earlier, later in pairwise(history):
        _check_order(name, earlier["at"], later["at"])
    for key, step in session["steps"].items():
        _check_order(f"{name} {key}", step["startedAt"], step["finishedAt"])


def unsettled(sessions: Iterable[Row], tasks: Iterable[Row]) -> list[str]:
    """What is not settled exactly once, with exactly what was billed: one line for each session.

    A tombstone may have been set for a task that was never ordered, and so never reserved.
    """
    billed: defaultdict[str, dict[str, int]] = defaultdict(dict)
    stones: set[str] = set()
    for task in tasks:
        billed[task["sessionId"]][task["_id"]] = task.get("billed", 0)
        if task["status"] == "CANCELLED" and not task["submissions"]:
            stones.add(task["_id"])
    lines: list[str] = []
    for session in sessions:
        entries = [(row["task"], row["micros"]) for row in session["settled"]]
        booked = dict(entries)
        due = {task: cost for task, cost in billed[session["_id"]].items() if task in booked or task not in stones}
        if booked != due or len(entries) > len(booked):
            wrong = sorted({*entries} ^ {*due.items()})
            lines.append(f"{session['_id']}: settled and billed differ in {wrong}, {len(entries)} entries")
    return lines


def _check_settled(sessions: Iterable[Row], tasks: Iterable[Row]) -> None:
    assert not (lines := unsettled(sessions, tasks)), "\n".join(lines)


def _check_order(name: str, earlier: Any, later: Any) -> None:
    if earlier is not None and later is not None:
        assert (later - earlier).total_seconds() * 1000 >= -CLOCK_MS, f"{name}: {later} is before {earlier}"


def _check_task(task: Row) -> None:
    name = task["_id"]
    assert task["status"] in FINAL, f"{name} is still {task['status']}"
    assert task.get("worker") is None, f"{name} is final and still held by {task['worker']}"
    billed = sum(submission["billed"] for submission in task["submissions"])
    assert task.get("billed", 0) == billed, f"{name}: billed {task['billed']}, its submissions {billed}"
    _check_order(name, task.get("startedAt"), task.get("finishedAt"))
    for submission in task["submissions"]:
        assert submission["outcome"] != "pending", f"{name}: a submission was never closed: {submission}"
        _check_order(name, submission["sentAt"], submission.get("endedAt"))


def _check_runs(task: Row, runs: Sequence[Row]) -> None:
    """Every run belongs to exactly one submission that was allowed to buy it, and costs what is booked there."""
    name, caused = task["_id"], Counter[int]()
    for run in runs:
        submission = _cause(task, run)
        caused[submission["epoch"]] += 1
        cost = round(run["costUsd"] * 1_000_000)
        if submission["outcome"] in {"completed", "failed"} and submission["billed"] != task["cap"]:
            assert abs(submission["billed"] - cost) <= 1, f"{name}: booked {submission['billed']}, on the bill {cost}"
        else:
            assert submission["billed"] >= cost, f"{name}: booked {submission['billed']}, on the bill {cost}"
    again = {epoch for epoch, times in caused.items() if times > 1}
    assert not again, f"{name}: submissions {again} were bought more than once"
    on_the_bill = {run["runId"] for run in runs}
    for submission in task["submissions"]:
        run_id = submission.get("runId")
        assert run_id is None or run_id in on_the_bill, f"{name}: run {run_id} is not on the bill"
        if submission["outcome"] in {"completed", "failed", "accepted"}:
            assert submission["epoch"] in caused, f"{name}: {submission} is not on the bill"


def _cause(task: Row, run: Row) -> Row:
    """The submission that bought a run: by the run's id, else by the attempt that the request named."""
    by_id = [s for s in task["submissions"] if s.get("runId") == run["runId"]]
    assert len(by_id) <= 1, f"{task['_id']}: run {run['runId']} belongs to {len(by_id)} submissions"
    if by_id:
        return by_id[0]
    sent = [s for s in task["submissions"] if s["outcome"] != "not_sent"]
    attempt = int(run["attempt"])
    assert attempt <= len(sent), f"{task['_id']}: run {run['runId']} names attempt {attempt} of {len(sent)}"
    cause = sent[attempt - 1]
    assert cause["outcome"] in MAY_BE_OUT, f"{task['_id']}: {run['runId']} was bought by {cause}"
    return cause


def _check_calls(task: Row, calls: Sequence[Row]) -> None:
    """GPT calls bear no id of ours but the task's: counted, and their sum compared."""
    out = [s for s in task["submissions"] if s["outcome"] not in NOT_OUT]
    sure = [s for s in out if s["outcome"] in ANSWERED]
    assert len(calls) <= len(out), (
        f"{task['_id']}: {len(calls)} calls on the bill, {len(out)} that may have caused them"
    )
    assert len(calls) >= len([s for s in sure if s["billed"]]), f"{task['_id']}: answered and not on the bill"
    if len(calls) == len(sure) == len(out):
        cost, billed = sum(call["costUsd"] for call in calls) * 1_000_000, sum(s["billed"] for s in sure)
        assert abs(billed - cost) <= len(calls), f"{task['_id']}: booked {billed}, on the bill {cost}"


def _bought_again(tasks: Iterable[Row], paid: dict[str, list[Row]]) -> tuple[int, int]:
    """Searches of one session for the same thing, in whatever task: how many too many, and how many by leave."""
    groups: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for task in tasks:
        groups[task["sessionId"], task["requestHash"]].append(task)
    twice = resends = 0
    for group in groups.values():
        # A run that failed at the provider is bought again by the step's own retry; so is one that was given up.
        failed = sum(_count(task, {"failed"}) for task in group)
        again = max(0, sum(len(paid[task["_id"]]) for task in group) - 1 - failed)
        by_leave = min(again, sum(_count(task, {"unknown"}) for task in group))
        resends += by_leave
        twice += again - by_leave
    return twice, resends


def _count(task: Row, outcomes: set[str]) -> int:
    return sum(submission["outcome"] in outcomes for submission in task["submissions"])
