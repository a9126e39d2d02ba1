"""Whose trip to the database is next: few at a time in a process, so that those who wait grow in number."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

PATIENCE_SECONDS = 0.05
"""A trip takes a few milliseconds. One that takes this long hangs, and holds nobody up."""


class Turn:
    """So many trips at a time, whatever they carry.

    What a trip costs beside its load is then paid a few hundred times a second at most, however many ask.
    """

    def __init__(self, together: int = 1) -> None:
        self._free = asyncio.Semaphore(together)

    @asynccontextmanager
    async def taken(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                mine = await self._free.acquire()
        except TimeoutError:
            mine = False
        try:
            yield
        finally:
            if mine:
                self._free.release()
