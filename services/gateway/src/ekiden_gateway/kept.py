"""Answers kept for a moment, and shared by all who ask for the same at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Asks at most once in `seconds`: who comes meanwhile gets that answer, or waits for it. An error is not kept."""

    def __init__(self, ask: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._asking: asyncio.Future[T] | None = None
        self._asked = 0.0

    async def __call__(self) -> T:
        """Raises what asking raises."""
        now = asyncio.get_running_loop().time()
        if self._asking is None or (self._asking.done() and self._is_stale(self._asking, now)):
            self._asking, self._asked = asyncio.ensure_future(self._ask()), now
        return await asyncio.shield(self._asking)  # who asked may leave, and the others wait on

    def _is_stale(self, answer: asyncio.Future[T], now: float) -> bool:
        return answer.cancelled() or answer.exception() is not None or now - self._asked >= self._seconds
