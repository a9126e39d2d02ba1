"""Receiving: how a message ends. There are three ways, and none of them is a requeue.

Handled → acknowledged. Undecodable, oversized, or a bug in the handler → dead letter, with reason and first error.
Database away → kept, and tried again in place.
"""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import aio_pika
import aiormq
import structlog
from aio_pika.abc import AbstractIncomingMessage, AbstractRobustConnection
from aiormq.exceptions import AMQPError

from ekiden.broker import dead_letters, spans, topology
from ekiden.broker.away import away
from ekiden.broker.liveness import lost, missing
from ekiden.broker.publisher import Publisher
from ekiden.broker.subscription import Subscription
from ekiden.errors import Unreachable
from ekiden.masking import hide
from ekiden.messages.dead_letter import DeadLetter
from ekiden.messages.envelope import Envelope, Named, TaskMessage
from ekiden.metrics import MESSAGE_SECONDS, MESSAGES_BURIED, MESSAGES_IN_PROCESS, MESSAGES_PROCESSED

log = structlog.get_logger()
RETRY_SECONDS = 1.0
STOP_SECONDS = 10.0
HEAL_SECONDS = 3.0
HEALING_SECONDS = 15.0
"""aio-pika declares and subscribes without a deadline of its own."""
ACK_SECONDS = 1.0
"""aiormq waits for ever for what stands before a writer that has just ended because the connection died."""
LARGEST_BODY_BYTES = 64 * 1024
"""A hundred times what our messages, which carry ids only, ever have: nobody decodes more than this."""

M = TypeVar("M", bound=Envelope)
Ack = Callable[[], Awaitable[None]]
Handler = Callable[[M, Ack], Awaitable[None]]
"""Handles a message and acknowledges it when it has nothing more to say to the broker.

May raise Unreachable: then it is called again with the same message. Anything else it raises is a bug.
"""
Keep = Callable[[DeadLetter], Awaitable[None]]
"""Stores a dead letter. Whatever it raises, it is called again with the same one."""


class Consumer:
    """The subscriptions of one process, on a connection of their own."""

    def __init__(self, url: str, publisher: Publisher) -> None:
        self._url = url
        self._publisher = publisher
        self._stopping = asyncio.Event()
        self._handling: set[asyncio.Task[None]] = set()
        self._connection: AbstractRobustConnection | None = None
        self._subscriptions: list[Subscription] = []

    def subscribe(self, queue: str, kinds: Callable[[bytes], M], handler: Handler[M], *, prefetch: int) -> None:
        """Consume a work queue. Acknowledgement is manual; at most `prefetch` messages are held unacknowledged."""

        async def handle(message: AbstractIncomingMessage) -> None:
            await self._handle(message, queue, kinds, handler)

        self._receive(queue, handle, prefetch)

    def collect_dead_letters(self, keep: Keep, *, prefetch: int) -> None:
        """Consume the dead letters: each is acknowledged when it is kept, and never buried again."""

        async def handle(message: AbstractIncomingMessage) -> None:
            await self._keep(message, keep)

        self._receive(topology.DEAD_LETTERS, handle, prefetch)

    async def start(self) -> None:
        """Raises Unreachable."""
        with away("the broker does not answer"):
            if self._connection is None:
                self._connection = await aio_pika.connect_robust(
                    topology.with_heartbeat(self._url),
                    reconnect_interval=topology.RECONNECT_SECONDS,
                    timeout=topology.PUBLISH_SECONDS,
                )
            for subscription in self._subscriptions:
                await subscription.begin(self._connection)

    async def stop(self) -> None:
        """Take no more messages. What is held unacknowledged goes back to the queue.

        Handlers are not cut off: whoever may be cut off is cancelled by its owner first.
        """
        self._stopping.set()
        if self._handling:
            await asyncio.wait(self._handling, timeout=STOP_SECONDS)
        if self._connection is not None:
            await self._connection.close()

    async def unready(self) -> list[str]:
        """What does not really work right now, one sentence each: connection, queues, and the consumers on them."""
        return await missing(self._connection, self._subscriptions)

    async def heal_forever(self) -> None:
        """Subscribe again where a consumer was missing at two looks; aio-pika has mended all else by the second."""
        suspects: list[Subscription] = []
        while True:
            await asyncio.sleep(HEAL_SECONDS)
            connection = self._connection
            if connection is None or not connection.connected.is_set():
                continue  # lost connections are aio-pika's, and come back with their consumers
            try:
                async with asyncio.timeout(HEALING_SECONDS):
                    found = await lost(connection, self._subscriptions)
                    if again := [subscription for subscription in found if subscription in suspects]:
                        await topology.declare_at(self._url)
                    for subscription in again:
                        await subscription.begin_again()
                        log.warning("consumer_subscribed_again", queue=subscription.queue.name)
                    suspects = [subscription for subscription in found if subscription not in again]
            except (AMQPError, OSError, RuntimeError, TimeoutError) as error:
                log.warning("consumer_not_healed", error=repr(error))
            except Exception:
                log.exception("healing_crashed")
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling() > 0:  # else aiormq cancelled its waiters: a connection died
                    raise

    def _receive(self, name: str, handle: Callable[[AbstractIncomingMessage], Awaitable[None]], prefetch: int) -> None:
        async def receive(message: AbstractIncomingMessage) -> None:
            # A lost connection cancels aiormq's tasks. Ours goes on: it may just have claimed a task.
            task = asyncio.create_task(_measured(name, handle, message))
            self._handling.add(task)
            task.add_done_callback(self._handling.discard)

        self._subscriptions.append(Subscription(topology.queue(name), prefetch, receive))

    async def _handle(
        self, message: AbstractIncomingMessage, queue: str, decode: Callable[[bytes], M], handler: Handler[M]
    ) -> None:
        acked = False

        async def ack() -> None:
            nonlocal acked
            acked = True
            await _ack(message)

        if len(message.body) > LARGEST_BODY_BYTES:
            too_long = f"{len(message.body)} bytes; the longest body that is decoded has {LARGEST_BODY_BYTES}"
            await self._bury(message, queue, dead_letters.OVERSIZED, too_long)
            return
        try:
            decoded = decode(message.body)
        except Exception as error:  # a decoder's own bug would else leave the message held for ever
            await self._bury(message, queue, dead_letters.UNDECODABLE, str(error))
            return
        while not self._stopping.is_set():
            try:
                await handler(decoded, ack)
            except Unreachable as error:
                log.warning("message_kept", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            except Exception as error:
                log.exception("message_crashed_its_handler", error=repr(error))
                if not acked:
                    await self._bury(message, queue, dead_letters.HANDLER_CRASHED, traceback.format_exc(limit=-8))
            return

    async def _bury(self, message: AbstractIncomingMessage, queue: str, reason: str, error: str) -> None:
        error = hide(error)
        MESSAGES_BURIED.labels(queue=queue, reason=reason).inc()
        log.error("message_buried", queue=queue, reason=reason, error=error[:200], message_id=message.message_id)
        try:
            await self._publisher.bury(message, queue, reason, error)
        except Unreachable:
            await _reject(message)
            return
        await _ack(message)

    async def _keep(self, message: AbstractIncomingMessage, keep: Keep) -> None:
        letter = dead_letters.read(message)
        while not self._stopping.is_set():
            try:
                await keep(letter)
            except Unreachable as error:
                log.warning("message_kept", error=str(error))
            except Exception as error:
                log.exception("dead_letter_not_stored", error=repr(error), letter=letter.id)
            else:
                await _ack(message)
                return
            await asyncio.sleep(RETRY_SECONDS)


async def side_by_side(message: TaskMessage, handle: Callable[[TaskMessage | Named], Awaitable[None]]) -> None:
    """Handle every task that a message is about; what goes wrong with one keeps back no other.

    Raises what went wrong with the first of those.
    """
    if len(message.tasks) == 1:
        await handle(message)
        return
    for handled in await asyncio.gather(*map(handle, message.tasks), return_exceptions=True):
        if isinstance(handled, BaseException):
            raise handled


async def _measured(
    queue: str, handle: Callable[[AbstractIncomingMessage], Awaitable[None]], message: AbstractIncomingMessage
) -> None:
    MESSAGES_IN_PROCESS.labels(queue=queue).inc()
    began = time.perf_counter()
    try:
        with spans.processing(message):
            await handle(message)
    finally:
        MESSAGES_IN_PROCESS.labels(queue=queue).dec()
        MESSAGES_PROCESSED.labels(queue=queue).inc()
        MESSAGE_SECONDS.labels(queue=queue).observe(time.perf_counter() - began)


async def _ack(message: AbstractIncomingMessage) -> None:
    """An acknowledgement that does not arrive means a redelivery, which changes nothing."""
    try:
        async with asyncio.timeout(ACK_SECONDS):
            channel = cast("aiormq.Channel", message.channel)
            await channel.basic_ack(cast("int", message.delivery_tag), wait=False)  # only what was asked for has none
    except (AMQPError, RuntimeError, OSError) as error:
        log.info("ack_lost", error=repr(error))


async def _reject(message: AbstractIncomingMessage) -> None:
    """To the dead letters by the broker's own road, without our reason."""
    try:
        async with asyncio.timeout(ACK_SECONDS):
            await message.reject(requeue=False)
    except (AMQPError, RuntimeError, OSError) as error:
        log.info("reject_lost", error=repr(error))
