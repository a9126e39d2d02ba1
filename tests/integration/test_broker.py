"""Sending and receiving over a real RabbitMQ, which is stopped and killed on the way."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

import aio_pika
import aiormq
import pytest
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from ekiden import tracing
from ekiden.broker import topology
from ekiden.broker.consumer import Ack, Consumer
from ekiden.broker.publisher import TEXTS_TOGETHER, Publisher
from ekiden.clock import DatabaseClock
from ekiden.domain.altered import altered
from ekiden.domain.ids import SessionId, TaskId
from ekiden.domain.plan import Provider
from ekiden.domain.session import Status
from ekiden.errors import Unreachable
from ekiden.messages.envelope import GenerateText, SearchWeb, SessionMoved, SharedMessage, TaskCompleted
from ekiden.stamp import Stamp
from tests.integration.conftest import Infra
from tests.unit.domain.small_plan import new_session

SESSION = SessionId("ses_" + "0" * 32)
QUEUE = topology.task_queue(Provider.GPT)
Receive = Callable[[GenerateText, Ack], Coroutine[Any, Any, None]]


def task(n: int = 0) -> TaskId:
    return TaskId(f"{SESSION}.1T.g1.{n}")


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


@pytest.fixture
async def publisher(infra: Infra) -> AsyncIterator[Publisher]:
    made = Publisher(infra.amqp_url, Stamp(DatabaseClock()))
    await made.connect()
    yield made
    await made.close()


@pytest.fixture
async def channel(infra: Infra, publisher: Publisher) -> AsyncIterator[AbstractChannel]:
    """A channel of the test's own, with all queues empty."""
    async with await aio_pika.connect(infra.amqp_url) as connection:
        made = await connection.channel()
        for queue in topology.queues():
            await (await made.get_queue(queue.name)).purge()
        yield made


@asynccontextmanager
async def consuming(
    infra: Infra, publisher: Publisher, handler: Receive, prefetch: int = 10
) -> AsyncGenerator[Consumer]:
    consumer = Consumer(infra.amqp_url, publisher)
    consumer.subscribe(QUEUE, GenerateText.model_validate_json, handler, prefetch=prefetch)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def the_next(channel: AbstractChannel, name: str) -> AbstractIncomingMessage:
    queue = await channel.get_queue(name)
    async with asyncio.timeout(10):
        while (found := await queue.get(fail=False)) is None:  # noqa: ASYNC110 - the broker has none for this
            await asyncio.sleep(0.02)
    await found.ack()
    return found


async def ready(channel: AbstractChannel, name: str) -> int:
    underlay = await channel.get_underlay_channel()
    return (await underlay.queue_declare(name, passive=True)).message_count or 0


async def test_the_topology_can_be_declared_again(infra: Infra, channel: AbstractChannel) -> None:
    await topology.declare(channel)
    await topology.declare_at(infra.amqp_url)


async def test_a_command_is_persistent_and_says_what_it_is(publisher: Publisher, channel: AbstractChannel) -> None:
    await publisher.command(Provider.GPT, task(), SESSION)

    message = await the_next(channel, QUEUE)

    assert message.delivery_mode is DeliveryMode.PERSISTENT
    assert (message.type, message.content_type) == ("GenerateText", "application/json")
    sent = GenerateText.model_validate_json(message.body)
    assert (sent.task_id, sent.session_id, sent.message_id) == (task(), SESSION, message.message_id)


@pytest.mark.parametrize("completed", [True, False])
async def test_a_tasks_end_reaches_the_orchestrators(
    publisher: Publisher, channel: AbstractChannel, completed: bool
) -> None:
    await publisher.task_ended(task(), SESSION, completed=completed)

    message = await the_next(channel, topology.ORCHESTRATOR)

    assert message.type == ("TaskCompleted" if completed else "TaskFailed")
    assert message.delivery_mode is DeliveryMode.PERSISTENT


async def test_tasks_that_are_completed_at_the_same_moment_are_told_of_in_one_message(
    publisher: Publisher, channel: AbstractChannel
) -> None:
    wanted = [task(n) for n in range(5)]
    await asyncio.gather(*(publisher.task_ended(each, SESSION, completed=True) for each in wanted))

    told = TaskCompleted.model_validate_json((await the_next(channel, topology.ORCHESTRATOR)).body)

    assert [each.task_id for each in told.tasks] == wanted
    assert await ready(channel, topology.ORCHESTRATOR) == 0


async def test_texts_that_are_ordered_at_the_same_moment_share_commands_of_a_few(
    publisher: Publisher, channel: AbstractChannel
) -> None:
    wanted = [task(n) for n in range(TEXTS_TOGETHER + 2)]
    await asyncio.gather(*(publisher.command(Provider.GPT, each, SESSION) for each in wanted))

    told = [GenerateText.model_validate_json((await the_next(channel, QUEUE)).body) for _ in range(2)]

    assert [len(command.tasks) for command in told] == [TEXTS_TOGETHER, 2]
    assert [each.task_id for command in told for each in command.tasks] == wanted
    assert await ready(channel, QUEUE) == 0


async def test_each_search_has_a_command_of_its_own(publisher: Publisher, channel: AbstractChannel) -> None:
    wanted = [task(n) for n in range(3)]
    await asyncio.gather(*(publisher.command(Provider.PERPLEXITY, each, SESSION) for each in wanted))

    searches = topology.task_queue(Provider.PERPLEXITY)
    told = [SearchWeb.model_validate_json((await the_next(channel, searches)).body) for _ in wanted]

    assert {each.task_id for each in told} == set(wanted)


async def test_with_tracing_on_each_task_is_told_of_in_its_own_trace(
    publisher: Publisher, channel: AbstractChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "is_on", lambda: True)
    wanted = [task(n) for n in range(3)]
    await asyncio.gather(*(publisher.command(Provider.GPT, each, SESSION) for each in wanted))
    await asyncio.gather(*(publisher.task_ended(each, SESSION, completed=True) for each in wanted))

    for queue in (QUEUE, topology.ORCHESTRATOR):
        told = [SharedMessage.model_validate_json((await the_next(channel, queue)).body) for _ in wanted]
        assert {each.task_id for each in told} == set(wanted)


async def test_sessions_that_move_at_the_same_moment_to_the_same_status_are_told_of_in_one_update(
    publisher: Publisher, channel: AbstractChannel
) -> None:
    tap = await channel.declare_queue(exclusive=True)
    await tap.bind(topology.EVENTS, topology.SESSION_EVENTS)
    statuses = [Status.PENDING, Status.EXECUTING, Status.PENDING]
    moved = [altered(new_session(), version=n, status=status) for n, status in enumerate(statuses)]
    await asyncio.gather(*map(publisher.session_moved, moved))

    updates = [await the_next(channel, tap.name) for _ in range(2)]
    told = {update.routing_key: SessionMoved.model_validate_json(update.body) for update in updates}

    assert [each.version for each in told["session.pending"].sessions] == [0, 2]
    assert [each.version for each in told["session.executing"].sessions] == [1]


async def test_a_message_that_no_queue_takes_is_not_taken_for_sent(publisher: Publisher) -> None:
    with pytest.raises(Unreachable):
        await publisher._publish(topology.DEFAULT, "no-such-queue", Message(b""))


async def test_a_publisher_that_never_connected_says_so() -> None:
    with pytest.raises(Unreachable):
        await Publisher("amqp://127.0.0.1:1/", Stamp(DatabaseClock())).command(Provider.GPT, task(), SESSION)
    with pytest.raises(Unreachable):
        await Publisher("amqp://127.0.0.1:1/", Stamp(DatabaseClock())).connect()


async def test_heartbeats_are_as_frequent_as_we_ask(publisher: Publisher) -> None:
    connection = publisher._connection
    assert connection is not None
    assert connection.transport is not None
    underlay = cast("aiormq.Connection", connection.transport.connection)
    assert underlay.connection_tune.heartbeat == topology.HEARTBEAT_SECONDS


@pytest.mark.parametrize("body", [b"no json", b"{}", b'{"schemaVersion": 2}'], ids=["no json", "empty", "newer"])
async def test_an_undecodable_message_is_put_aside_with_its_reason(
    infra: Infra, publisher: Publisher, channel: AbstractChannel, body: bytes
) -> None:
    handled: list[TaskId] = []

    async def handler(message: GenerateText, ack: Ack) -> None:
        handled.append(message.task_id)
        await ack()

    async with consuming(infra, publisher, handler, prefetch=1):
        await channel.default_exchange.publish(Message(body, delivery_mode=DeliveryMode.PERSISTENT), QUEUE)
        await publisher.command(Provider.GPT, task(1), SESSION)
        await until(lambda: handled == [task(1)])

    dead = await the_next(channel, topology.DEAD_LETTERS)
    assert (dead.body, dead.headers["ekiden-reason"]) == (body, "undecodable")
    assert dead.headers["ekiden-error"]
    assert dead.delivery_mode is DeliveryMode.PERSISTENT
    assert await ready(channel, QUEUE) == 0


async def test_a_message_at_which_the_handler_crashes_is_put_aside_and_the_queue_goes_on(
    infra: Infra, publisher: Publisher, channel: AbstractChannel
) -> None:
    handled: list[TaskId] = []

    async def handler(message: GenerateText, ack: Ack) -> None:
        if message.task_id == task(0):
            raise ZeroDivisionError("a bug")
        handled.append(message.task_id)
        await ack()

    async with consuming(infra, publisher, handler, prefetch=1):
        for n in range(3):
            await publisher.command(Provider.GPT, task(n), SESSION)
        await until(lambda: handled == [task(1), task(2)])

    dead = await the_next(channel, topology.DEAD_LETTERS)
    assert GenerateText.model_validate_json(dead.body).task_id == task(0)
    assert dead.headers["ekiden-reason"] == "handler_crashed"
    assert "ZeroDivisionError: a bug" in str(dead.headers["ekiden-error"])
    assert await ready(channel, QUEUE) == 0


async def test_a_message_is_kept_and_tried_again_in_place_while_the_database_is_away(
    infra: Infra, publisher: Publisher, channel: AbstractChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ekiden.broker.consumer.RETRY_SECONDS", 0.02)
    tries: list[TaskId] = []

    async def handler(message: GenerateText, ack: Ack) -> None:
        tries.append(message.task_id)
        if len(tries) < 5:
            raise Unreachable("the database is away")
        await ack()

    async with consuming(infra, publisher, handler):
        await publisher.command(Provider.GPT, task(), SESSION)
        await until(lambda: len(tries) == 5)

    assert await ready(channel, QUEUE) == 0
    assert await ready(channel, topology.DEAD_LETTERS) == 0


async def test_no_more_messages_are_held_than_the_prefetch(
    infra: Infra, publisher: Publisher, channel: AbstractChannel
) -> None:
    held: set[TaskId] = set()
    most = 0
    go_on = asyncio.Semaphore(0)

    async def handler(message: GenerateText, ack: Ack) -> None:
        nonlocal most
        held.add(message.task_id)
        most = max(most, len(held))
        await go_on.acquire()
        await ack()
        held.discard(message.task_id)

    for n in range(9):
        await publisher.command(Provider.GPT, task(n), SESSION)
    async with consuming(infra, publisher, handler, prefetch=3):
        await until(lambda: len(held) == 3)
        assert await ready(channel, QUEUE) == 6
        for _ in range(9):
            go_on.release()
        await until(lambda: not held and go_on.locked())

    assert most == 3
    assert await ready(channel, QUEUE) == 0


async def test_a_stop_gives_back_what_was_not_acknowledged(
    infra: Infra, publisher: Publisher, channel: AbstractChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ekiden.broker.consumer.RETRY_SECONDS", 0.02)
    tried = asyncio.Event()

    async def handler(message: GenerateText, ack: Ack) -> None:
        tried.set()
        raise Unreachable("the database is away")

    async with consuming(infra, publisher, handler):
        await publisher.command(Provider.GPT, task(), SESSION)
        await tried.wait()

    assert (await the_next(channel, QUEUE)).redelivered


async def test_a_publish_into_a_black_hole_ends_in_five_seconds(infra: Infra, publisher: Publisher) -> None:
    infra.stack.pause("rabbitmq")
    try:
        began = time.monotonic()
        with pytest.raises(Unreachable):
            await publisher.command(Provider.GPT, task(), SESSION)
        assert 4.5 < time.monotonic() - began < 6.5
    finally:
        infra.stack.resume("rabbitmq")

    await publisher.command(Provider.GPT, task(), SESSION)


async def test_a_kill_of_the_broker_cuts_off_no_handler_and_consumers_come_back(
    infra: Infra, publisher: Publisher, channel: AbstractChannel
) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()
    finished: list[TaskId] = []
    cancelled: list[TaskId] = []

    async def handler(message: GenerateText, ack: Ack) -> None:
        started.set()
        try:
            await go_on.wait()
        except asyncio.CancelledError:
            cancelled.append(message.task_id)
            raise
        finished.append(message.task_id)
        await ack()

    async with consuming(infra, publisher, handler):
        await publisher.command(Provider.GPT, task(0), SESSION)
        await started.wait()
        await asyncio.to_thread(infra.stack.kill, "rabbitmq")
        with pytest.raises(Unreachable):
            await publisher.command(Provider.GPT, task(8), SESSION)
        go_on.set()
        await until(lambda: finished == [task(0)])
        assert cancelled == []

        await asyncio.to_thread(infra.stack.wait_port, "rabbitmq")
        opened = time.monotonic()
        while time.monotonic() - opened < 15:
            try:
                await publisher.command(Provider.GPT, task(9), SESSION)
                break
            except Unreachable:
                await asyncio.sleep(0.2)
        await until(lambda: task(9) in finished, 15 - (time.monotonic() - opened))
    await asyncio.to_thread(infra.stack.wait_ready, "rabbitmq")
