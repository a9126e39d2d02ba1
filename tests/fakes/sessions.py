"""Sessions in memory, as far as those who watch them look: it passes the contract in `tests/contract`."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ekiden.domain.ids import SessionId
from ekiden.domain.session import Status
from ekiden.errors import Unreachable
from ekiden.store.sessions import Counted

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


class FakeSessions:
    def __init__(self) -> None:
        self.away = False
        self.asked: list[str] = []
        """What was asked for, in order."""
        self.answering = asyncio.Event()
        """While it is cleared a question has been looked up, and its answer is still under way."""
        self.answering.set()
        self._owners: dict[SessionId, str] = {}
        self._histories: dict[SessionId, list[dict[str, Any]]] = {}

    def begin(self, session_id: SessionId, owner: str = "me") -> None:
        self._owners[session_id], self._histories[session_id] = owner, []
        self.move(session_id, Status.PENDING)

    def move(self, session_id: SessionId, status: Status = Status.THINKING) -> int:
        """The new version."""
        history = self._histories[session_id]
        version = len(history)
        history.append(
            {
                "version": version,
                "at": AT,
                "cause": "Look",
                "status": status.value,
                "waitingReason": None,
                "phase": None,
                "step": None,
                "events": [],
            }
        )
        return version

    def restore(self, session_id: SessionId, version: int) -> None:
        """As it was then, out of a backup."""
        del self._histories[session_id][version + 1 :]

    def prune(self, session_id: SessionId) -> None:
        del self._owners[session_id], self._histories[session_id]

    async def history(
        self, session_id: SessionId, after: int, *, settled: bool = False
    ) -> Sequence[dict[str, Any]] | None:
        history = self._histories.get(session_id)
        found = [entry for entry in history if entry["version"] > after] if history is not None else None
        await self._answer("history")
        return found

    async def versions(self, session_ids: Sequence[SessionId]) -> dict[SessionId, int]:
        found = {known: self._histories[known][-1]["version"] for known in session_ids if known in self._histories}
        await self._answer("versions")
        return found

    async def counted(self, owners: Sequence[str]) -> dict[str, dict[Status, Counted]]:
        counted: dict[str, dict[Status, Counted]] = defaultdict(dict)
        for session_id, owner in self._owners.items():
            if owner in owners:
                last = self._histories[session_id][-1]
                before = counted[owner].get(Status(last["status"]), Counted(0, 0))
                now = Counted(before.sessions + 1, before.moves + last["version"])
                counted[owner][Status(last["status"])] = now
        await self._answer("counted")
        return dict(counted)

    async def _answer(self, question: str) -> None:
        self.asked.append(question)
        await self.answering.wait()
        if self.away:
            raise Unreachable("it is away")
