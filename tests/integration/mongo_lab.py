"""The real ledger as a `LedgerLab`: time passes by moving the stored times into the past."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ekiden.domain.ids import TaskId
from ekiden.domain.plan import Provider
from ekiden.store.database import Database
from ekiden.store.ledger import MongoLedger
from ekiden.store.tasks import TaskStore
from tests.contract.ledger_contract import LedgerLab

_TIMES = ("leaseUntil", "notBefore", "announceAt", "finishedAt", "startedAt", "bookedAt")


class MongoLab(LedgerLab):
    def __init__(self, database: Database) -> None:
        self.store = TaskStore(database)
        super().__init__(self.store)
        self.database = database
        self.rows = database.journaled("tasks")

    def worker(
        self,
        name: str = "one",
        *,
        provider: Provider = Provider.PERPLEXITY,
        cache_seconds: float = 0.0,
    ) -> MongoLedger:
        return MongoLedger(self.database, name, provider, cache_seconds=cache_seconds)

    async def later(self, seconds: float) -> None:
        moved = {
            name: {"$cond": [f"${name}", {"$subtract": [f"${name}", round(seconds * 1000)]}, "$$REMOVE"]}
            for name in _TIMES
        }
        await self.rows.update_many({"sessionId": self.session}, [{"$set": moved}])

    async def document(self, task_id: TaskId) -> Mapping[str, Any]:
        found = await self.rows.find_one({"_id": task_id})
        assert found is not None
        return found

    def now(self) -> datetime:
        return self.database.clock.now()
