"""One queue that a process consumes, on a channel of its own."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast

import aiormq
from aio_pika.abc import (
    AbstractIncomingMessage,
    AbstractRobustChannel,
    AbstractRobustConnection,
    AbstractRobustQueue,
    ConsumerTag,
)

from ekiden.broker import topology

CANCEL_SECONDS = 2.0


@dataclass
class Subscription:
    """Acknowledgement is the receiver's; at most `prefetch` messages are held unacknowledged.

    After a lost connection or a closed channel aio-pika declares, binds and consumes again by itself.
    """

    queue: topology.Queue
    prefetch: int
    receive: Callable[[AbstractIncomingMessage], Awaitable[None]]
    declared: AbstractRobustQueue | None = field(default=None, init=False)
    tag: ConsumerTag | None = field(default=None, init=False)

    async def begin(self, connection: AbstractRobustConnection) -> None:
        """Consume, once. Raises what aio-pika raises; then it may be called again.

        It declares its exchange, too: a queue that somebody deleted is bound again when it is declared again.
        """
        if self.tag is not None:
            return
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=self.prefetch)
        queue = await channel.declare_queue(self.queue.name, durable=True, arguments=self.queue.declared_arguments)
        if self.queue.exchange is not None:
            kind = topology.EXCHANGES[self.queue.exchange]
            exchange = await channel.declare_exchange(self.queue.exchange, kind, durable=True)
            await queue.bind(exchange, self.queue.routing_key)
        self.declared, self.tag = queue, await queue.consume(self.receive)

    async def begin_again(self) -> None:
        """Consume again, whatever is believed of its consumer. Raises what aio-pika raises."""
        if self.declared is None or self.tag is None:
            return
        await cast("AbstractRobustChannel", self.declared.channel).restore()  # opens it again, if it is closed
        channel = await self.channel()
        if self.tag in channel.consumers:
            await channel.basic_cancel(self.tag, timeout=CANCEL_SECONDS)
        await self.declared.restore()

    async def channel(self) -> aiormq.Channel:
        """The channel below aio-pika's: it knows which consumers the broker has left on it."""
        if self.declared is None:
            raise RuntimeError(f"{self.queue.name} is not consumed yet")
        return cast("aiormq.Channel", await self.declared.channel.get_underlay_channel())
