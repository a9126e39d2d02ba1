"""The orchestrator's loops: each goes on for as long as its process lives, whatever happens to it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog

from ekiden.errors import Unreachable

log = structlog.get_logger()
AGAIN_SECONDS = 2.0
"""The pause after a time that came to nothing."""


async def forever(name: str, do: Callable[[], Awaitable[float]]) -> NoReturn:
    """Do it again and again, each time after the pause that it answers, in seconds."""
    while True:
        pause = AGAIN_SECONDS
        try:
            pause = await do()
        except Unreachable as error:
            log.warning("loop_postponed", loop=name, error=str(error))
        except Exception:
            log.exception("loop_crashed", loop=name)
        await asyncio.sleep(pause)
