"""The GPT calls that faults may have cost: only these may be on the bill once more than they were answered."""

from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError

from tests.chaos.oracle import Row

ON_ITS_WAY = timedelta(seconds=1)
"""A request that left before its worker died may be accepted so much later."""


@dataclass
class AtRisk:
    """Calls under way when a fault struck, calls accepted while it lasted, and the `cuts` that a script dealt out."""

    held: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    """Task and epoch: a call that one fault has orphaned is not counted again at the next."""
    spans: list[tuple[datetime, datetime]] = field(default_factory=list[tuple[datetime, datetime]])
    cuts: int = 0

    @asynccontextmanager
    async def during(self, tasks: AsyncCollection[Row]) -> AsyncGenerator[None]:
        """The time in which a fault is done to the stack."""
        began = datetime.now(UTC)
        await self.note(tasks)
        try:
            yield
        finally:
            self.spans.append((began, datetime.now(UTC) + ON_ITS_WAY))

    async def note(self, tasks: AsyncCollection[Row]) -> None:
        """Remember the calls that a worker has claimed; a dead one's are still claimed until its lease has run out."""
        with suppress(PyMongoError):  # the fault before this one took the database, and has noted them
            async for task in tasks.find({"provider": "gpt", "status": "PROCESSING"}, {"epoch": 1}):
                self.held.add((task["_id"], task["epoch"]))

    def by_task(self, bill: Iterable[Row]) -> Counter[str]:
        """How many calls of each task a fault may have cost."""
        accepted = ((call["taskId"], datetime.fromisoformat(call["acceptedAt"])) for call in bill)
        met = Counter(task for task, at in accepted if any(began <= at <= ended for began, ended in self.spans))
        return met + Counter(task for task, _ in self.held)
