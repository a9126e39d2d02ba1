"""Turns: requests of one Idempotency-Key are answered one after the other, so that each finds what the first stored.

This is comfort, not the guarantee: the key stands in the same write as what it names, so that two gateways which know
nothing of one another do it once as well. It keeps the repetitions of an impatient client off a slow database.
"""

import asyncio
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager

from ekiden_gateway.kinds import REQUEST_RUNNING
from ekiden_gateway.problems import Problem

WAIT_SECONDS = 8.0
"""Longer than the database's deadline: whoever waits for less than that gets the answer of the first, or its 503."""


class Turns:
    def __init__(self, wait_seconds: float = WAIT_SECONDS) -> None:
        self._wait_seconds = wait_seconds
        self._locks: dict[Hashable, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def of(self, key: Hashable) -> AsyncGenerator[None]:
        """Wait for the turn of a request. Raises Problem when the one before it takes too long."""
        lock, waiting = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = lock, waiting + 1
        try:
            try:
                async with asyncio.timeout(self._wait_seconds):
                    await lock.acquire()
            except TimeoutError:
                raise Problem(REQUEST_RUNNING, f"{REQUEST_RUNNING.meaning} {REQUEST_RUNNING.remedy}") from None
            try:
                yield
            finally:
                lock.release()
        finally:
            self._leave(key)

    def _leave(self, key: Hashable) -> None:
        lock, waiting = self._locks[key]
        if waiting > 1:
            self._locks[key] = lock, waiting - 1
        else:
            del self._locks[key]
