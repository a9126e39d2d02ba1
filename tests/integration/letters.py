"""The dead letters' end of the system, for tests: an orchestrator's keeper, on a real broker and database."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel

from ekiden.broker import topology
from ekiden.broker.consumer import Consumer
from ekiden.broker.publisher import Publisher
from ekiden.store.database import Database
from ekiden.store.dead_letters import DeadLetterStore
from ekiden_orchestrator import dead_letters
from ekiden_orchestrator.dead_letters import DeadLetterKeeper
from tests.integration.conftest import Infra

PATIENCE_SECONDS = 30.0


@asynccontextmanager
async def empty_queues(infra: Infra) -> AsyncGenerator[AbstractChannel]:
    """A channel of the test's own, with the topology declared and all queues empty."""
    async with await aio_pika.connect(infra.amqp_url) as connection:
        channel = await connection.channel()
        await topology.declare(channel)
        for queue in topology.queues():
            await (await channel.get_queue(queue.name)).purge()
        yield channel


@asynccontextmanager
async def keeping(infra: Infra, publisher: Publisher, database: Database) -> AsyncGenerator[DeadLetterStore]:
    """What an orchestrator does with dead letters, as long as it lasts."""
    store = DeadLetterStore(database)
    consumer = Consumer(infra.amqp_url, publisher)
    consumer.collect_dead_letters(DeadLetterKeeper(store).keep, prefetch=dead_letters.PREFETCH)
    await consumer.start()
    try:
        yield store
    finally:
        await consumer.stop()


async def letters(store: DeadLetterStore, count: int, **filters: str) -> list[Mapping[str, Any]]:
    """The letters, whole, once there are so many of them."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(found := await store.page(filters, None, 100)) < count:  # noqa: ASYNC110 - another process's work
            await asyncio.sleep(0.02)
    whole = [await store.one(row["_id"]) for row in found]
    return [row for row in whole if row is not None]
