"""Tasks as facts for the doctor."""

from collections.abc import Mapping, Sequence
from typing import Any

from ekiden.domain.ids import Micros, TaskId
from ekiden.domain.messages import TaskStatus
from ekiden.domain.plan import Provider
from ekiden.domain.remedies import TaskFact
from ekiden.store.database import Document
from ekiden.store.tasks import TaskStore

_DATED_BY_SUBMISSION = frozenset({TaskStatus.PROCESSING, TaskStatus.SUBMITTED, TaskStatus.OUTCOME_UNKNOWN})


async def facts(tasks: TaskStore, documents: Sequence[Mapping[str, Any]]) -> list[TaskFact]:
    """Read facts off a session's tasks; of a search that was put off, see who buys the same one. Raises Unreachable."""
    put_off = [row for row in documents if row["status"] == TaskStatus.QUEUED and row["requestHash"]]
    buyers = await tasks.buyers(put_off[0]["tenant"], [row["requestHash"] for row in put_off]) if put_off else {}
    too_long = [row["_id"] for row in documents if (row.get("error") or {}).get("tooLong")]
    longest = await tasks.longest_texts(too_long) if too_long else {}
    return [read_fact(row, buyers.get(row["requestHash"]), longest.get(row["_id"])) for row in documents]


def read_fact(
    document: Mapping[str, Any], twin: TaskId | None = None, longest: tuple[str, int] | None = None
) -> TaskFact:
    status = TaskStatus(document["status"])
    submissions: list[Document] = document["submissions"]
    error: Document = document.get("error") or {}
    since = document.get("finishedAt") or document["createdAt"]
    if status in _DATED_BY_SUBMISSION and submissions:
        since = submissions[-1].get("endedAt") or submissions[-1]["sentAt"]
    return TaskFact(
        id=TaskId(document["_id"]),
        status=status,
        provider=Provider(document["provider"]),
        since=since,
        cap=Micros(document["cap"]),
        error=error.get("error", ""),
        message=error.get("message", ""),
        not_before=document.get("notBefore"),
        attempt=sum(1 for submission in submissions if submission["outcome"] != "not_sent"),
        worker=document.get("worker"),
        lease_until=document.get("leaseUntil"),
        run_id=document.get("runId"),
        twin=twin if status is TaskStatus.QUEUED else None,
        longest=longest,
    )
