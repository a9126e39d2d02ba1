"""Taps on the exchanges: every message seen, delivered again, late and in another order."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

COMMANDS, EVENTS = "ekiden.commands", "ekiden.events"
QUEUES = {"gpt": "ekiden.tasks.gpt", "perplexity": "ekiden.tasks.perplexity", "task.*": "ekiden.orchestrator"}
"""The work queues by the routing key that leads to them."""
EXCHANGES = {"gpt": COMMANDS, "perplexity": COMMANDS, "task.*": EVENTS}


@dataclass
class Tap:
    """Sees every message for a work queue beside it, and puts copies into it by the default exchange."""

    channel: AbstractChannel
    chance: random.Random
    copies: int = 0
    """How often each message is delivered again."""
    longest_seconds: float = 0.0
    """Each delivery by the tap comes after a time of its own, so that they overtake one another."""
    seen: int = 0
    delivered: int = 0
    """Both count what is told of a task: one message may tell of several that were completed at the same moment."""
    _sending: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def open(self, key: str, *, divert: bool) -> None:
        """Bind to what leads to a work queue; with `divert` the queue gets its messages from the tap alone."""
        exchange = await self.channel.get_exchange(EXCHANGES[key], ensure=False)
        mine = await self.channel.declare_queue(exclusive=True)
        await mine.bind(exchange, key)
        if divert:
            queue = await self.channel.get_queue(QUEUES[key], ensure=False)
            await queue.unbind(exchange, key)

        async def receive(message: AbstractIncomingMessage) -> None:
            self.seen += _told(message.body)
            for _ in range(self.copies):
                task = asyncio.create_task(self._deliver(message.body, key))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)

        await mine.consume(receive, no_ack=True)

    async def drained(self) -> None:
        """Return when everything has been delivered that is on its way now."""
        await asyncio.gather(*self._sending)

    async def put(self, key: str, body: bytes) -> None:
        """Put a message into the work queue that a routing key leads to."""
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await self.channel.default_exchange.publish(message, QUEUES[key])

    async def _deliver(self, body: bytes, key: str) -> None:
        await asyncio.sleep(self.chance.uniform(0, self.longest_seconds))
        await self.put(key, body)
        self.delivered += _told(body)


def _told(body: bytes) -> int:
    return 1 + len(json.loads(body).get("also", ()))


@asynccontextmanager
async def tap(
    url: str, keys: tuple[str, ...], chance: random.Random, *, copies: int, longest_seconds: float, divert: bool = False
) -> AsyncGenerator[Tap]:
    """A tap for some routing keys; at the end the bindings are as they were."""
    async with await aio_pika.connect(url) as connection:
        made = Tap(await connection.channel(), chance, copies, longest_seconds)
        for key in keys:
            await made.open(key, divert=divert)
        try:
            yield made
        finally:
            for key in keys if divert else ():
                queue = await made.channel.get_queue(QUEUES[key], ensure=False)
                await queue.bind(EXCHANGES[key], key)
            await made.drained()
