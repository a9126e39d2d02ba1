"""Every name on the broker, in one place, and how it is declared. Right on RabbitMQ 3.10 and 4.x alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aio_pika
from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from yarl import URL

from ekiden.domain.plan import Provider

DEFAULT = ""
"""The broker's own exchange: to the queue that the routing key names."""
COMMANDS = "ekiden.commands"
EVENTS = "ekiden.events"
ORCHESTRATOR = "ekiden.orchestrator"
DEAD_LETTERS = "ekiden.dead-letters"
EXCHANGES: Mapping[str, ExchangeType] = {COMMANDS: ExchangeType.DIRECT, EVENTS: ExchangeType.TOPIC}

TASK_COMPLETED = "task.completed"
TASK_FAILED = "task.failed"
SESSION_EVENTS = "session.#"

HEARTBEAT_SECONDS = 10
"""aio-pika finds a black hole after three of these; its default of 60 would mean three minutes."""
RECONNECT_SECONDS = 1.0
PUBLISH_SECONDS = 5.0
DELIVERY_LIMIT = 20
"""The outer safety net only: 4.0 counts a returned prefetch, 4.3 does not, and a restart must not use it up."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A quorum queue; with `dead_letters` what nobody could handle goes there at least once."""

    name: str
    exchange: str | None = None
    routing_key: str = ""
    dead_letters: bool = True

    @property
    def declared_arguments(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {"x-queue-type": "quorum"}
        if self.dead_letters:
            arguments |= {
                "x-delivery-limit": DELIVERY_LIMIT,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": DEAD_LETTERS,
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            }
        return arguments


def task_queue(provider: Provider) -> str:
    """Where a provider's tasks are told of."""
    return f"ekiden.tasks.{provider}"


def queues() -> tuple[Queue, ...]:
    """All there are: one for each provider, and two more."""
    tasks = (Queue(task_queue(provider), COMMANDS, provider.value) for provider in Provider)
    return (Queue(DEAD_LETTERS, dead_letters=False), *tasks, Queue(ORCHESTRATOR, EVENTS, "task.*"))


def work_queues() -> frozenset[str]:
    return frozenset(queue.name for queue in queues() if queue.dead_letters)


def with_heartbeat(url: str) -> str:
    """The broker's address with our heartbeat, the one way that all clients take it."""
    return str(URL(url) % {"heartbeat": str(HEARTBEAT_SECONDS)})


def queue(name: str) -> Queue:
    return next(found for found in queues() if found.name == name)


async def declare(channel: AbstractChannel) -> None:
    """Declare all of it. Idempotent; raises on a broker that holds the same names with other arguments."""
    for name, kind in EXCHANGES.items():
        await channel.declare_exchange(name, kind, durable=True)
    for wanted in queues():
        made = await channel.declare_queue(wanted.name, durable=True, arguments=wanted.declared_arguments)
        if wanted.exchange:
            await made.bind(wanted.exchange, wanted.routing_key)


async def declare_at(url: str) -> None:
    async with await aio_pika.connect(url, timeout=PUBLISH_SECONDS) as connection:
        await declare(await connection.channel())
