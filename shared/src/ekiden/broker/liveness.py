"""Whether a subscription really has its consumer: our side and the broker's are both asked.

aio-pika mends much by itself: it takes up lost connections and closed channels, and after the queue was deleted
declares it, binds it and consumes again (`RobustChannel._restore_missing_consumers`). That begins with the broker's
word that a consumer is gone, and while a queue is being deleted it may come too early to be of use: then the consumer
is believed to be there and is not. So the broker is asked, and `Subscription.begin_again` mends what was told and not
mended.
"""

import asyncio
from collections.abc import Iterable

from aio_pika.abc import AbstractRobustConnection
from aiormq.exceptions import AMQPError, ChannelInvalidStateError, ChannelNotFoundEntity

from ekiden.broker.queue_depth import look
from ekiden.broker.subscription import Subscription

PROBE_SECONDS = 2.0


async def missing(connection: AbstractRobustConnection | None, subscriptions: Iterable[Subscription]) -> list[str]:
    """What does not really work, one sentence each; known after `PROBE_SECONDS` at the latest."""
    if connection is None or connection.is_closed or not connection.connected.is_set():
        return ["the consumer is not connected"]
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return [wrong for one in subscriptions if (wrong := await _missing(connection, one))]
    except TimeoutError:
        return ["the broker does not answer the consumer in time"]
    except (AMQPError, OSError, RuntimeError) as error:
        return [f"the broker does not answer the consumer: {error!r}"]
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling() == 0:  # aiormq cancels its waiters when a connection dies
            return ["the consumer's connection was lost"]
        raise


async def _missing(connection: AbstractRobustConnection, subscription: Subscription) -> str:
    name = subscription.queue.name
    if subscription.tag is None:
        return f"{name} is not consumed here"
    try:
        channel = await subscription.channel()
    except ChannelInvalidStateError:  # it was closed and could not be opened again
        return f"{name} has lost its channel here"
    if channel.is_closed or subscription.tag not in channel.consumers:
        return f"{name} has lost its consumer here"
    try:
        declared = await look(connection, name)
    except ChannelNotFoundEntity:
        return f"there is no queue {name}"
    return "" if declared.consumer_count else f"the broker knows no consumer of {name}"


async def lost(connection: AbstractRobustConnection, subscriptions: Iterable[Subscription]) -> list[Subscription]:
    """The subscriptions that have no consumer although the broker answers. Raises what aio-pika raises."""
    async with asyncio.timeout(PROBE_SECONDS):
        return [one for one in subscriptions if await _missing(connection, one)]
