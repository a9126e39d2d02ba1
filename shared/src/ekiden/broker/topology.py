"""Every name on the broker, in one place, and how it is declared. Right on RabbitMQ 3.10 and 4.x alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aio_pika
from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from yarl import URL

from ekiden.domain.plan import Provider

COMMANDS = "ekiden.commands"
EVENTS = "ekiden.events"
ORCHESTRATOR = "ekiden.orchestrator"
DEAD_LETTERS = "ekiden.dead-letters"
EXCHANGES: Mapping[str, ExchangeType] = {COMMANDS: ExchangeType.DIRECT, EVENTS: ExchangeType.TOPIC}
TASK_QUEUES: Mapping[Provider, str] = {provider: f"ekiden.tasks.{provider}" for provider in Provider}

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


QUEUES: tuple[Queue, ...] = (
    Queue(DEAD_LETTERS, dead_letters=False),
    *(Queue(name, COMMANDS, provider.value) for provider, name in TASK_QUEUES.items()),
    Queue(ORCHESTRATOR, EVENTS, "task.*"),
)


WORK_QUEUES: frozenset[str] = frozenset(queue.name for queue in QUEUES if queue.dead_letters)


def with_heartbeat(url: str) -> str:
    """The broker's address with our heartbeat, the one way that all clients take it."""
    return str(URL(url) % {"heartbeat": str(HEARTBEAT_SECONDS)})


def queue(name: str) -> Queue:
    return next(found for found in QUEUES if found.name == name)


async def declare(channel: AbstractChannel) -> None:
    """Declare all of it. Idempotent; raises on a broker that holds the same names with other arguments."""
    for name, kind in EXCHANGES.items():
        await channel.declare_exchange(name, kind, durable=True)
    for wanted in QUEUES:
        made = await channel.declare_queue(wanted.name, durable=True, arguments=wanted.declared_arguments)
        if wanted.exchange:
            await made.bind(wanted.exchange, wanted.routing_key)


async def declare_at(url: str) -> None:
    async with await aio_pika.connect(url, timeout=PUBLISH_SECONDS) as connection:
        await declare(await connection.channel())
