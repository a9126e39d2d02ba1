"""Messages nobody can handle: the queue goes on, and each of them is found later, with why it died.

Over a real broker and a real database, on each of the work queues.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import aio_pika
import pytest
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel
from pydantic import TypeAdapter

from ekiden.broker import topology
from ekiden.broker.consumer import LARGEST_BODY_BYTES, Ack, Consumer
from ekiden.broker.publisher import Publisher
from ekiden.clock import DatabaseClock
from ekiden.domain.ids import SessionId, TaskId
from ekiden.domain.plan import Provider
from ekiden.messages.dead_letter import KEPT_BODY_BYTES
from ekiden.messages.envelope import GenerateText, SearchWeb, TaskCompleted, TaskFailed, TaskMessage
from ekiden.stamp import Stamp
from ekiden.store.database import Database
from ekiden.store.dead_letters import DeadLetterStore
from tests.integration.conftest import Infra
from tests.integration.letters import PATIENCE_SECONDS, empty_queues, keeping, letters

SESSION = SessionId("ses_" + "0" * 32)
CRASHING = TaskId(f"{SESSION}.1T.g1.666")
GOOD = 40
STAMP = Stamp(DatabaseClock())
_ENDED: TypeAdapter[TaskCompleted | TaskFailed] = TypeAdapter(TaskCompleted | TaskFailed)

Decode = Callable[[bytes], TaskMessage]
QUEUES: dict[str, tuple[type[TaskMessage], Decode]] = {
    topology.task_queue(Provider.GPT): (GenerateText, GenerateText.model_validate_json),
    topology.task_queue(Provider.PERPLEXITY): (SearchWeb, SearchWeb.model_validate_json),
    topology.ORCHESTRATOR: (TaskCompleted, _ENDED.validate_json),
}


def task(n: int) -> TaskId:
    return TaskId(f"{SESSION}.1T.g1.{n}")


def message(queue: str, task_id: TaskId) -> bytes:
    return QUEUES[queue][0](**STAMP.fields(), task_id=task_id, session_id=SESSION).encode()


POISON: dict[str, tuple[Callable[[str], bytes], str, str]] = {
    "no JSON": (lambda _queue: b"\xff\x00 no JSON", "undecodable", "JSON"),
    "another schema": (lambda _queue: b'{"schemaVersion": 1, "taskId": ["no", "text"]}', "undecodable", "taskId"),
    "a newer version": (
        lambda queue: message(queue, task(7)).replace(b'"schemaVersion":1', b'"schemaVersion":2'),
        "undecodable",
        "schemaVersion",
    ),
    "deeper than any decoder goes": (lambda _queue: b"[" * 60_000, "undecodable", "JSON"),
    "crashes its handler": (lambda queue: message(queue, CRASHING), "handler_crashed", "ZeroDivisionError: a bug"),
    "a little too long": (lambda _queue: b" " * (LARGEST_BODY_BYTES + 1), "oversized", "65537 bytes"),
    "a megabyte": (lambda _queue: b" " * 1_000_000, "oversized", "1000000 bytes"),
    "as long as RabbitMQ 4 takes": (lambda _queue: b"x" * 16_777_216, "oversized", "16777216 bytes"),
}


@pytest.fixture
async def publisher(infra: Infra) -> AsyncIterator[Publisher]:
    made = Publisher(infra.amqp_url, STAMP)
    await made.connect()
    yield made
    await made.close()


@pytest.fixture
async def channel(infra: Infra) -> AsyncIterator[AbstractChannel]:
    async with empty_queues(infra) as made:
        yield made


@pytest.fixture
async def store(infra: Infra, publisher: Publisher, channel: AbstractChannel) -> AsyncIterator[DeadLetterStore]:
    """Letters are kept in a database of the test's own."""
    database = Database(infra.mongodb_url, f"poison_{uuid4().hex[:12]}")
    async with keeping(infra, publisher, database) as made:
        yield made
    await database.close()


async def send(channel: AbstractChannel, queue: str, body: bytes) -> None:
    await channel.default_exchange.publish(Message(body, delivery_mode=DeliveryMode.PERSISTENT), queue)


@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize("kind", POISON)
async def test_one_bad_message_among_many_holds_up_none_of_them(
    infra: Infra, publisher: Publisher, channel: AbstractChannel, store: DeadLetterStore, queue: str, kind: str
) -> None:
    body, reason, error = POISON[kind]
    handled: set[TaskId] = set()
    all_done = asyncio.Event()

    async def handler(received: TaskMessage, ack: Ack) -> None:
        if received.task_id == CRASHING:
            raise ZeroDivisionError("a bug")
        handled.add(received.task_id)
        await ack()
        if len(handled) == GOOD:
            all_done.set()

    bad = body(queue)
    for n in range(GOOD):
        if n == GOOD // 2:
            await send(channel, queue, bad)
        await send(channel, queue, message(queue, task(n)))
    consumer = Consumer(infra.amqp_url, publisher)
    consumer.subscribe(queue, QUEUES[queue][1], handler, prefetch=2)
    await consumer.start()
    try:
        await asyncio.wait_for(all_done.wait(), PATIENCE_SECONDS)
        [letter] = await letters(store, 1)
    finally:
        await consumer.stop()

    assert (letter["queue"], letter["reason"], letter["deaths"]) == (queue, reason, 1)
    assert error in letter["error"]
    assert letter["body"] == bad[:KEPT_BODY_BYTES]
    assert (letter["size"], letter["truncated"]) == (len(bad), len(bad) > KEPT_BODY_BYTES)


@pytest.mark.parametrize("queue", QUEUES)
async def test_a_message_that_kills_every_consumer_ends_among_the_dead_letters(
    infra: Infra, channel: AbstractChannel, store: DeadLetterStore, queue: str
) -> None:
    body = message(queue, task(1))
    await send(channel, queue, body)
    killed = 0
    async with asyncio.timeout(2 * PATIENCE_SECONDS):
        while not await store.count():
            killed += await _takes_it_and_dies(infra, queue)

    [letter] = await letters(store, 1)
    assert killed >= topology.DELIVERY_LIMIT
    assert (letter["queue"], letter["reason"], letter["body"]) == (queue, "delivery_limit", body)
    assert (letter["sessionId"], letter["taskId"]) == (SESSION, task(1))
    assert str(topology.DELIVERY_LIMIT) in letter["error"]
    assert letter["diedAt"]


async def _takes_it_and_dies(infra: Infra, queue: str) -> bool:
    """What a process does that the message kills. False when the queue had none, or none yet again."""
    async with await aio_pika.connect(infra.amqp_url) as connection:
        source = await (await connection.channel()).get_queue(queue)
        return await source.get(fail=False) is not None
