"""The orchestrator's loops: each goes on for as long as its process lives, whatever happens to it."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from ekiden.errors import Unreachable

log = structlog.get_logger()
AGAIN_SECONDS = 2.0
"""The pause after a time that came to nothing."""


async def forever(name: str, do: Callable[[], Awaitable[float]]) -> None:
    """Do it again and again, each time after the pause that it answers, in seconds."""
    own = asyncio.current_task()
    while own is None or not own.cancelling():  # the database's driver swallows some cancellations
        pause = AGAIN_SECONDS
        try:
            pause = await do()
        except Unreachable as error:
            log.warning("loop_postponed", loop=name, error=str(error))
        except Exception:
            log.exception("loop_crashed", loop=name)
        await asyncio.sleep(pause)
