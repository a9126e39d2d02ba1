"""A gate that is open, until a test says for how long to park or holds it shut."""

import asyncio
from dataclasses import dataclass, field

from ekiden.errors import ProviderError
from ekiden.retry import opens_breaker


@dataclass
class FakeGate:
    """`answers` keeps after how many seconds each answer came; with `breaker_open` every refusal is held back."""

    park: float = 0.0
    shut: asyncio.Event | None = None
    entered: int = 0
    unused_entries: int = 0
    refusals: list[ProviderError] = field(default_factory=list[ProviderError])
    answers: list[float] = field(default_factory=list[float])
    breaker_open: bool = False
    crashes: bool = False

    @property
    def stands_open(self) -> bool:
        return False

    async def enter(self) -> float:
        self.entered += 1
        if self.shut is not None:
            await self.shut.wait()
        return self.park

    async def unused(self) -> None:
        self.unused_entries += 1
        self._crash()

    async def refused(self, error: ProviderError) -> bool:
        self.refusals.append(error)
        self._crash()
        return self.breaker_open or opens_breaker(error)

    async def answered(self, after_seconds: float) -> None:
        self.answers.append(after_seconds)
        self._crash()

    def _crash(self) -> None:
        if self.crashes:
            raise ValueError("a bug in the gate")
