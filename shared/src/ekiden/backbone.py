"""What every consuming service stands on: database, broker, and the loops that run beside its handlers."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from ekiden.broker.consumer import Consumer
from ekiden.broker.publisher import Publisher
from ekiden.errors import Unreachable
from ekiden.settings import ServiceSettings
from ekiden.stamp import Stamp
from ekiden.store import readiness
from ekiden.store.database import Database
from ekiden.store.schema import ensure_schema

log = structlog.get_logger()
CLOCK_SECONDS = 30.0
CANCEL_AGAIN_SECONDS = 6.0
"""Longer than a loop takes to end what it has under way."""
Loop = Callable[[], Coroutine[Any, Any, None]]


class Backbone:
    """Starts in the order of need and stops in the reverse; may be started again after Unreachable."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.database = Database(settings.mongodb_url, settings.mongodb_database)
        self.publisher = Publisher(settings.amqp_url, Stamp(self.database.clock))
        self.consumer = Consumer(settings.amqp_url, self.publisher)
        self._background: list[asyncio.Task[None]] = []

    async def connect(self) -> None:
        """Raises Unreachable."""
        await self.database.synchronise_clock()
        await ensure_schema(self.database)
        await self.publisher.connect()

    async def work(self, *loops: Loop) -> None:
        """Run the loops beside the consumers, and begin to consume. Raises Unreachable."""
        if not self._background:
            self._background = [
                asyncio.create_task(loop()) for loop in (*loops, self._synchronise_forever, self.consumer.heal_forever)
            ]
        await self.consumer.start()

    async def ready(self) -> list[str]:
        """What does not really work right now, one sentence each; known after about two seconds at the latest."""
        database, consumer = await asyncio.gather(readiness.unready(self.database), self.consumer.unready())
        wrong = database + consumer
        if not self.publisher.connected:
            wrong.append("the broker does not take messages")
        if not self._background:
            wrong.append("the service has not started yet")
        return wrong + [f"a loop ended: {task.get_coro()}" for task in self._background if task.done()]

    async def stop_loops(self) -> None:
        await end(self._background)

    async def close(self) -> None:
        await self.stop_loops()
        await self.publisher.close()
        await self.database.close()

    async def _synchronise_forever(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_SECONDS)
            try:
                await self.database.synchronise_clock()
            except Unreachable as error:
                log.debug("clock_not_synchronised", error=str(error))
            except Exception:
                log.exception("synchronising_crashed")


async def end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks until they are done: the database's driver has been seen to swallow a cancellation."""
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=CANCEL_AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
