"""How many messages wait in a queue, and for how many consumers: the broker is asked, the answer kept for a moment."""

import asyncio
import time
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractRobustConnection
from aiormq.exceptions import ConnectionClosed
from pamqp.commands import Queue

from ekiden.broker import topology
from ekiden.broker.away import away
from ekiden.broker.topology import task_queue
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
        self._known: dict[str, tuple[float, QueueState]] = {}

    async def connect(self) -> None:
        """Connect, once. Raises Unreachable."""
        if self._connection is not None:
            return
        with away("the broker does not answer"):
            self._connection = await aio_pika.connect_robust(
                topology.with_heartbeat(self._url),
                reconnect_interval=topology.RECONNECT_SECONDS,
                timeout=topology.PUBLISH_SECONDS,
            )

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def is_empty(self, provider: Provider) -> bool:
        """Whether no message waits for a worker of this provider. Raises Unreachable."""
        return (await self.depth(task_queue(provider))).ready == 0

    async def depth(self, name: str) -> QueueState:
        """What waits in a queue and who waits for it, at most a second old. Raises Unreachable."""
        asked, known = self._known.get(name, (float("-inf"), QueueState(0, 0)))
        if time.monotonic() - asked < KEPT_SECONDS:
            return known
        if self._connection is None:
            raise Unreachable("the broker was never reached")
        with away("the broker does not answer"):
            async with asyncio.timeout(topology.PUBLISH_SECONDS):
                declared = await look(self._connection, name)
        state = QueueState(declared.message_count or 0, declared.consumer_count or 0)
        self._known[name] = (time.monotonic(), state)
        return state


async def look(connection: AbstractRobustConnection, queue: str) -> Queue.DeclareOk:
    """Ask for a queue. Raises what aiormq raises.

    On a channel of its own: asking for a queue that is not there closes the channel it is asked on, and a channel that
    is closed while its connection comes back stays closed.
    """
    if connection.transport is None:
        raise ConnectionClosed(0, "it is not connected at the moment")
    channel = await connection.transport.connection.channel(publisher_confirms=False)
    try:
        return await channel.queue_declare(queue, passive=True)
    finally:
        if not channel.is_closed:
            await channel.close()
