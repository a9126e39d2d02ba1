"""How many messages wait in a queue, and for how many consumers: the broker is asked, the answer kept for a moment."""

import asyncio
import time
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractRobustConnection

from ekiden.broker import topology
from ekiden.broker.away import away
from ekiden.broker.topology import TASK_QUEUES
from ekiden.domain.plan import Provider
from ekiden.errors import Unreachable

KEPT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue as the broker sees it: `ready` messages that no consumer holds, and how many `consumers` there are."""

    ready: int
    consumers: int


class QueueDepth:
    """Asks by passive declaration on a connection of its own: it needs no management plugin."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: AbstractRobustConnection | None = None
        self._channel: AbstractChannel | None = None
        self._known: dict[str, tuple[float, QueueState]] = {}

    async def connect(self) -> None:
        """Connect, once. Raises Unreachable."""
        if self._connection is not None:
            return
        with away("the broker does not answer"):
            connection = await aio_pika.connect_robust(
                topology.with_heartbeat(self._url),
                reconnect_interval=topology.RECONNECT_SECONDS,
                timeout=topology.PUBLISH_SECONDS,
            )
            try:
                self._channel = await connection.channel()
            except BaseException:  # half made: the next call begins anew
                await connection.close()
                raise
            self._connection = connection

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def is_empty(self, provider: Provider) -> bool:
        """Whether no message waits for a worker of this provider. Raises Unreachable."""
        return (await self.depth(TASK_QUEUES[provider])).ready == 0

    async def depth(self, name: str) -> QueueState:
        """What waits in a queue and who waits for it, at most a second old. Raises Unreachable."""
        asked, known = self._known.get(name, (float("-inf"), QueueState(0, 0)))
        if time.monotonic() - asked < KEPT_SECONDS:
            return known
        if self._channel is None:
            raise Unreachable("the broker was never reached")
        with away("the broker does not answer"):
            async with asyncio.timeout(topology.PUBLISH_SECONDS):
                channel = await self._channel.get_underlay_channel()
                declared = await channel.queue_declare(name, passive=True)
        state = QueueState(declared.message_count or 0, declared.consumer_count or 0)
        self._known[name] = (time.monotonic(), state)
        return state
