"""Receiving: how a message ends. There are three ways, and none of them is a requeue.

Handled → acknowledged. Undecodable, or a bug in the handler → dead letter, with reason and first error.
Database away → kept, and tried again in place.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import structlog
from aiormq.exceptions import AMQPError
from faststream import AckPolicy
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue
from faststream.rabbit.annotations import RabbitMessage
from faststream.rabbit.schemas.queue import QuorumQueueArgs
from pydantic import ValidationError

from ekiden.broker import topology
from ekiden.broker.publisher import Publisher
from ekiden.errors import Unreachable
from ekiden.messages.envelope import Envelope

log = structlog.get_logger()
RETRY_SECONDS = 1.0
STOP_SECONDS = 10.0

M = TypeVar("M", bound=Envelope)
Ack = Callable[[], Awaitable[None]]
Handler = Callable[[M, Ack], Awaitable[None]]
"""Handles a message and acknowledges it when it has nothing more to say to the broker.

May raise Unreachable: then it is called again with the same message. Anything else it raises is a bug.
"""


class Consumer:
    """The subscriptions of one process, on a connection of their own."""

    def __init__(self, url: str, publisher: Publisher) -> None:
        self._publisher = publisher
        self._stopping = asyncio.Event()
        self._handling: set[asyncio.Task[None]] = set()
        self._broker = RabbitBroker(
            topology.with_heartbeat(url),
            reconnect_interval=topology.RECONNECT_SECONDS,
            timeout=topology.PUBLISH_SECONDS,
            graceful_timeout=1.0,
            logger=None,
            apply_types=True,
        )

    def subscribe(self, queue: str, kinds: Callable[[bytes], M], handler: Handler[M], *, prefetch: int) -> None:
        """Consume a work queue. Acknowledgement is manual; at most `prefetch` messages are held unacknowledged."""
        wanted = topology.queue(queue)
        arguments = cast("QuorumQueueArgs", wanted.declared_arguments)
        declared = RabbitQueue(wanted.name, queue_type=QueueType.QUORUM, durable=True, arguments=arguments)

        @self._broker.subscriber(
            declared, channel=Channel(prefetch_count=prefetch), ack_policy=AckPolicy.MANUAL, decoder=_undecoded
        )
        async def receive(message: RabbitMessage) -> None:
            # A lost connection cancels FastStream's handlers. Ours goes on: it may just have claimed a task.
            task = asyncio.create_task(self._handle(message, kinds, handler))
            self._handling.add(task)
            task.add_done_callback(self._handling.discard)
            await asyncio.shield(task)

    async def start(self) -> None:
        """Raises Unreachable."""
        try:
            await self._broker.start()
        except (AMQPError, OSError, RuntimeError) as error:
            raise Unreachable(f"the broker does not answer: {error}") from error

    async def stop(self) -> None:
        """Take no more messages. What is held unacknowledged goes back to the queue.

        Handlers are not cut off: whoever may be cut off is cancelled by its owner first.
        """
        self._stopping.set()
        if self._handling:
            await asyncio.wait(self._handling, timeout=STOP_SECONDS)
        await self._broker.stop()

    async def alive(self) -> bool:
        """Whether the connection answers and the consumers are on it."""
        return await self._broker.ping(timeout=2.0)

    async def _handle(self, message: RabbitMessage, decode: Callable[[bytes], M], handler: Handler[M]) -> None:
        acked = False

        async def ack() -> None:
            nonlocal acked
            acked = True
            await _ack(message)

        try:
            decoded = decode(message.body)
        except ValidationError as error:
            await self._bury(message, "undecodable", str(error))
            return
        while not self._stopping.is_set():
            try:
                await handler(decoded, ack)
            except Unreachable as error:
                log.warning("message_kept", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            except Exception as error:
                log.exception("message_buried", error=repr(error))
                if not acked:
                    await self._bury(message, "handler_crashed", traceback.format_exc(limit=-8))
            return

    async def _bury(self, message: RabbitMessage, reason: str, error: str) -> None:
        headers: dict[str, Any] = {"ekiden-reason": reason, "ekiden-error": error[:2000]}
        headers["ekiden-queue"] = message.raw_message.consumer_tag or ""
        headers["ekiden-routing-key"] = message.raw_message.routing_key or ""
        headers["ekiden-exchange"] = message.raw_message.exchange or ""
        try:
            await self._publisher.dead_letter(message.body, headers)
        except Unreachable:
            await _reject(message)
            return
        await _ack(message)


async def _undecoded(message: RabbitMessage) -> bytes:
    """Bodies are decoded by us, so that an undecodable one can be buried with its reason."""
    return message.body


async def _ack(message: RabbitMessage) -> None:
    """An acknowledgement that does not arrive means a redelivery, which changes nothing."""
    try:
        await message.ack()
    except (AMQPError, RuntimeError, OSError) as error:
        log.info("ack_lost", error=repr(error))


async def _reject(message: RabbitMessage) -> None:
    """To the dead letters by the broker's own road, without our reason."""
    try:
        await message.reject(requeue=False)
    except (AMQPError, RuntimeError, OSError) as error:
        log.info("reject_lost", error=repr(error))
