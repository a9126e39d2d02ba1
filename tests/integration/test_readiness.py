"""Readiness tells the truth: each part is taken away for real, and comes back. Alive stays alive all the while."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import cast
from uuid import uuid4

import aio_pika
import httpx
import pytest
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aiormq.exceptions import ChannelPreconditionFailed
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from ekiden.backbone import Backbone
from ekiden.broker import topology
from ekiden.broker.consumer import Ack
from ekiden.domain.ids import SessionId, TaskId
from ekiden.domain.plan import Provider
from ekiden.errors import Unreachable
from ekiden.messages.envelope import GenerateText
from ekiden.process import Health, start_when_possible
from ekiden.settings import ServiceSettings
from ekiden_gateway.parts import Parts
from tests.integration.conftest import Infra
from tests.integration.test_gateway_http import running, settings_for

SESSION = SessionId("ses_" + "0" * 32)
QUEUE = topology.task_queue(Provider.GPT)
ANSWERS_WITHIN_SECONDS = 5.0
"""The bound is three; a loaded machine may take a little to notice that they are over."""
HEALS_WITHIN_SECONDS = 60.0


class OneQueue:
    """A service that does nothing but consume a queue; its backbone is every service's."""

    def __init__(self, infra: Infra) -> None:
        make = cast("Callable[..., ServiceSettings]", ServiceSettings)
        name = f"ready_{uuid4().hex[:8]}"
        self.backbone = Backbone(make(amqp_url=infra.amqp_url, mongodb_url=infra.mongodb_url, mongodb_database=name))
        self.handled: list[TaskId] = []
        self.backbone.consumer.subscribe(QUEUE, GenerateText.model_validate_json, self._handle, prefetch=4)

    async def start(self) -> None:
        await self.backbone.connect()
        await self.backbone.work()

    async def ready(self) -> list[str]:
        return await self.backbone.ready()

    async def stop(self) -> None:
        await self.backbone.consumer.stop()
        await self.backbone.close()

    async def _handle(self, message: GenerateText, ack: Ack) -> None:
        self.handled.append(message.task_id)
        await ack()


@dataclass
class Site:
    service: OneQueue
    port: int

    async def get(self, path: str) -> tuple[int, str, float]:
        """Status, body and the seconds it took."""
        began = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        head, _, body = answer.partition("\r\n\r\n")
        return int(head.split(" ")[1]), body, time.monotonic() - began

    async def until(self, wanted: int, saying: str = "") -> str:
        """Ask until the answer is the wanted one. Each answer must be prompt, and the process alive."""
        async with asyncio.timeout(HEALS_WITHIN_SECONDS):
            while True:
                status, body, seconds = await self.get("/readyz")
                assert seconds < ANSWERS_WITHIN_SECONDS
                assert (await self.get("/healthz"))[0] == 200
                if status == wanted and saying in body:
                    return body
                await asyncio.sleep(0.05)

    async def handles(self, task_id: TaskId) -> None:
        """Send a message as a publisher does that tries again, and return when it was handled."""
        async with asyncio.timeout(HEALS_WITHIN_SECONDS):
            while task_id not in self.service.handled:
                with contextlib.suppress(Unreachable):
                    await self.service.backbone.publisher.command(Provider.GPT, task_id, SESSION)
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def serving(service: OneQueue) -> AsyncGenerator[Site]:
    async with await asyncio.start_server(Health(service, "orchestrator").answer, "127.0.0.1", 0) as server:
        try:
            yield Site(service, server.sockets[0].getsockname()[1])
        finally:
            await service.stop()


@pytest.fixture
async def site(infra: Infra) -> AsyncIterator[Site]:
    async with serving(OneQueue(infra)) as made:
        assert (await made.get("/readyz"))[0] == 503  # it has not started yet
        await start_when_possible(made.service)
        await made.until(200)
        yield made


@pytest.fixture
async def channel(infra: Infra) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(infra.amqp_url) as connection:
        yield await connection.channel()


async def _take_nothing(message: AbstractIncomingMessage) -> None:
    await message.reject(requeue=False)


async def _take_the_name(connection: AbstractConnection) -> AbstractQueue:
    """Delete the queue and declare a strange one under its name, before the service declares its own again."""
    async with asyncio.timeout(HEALS_WITHIN_SECONDS):
        while True:
            channel = await connection.channel()
            with contextlib.suppress(ChannelPreconditionFailed):
                await channel.queue_delete(QUEUE)
                return await channel.declare_queue(QUEUE, durable=True)


def task(n: int) -> TaskId:
    return TaskId(f"{SESSION}.1T.g1.{n}")


async def test_a_deleted_queue_is_declared_bound_and_consumed_again(site: Site, channel: AbstractChannel) -> None:
    await site.handles(task(1))

    # Bindings go last when a queue is deleted, and the service may be quicker: without them from the start.
    await (await channel.get_queue(QUEUE)).unbind(topology.COMMANDS, Provider.GPT.value)
    await channel.queue_delete(QUEUE)

    await site.handles(task(2))
    await site.until(200)


async def test_a_deleted_queue_that_cannot_be_declared_is_told(infra: Infra, site: Site) -> None:
    """Somebody else has taken its name, with other arguments: nothing heals that but a person."""
    async with await aio_pika.connect(infra.amqp_url) as squatter:
        taken = await _take_the_name(squatter)
        await taken.consume(_take_nothing)  # so the broker does know a consumer, which is none of ours
        await site.until(503, QUEUE)
        await (await squatter.channel()).queue_delete(QUEUE)
    await site.handles(task(3))
    await site.until(200)


async def test_a_consumer_that_is_gone_without_a_word_is_told_and_subscribed_again(site: Site) -> None:
    subscription = site.service.backbone.consumer._subscriptions[0]
    tag = subscription.tag
    assert tag is not None
    channel = await subscription.channel()
    believed = channel.consumers[tag]
    await channel.basic_cancel(tag)
    channel.consumers[tag] = believed

    await site.until(503, QUEUE)
    await site.until(200)
    await site.handles(task(8))


async def test_a_channel_that_the_broker_closes_comes_back_with_its_consumer(site: Site) -> None:
    subscription = site.service.backbone.consumer._subscriptions[0]
    queue = subscription.declared
    assert queue is not None
    underlay = await queue.channel.get_underlay_channel()
    await underlay.basic_ack(4711)  # PRECONDITION_FAILED: the broker closes the channel
    async with asyncio.timeout(HEALS_WITHIN_SECONDS):
        while not underlay.is_closed:  # noqa: ASYNC110 - it has no event for this
            await asyncio.sleep(0.01)

    await site.handles(task(4))
    await site.until(200)


async def test_a_broker_that_is_gone_is_told_and_its_return_is_enough(infra: Infra, site: Site) -> None:
    await asyncio.to_thread(infra.stack.stop_service, "rabbitmq")
    try:
        assert "the consumer is not connected" in await site.until(503)
    finally:
        infra.stack.start_service("rabbitmq")
    await asyncio.to_thread(infra.stack.wait_ready, "rabbitmq", timeout=HEALS_WITHIN_SECONDS)
    await site.until(200)
    await site.handles(task(5))


async def test_a_connection_that_is_cut_is_taken_up_again(site: Site) -> None:
    connection = site.service.backbone.consumer._connection
    assert connection is not None
    assert connection.transport is not None
    lost = asyncio.Event()
    connection.close_callbacks.add(lambda *_: lost.set())
    await connection.transport.connection.close(ConnectionError("cut by the test"))
    await asyncio.wait_for(lost.wait(), HEALS_WITHIN_SECONDS)

    await site.until(200)
    await site.handles(task(6))


async def test_a_broker_that_hangs_is_told_in_time(infra: Infra, site: Site) -> None:
    infra.stack.pause("rabbitmq")
    try:
        assert "broker does not answer" in await site.until(503)
    finally:
        infra.stack.resume("rabbitmq")
    await site.until(200)
    await site.handles(task(7))


async def test_a_database_that_hangs_is_told_in_time(infra: Infra, site: Site) -> None:
    infra.stack.pause("mongod")
    try:
        assert "the database does not answer in time" in await site.until(503)
    finally:
        infra.stack.resume("mongod")
    await site.until(200)


async def test_a_database_without_a_primary_answers_and_is_not_ready(infra: Infra, site: Site) -> None:
    async with AsyncMongoClient[dict[str, object]](infra.mongodb_url, directConnection=True) as client:
        with contextlib.suppress(PyMongoError):  # it may cut the connection that tells it to
            await client.admin.command({"replSetStepDown": 600, "force": True})
        try:
            assert "the database takes no writes" in await site.until(503, "takes no writes")
            assert (await client.admin.command("ping"))["ok"] == 1
        finally:
            await client.admin.command({"replSetFreeze": 0})
    await site.until(200)


async def test_a_process_says_not_ready_from_the_first_moment_without_a_broker(infra: Infra) -> None:
    away = Infra("amqp://127.0.0.1:1/", infra.mongodb_url, infra.stack)
    async with serving(OneQueue(away)) as site:
        starting = asyncio.create_task(start_when_possible(site.service))
        assert "the consumer is not connected" in await site.until(503)
        starting.cancel()


class NeverSure(OneQueue):
    """A service whose own look at itself hangs."""

    async def ready(self) -> list[str]:
        await asyncio.Event().wait()
        return []


async def test_a_look_that_hangs_is_answered_with_no(infra: Infra) -> None:
    async with serving(NeverSure(infra)) as site:
        assert "no answer within" in await site.until(503)


# ── the gateway ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def gateway(infra: Infra) -> AsyncIterator[tuple[Parts, httpx.AsyncClient]]:
    async with running(settings_for(infra)) as (server, url), httpx.AsyncClient(base_url=url, timeout=30) as client:
        await until_gateway(client, 200)
        yield server.parts, client


async def until_gateway(client: httpx.AsyncClient, wanted: int, saying: str = "") -> None:
    """Ask until the answer is the wanted one. Each answer must be prompt."""
    async with asyncio.timeout(HEALS_WITHIN_SECONDS):
        while True:
            began = time.monotonic()
            answer = await client.get("/readyz")
            assert time.monotonic() - began < ANSWERS_WITHIN_SECONDS
            if answer.status_code == wanted and saying in answer.text:
                return
            await asyncio.sleep(0.05)


async def test_a_gateway_tells_in_time_of_a_broker_that_hangs(
    infra: Infra, gateway: tuple[Parts, httpx.AsyncClient]
) -> None:
    _, client = gateway
    infra.stack.pause("rabbitmq")
    try:
        await until_gateway(client, 503, "the broker does not answer")
    finally:
        infra.stack.resume("rabbitmq")
    await until_gateway(client, 200)


async def test_a_gateway_names_a_loop_that_ended(gateway: tuple[Parts, httpx.AsyncClient]) -> None:
    parts, client = gateway
    keeping = next(loop for loop in parts._loops if "_keep_database" in str(loop.get_coro()))
    keeping.cancel()

    await until_gateway(client, 503, "a loop ended: <coroutine object Parts._keep_database")
