"""A gate that is open, until a test says for how long to park or holds it shut."""

import asyncio
from dataclasses import dataclass, field

from ekiden.errors import ProviderError


@dataclass
class FakeGate:
    park: float = 0.0
    shut: asyncio.Event | None = None
    entered: int = 0
    refusals: list[ProviderError] = field(default_factory=list[ProviderError])
    crashes: bool = False

    async def enter(self) -> float:
        self.entered += 1
        if self.shut is not None:
            await self.shut.wait()
        return self.park

    async def refused(self, error: ProviderError) -> None:
        self.refusals.append(error)

    async def answered(self) -> None:
        if self.crashes:
            raise ValueError("a bug in the gate")
