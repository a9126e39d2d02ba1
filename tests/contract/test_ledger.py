"""The fake ledger passes the contract, so that what is tested with it is tested against the real one's promises."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from ekiden.domain.ids import TaskId
from ekiden.domain.plan import Provider
from ekiden.worker.ledger import Ledger
from tests.contract.ledger_contract import LedgerContract, LedgerLab
from tests.fakes.ledger import FakeLedger, FakeTasks


class FakeLab(LedgerLab):
    def __init__(self) -> None:
        self.fake = FakeTasks()
        super().__init__(self.fake)

    def worker(
        self,
        name: str = "one",
        *,
        provider: Provider = Provider.PERPLEXITY,
        cache_seconds: float = 0.0,
    ) -> Ledger:
        return FakeLedger(self.fake, name, provider, cache_seconds)

    async def later(self, seconds: float) -> None:
        self.fake.clock.later(seconds)

    async def document(self, task_id: TaskId) -> Mapping[str, Any]:
        return self.fake.records[task_id]

    def now(self) -> datetime:
        return self.fake.clock.now()


@pytest.fixture
def lab() -> LedgerLab:
    return FakeLab()


class TestFakeLedger(LedgerContract):
    """In memory."""
