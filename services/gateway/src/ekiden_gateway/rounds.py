"""Rounds: done again and again, sooner when there is reason to, and never so often that nothing else gets done."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from ekiden.errors import Unreachable

log = structlog.get_logger()
SHARE = 0.05
"""Of the time that rounds take at most: what grows slow is done less often, up to once in `LONGEST_SECONDS`."""
LONGEST_SECONDS = 15.0


class Rounds:
    """`every_seconds` without a reason, `pace_seconds` apart with one."""

    def __init__(self, work: Callable[[], Awaitable[None]], *, every_seconds: float, pace_seconds: float) -> None:
        self._work = work
        self._every_seconds = every_seconds
        self._pace_seconds = pace_seconds
        self._wanted = asyncio.Event()

    def soon(self) -> None:
        self._wanted.set()

    async def go_forever(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            self._wanted.clear()
            began = clock()
            try:
                with suppress(Unreachable):
                    await self._work()
            except Exception:
                log.exception("listening_crashed")
            await asyncio.sleep(max(self._pace_seconds, min((clock() - began) / SHARE, LONGEST_SECONDS)))
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, began + self._every_seconds - clock())):
                    await self._wanted.wait()
