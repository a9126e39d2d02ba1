"""Providers that answer at once, for tests of what stands around them."""

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from ekiden.domain.ids import Micros
from ekiden.domain.plan import Provider
from ekiden.errors import OutcomeUnknown, ProviderError
from ekiden.worker.adapter import Call, Running, Submitted
from ekiden.worker.lease import Fence
from ekiden.worker.ledger import Completed, Usage


@dataclass
class InstantGpt:
    """Answers by schema name from a table, and keeps every call it took."""

    answers: Mapping[str, object]
    failures: list[ProviderError] = field(default_factory=list[ProviderError])
    calls: list[Call] = field(default_factory=list[Call])
    provider: Provider = Provider.GPT

    async def submit(self, call: Call, fence: Fence) -> Completed | Submitted:
        fence.check()
        self.calls.append(call)
        if self.failures:
            raise self.failures.pop(0)
        answer = self.answers[str(call.request["schemaName"])]
        return Completed(answer, {"said": "so"}, Usage(10, 5, Micros(100), "fake", "fake-gpt", simulated=True))

    async def collect(self, run_id: str) -> Completed | Running:
        raise OutcomeUnknown("no runs here")

    async def cancel(self, run_id: str) -> None: ...

    async def close(self) -> None: ...


@dataclass
class InstantSearch:
    """Runs searches that end after `polls` questions, and keeps every run it accepted."""

    polls: int = 1
    failures: list[ProviderError] = field(default_factory=list[ProviderError])
    calls: list[Call] = field(default_factory=list[Call])
    runs: dict[str, int] = field(default_factory=dict[str, int])
    cancelled: set[str] = field(default_factory=set[str])
    hold: asyncio.Event | None = None
    provider: Provider = Provider.PERPLEXITY
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def submit(self, call: Call, fence: Fence) -> Completed | Submitted:
        fence.check()
        if self.failures:
            raise self.failures.pop(0)
        self.calls.append(call)
        run_id = f"run_{next(self._numbers)}"
        self.runs[run_id] = self.polls
        return Submitted(run_id)

    async def collect(self, run_id: str) -> Completed | Running:
        if self.hold is not None and not self.hold.is_set():
            return Running()
        if run_id not in self.runs:
            raise OutcomeUnknown(f"no run {run_id}")
        self.runs[run_id] -= 1
        if self.runs[run_id] > 0:
            return Running()
        source = {"url": f"https://example.com/{run_id}", "title": run_id, "date": "2026-11-01"}
        found = {"text": f"what {run_id} found", "sources": [source]}
        return Completed(found, {"id": run_id}, Usage(20, 10, Micros(20_000), "fake", "fake-search", simulated=True))

    async def cancel(self, run_id: str) -> None:
        self.cancelled.add(run_id)

    async def close(self) -> None: ...
