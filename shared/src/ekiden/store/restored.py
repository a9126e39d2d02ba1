"""The ledger as it came out of a backup: what had not ended in it, and how that is turned into unknown outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ekiden.domain.ids import Micros, SessionId, TaskId
from ekiden.domain.messages import OPEN, TaskStatus
from ekiden.domain.plan import Provider
from ekiden.retry import Again, UnknownOutcome, after_unknown
from ekiden.store import task_writes as write
from ekiden.store.database import Database, Document, away

_UNFINISHED = [*OPEN, TaskStatus.OUTCOME_UNKNOWN]
_LATEST = [("finishedAt", -1)]
_FACTS = {"sessionId": 1, "provider": 1, "status": 1, "cap": 1, "runId": 1}


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A task that had not ended when the backup was made; sent a second time it costs up to `cap`."""

    id: TaskId
    session: SessionId
    provider: Provider
    status: TaskStatus
    cap: Micros
    run_id: str | None


class RestoredLedger:
    """For a database that no worker uses. All writes are journaled."""

    def __init__(self, database: Database) -> None:
        self._tasks = database.journaled("tasks")

    async def unfinished(self) -> list[Unfinished]:
        """All of both providers, those whose outcome was unknown already included. Raises Unreachable."""
        with away():
            found = self._tasks.find({"status": {"$in": _UNFINISHED}}, _FACTS).sort("_id")
            return [_read(row) async for row in found]

    async def ends_at(self) -> datetime | None:
        """When the last task ended that the backup knows of. None when none has. Raises Unreachable."""
        with away():
            last = await self._tasks.find_one({"finishedAt": {"$exists": True}}, {"finishedAt": 1}, sort=_LATEST)
        return last["finishedAt"] if last is not None else None

    async def doubt_searches(self) -> int:
        """Turn every search under way into an unknown outcome, whatever its policy; answer how many. Once is enough."""
        searches = {"provider": {"$in": _named(searching=True)}, "status": {"$in": list(OPEN)}}
        with away():
            return (await self._tasks.update_many(searches, write.doubt(resend=False))).modified_count

    async def doubt_calls(self) -> int:
        """Let every GPT call under way go on by its policy, as one that may have been paid for; answer how many.

        One that nobody has claimed since it was turned is not counted again.
        """
        turned = 0
        with away():
            calls = {"provider": {"$in": _named(searching=False)}, "status": {"$in": list(OPEN)}}
            for call in await self._tasks.find(
                calls, {"status": 1, "epoch": 1, "onUnknown": 1, "submissions": 1}
            ).to_list():
                if not _turned_before(call):
                    as_found = {"_id": call["_id"], "status": call["status"], "epoch": call["epoch"]}
                    pipeline = write.doubt(resend=_is_resent(call))
                    turned += (await self._tasks.update_one(as_found, pipeline)).modified_count
        return turned


def _named(*, searching: bool) -> list[str]:
    return [provider.value for provider in Provider if provider.searches is searching]


def _turned_before(call: Mapping[str, Any]) -> bool:
    submissions: list[Document] = call["submissions"]
    last: Document = submissions[-1] if submissions else {}
    return call["status"] == TaskStatus.QUEUED and last.get("error") == write.RESTORED


def _is_resent(call: Mapping[str, Any]) -> bool:
    unknown = 1 + sum(1 for submission in call["submissions"] if submission["outcome"] == "unknown")
    return isinstance(after_unknown(unknown, UnknownOutcome(call["onUnknown"])), Again)


def _read(row: Mapping[str, Any]) -> Unfinished:
    return Unfinished(
        id=TaskId(row["_id"]),
        session=SessionId(row["sessionId"]),
        provider=Provider(row["provider"]),
        status=TaskStatus(row["status"]),
        cap=Micros(row["cap"]),
        run_id=row.get("runId"),
    )
