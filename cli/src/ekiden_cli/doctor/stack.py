"""What can be seen by asking broker and database: whether they are there, can be used, and tell our time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlsplit

import aio_pika
import aiormq.exceptions
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from ekiden_cli.addresses import Addresses
from ekiden_cli.doctor.finding import Finding, failed, ok, warning

_ANSWER_SECONDS = 5.0
_CLOCK_SECONDS = 2.0
_OLDEST_RABBITMQ = (3, 10)
_OLDEST_MONGODB = (5, 0)
"""The ledger's writes use $$NOW and updates with pipelines; the sessions' size check needs $bsonSize."""
_START = "Start the stack with `make up`, or set {}."


async def check_broker(addresses: Addresses) -> Finding:
    """Connect as TCP does, then as AMQP does, so that the two can be told apart."""
    if addresses.amqp_url is None:
        return failed("RabbitMQ", "its address is not known", _START.format("EKIDEN_AMQP_URL"))
    place = urlsplit(addresses.amqp_url)
    where = f"{place.hostname}:{place.port or 5672}"
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            _, writer = await asyncio.open_connection(place.hostname, place.port or 5672)
            writer.close()
    except (OSError, TimeoutError):
        return failed("RabbitMQ", f"nothing listens at {where}", _START.format("EKIDEN_AMQP_URL"))
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            connection = await aio_pika.connect(addresses.amqp_url)
    except (OSError, TimeoutError, aiormq.exceptions.AMQPError) as error:
        told = str(error) or type(error).__name__
        return failed(
            "RabbitMQ", f"{where} refuses AMQP: {told}", "Look at user, password and vhost in EKIDEN_AMQP_URL."
        )
    found = _server_version(connection)
    await connection.close()
    if _number(found) < _OLDEST_RABBITMQ:
        return failed(
            "RabbitMQ", f"{where} is version {found}", "Use RabbitMQ 3.10 or newer: quorum queues are needed."
        )
    return ok("RabbitMQ", f"{where}, version {found}")


async def check_database(addresses: Addresses) -> AsyncIterator[Finding]:
    """Ping it, look that it is a replica set that can be written, and compare its clock with ours."""
    if addresses.mongodb_url is None:
        yield failed("MongoDB", "its address is not known", _START.format("EKIDEN_MONGODB_URL"))
        return
    client: AsyncMongoClient[dict[str, Any]] | None = None
    try:
        client = AsyncMongoClient(addresses.mongodb_url, serverSelectionTimeoutMS=round(_ANSWER_SECONDS * 1000))
        await client.admin.command("ping")
        hello = await client.admin.command("hello")
        here = datetime.now(UTC)
        found = str((await client.admin.command("buildInfo"))["version"])
        yield _database(hello, found)
        yield _clock((hello["localTime"].replace(tzinfo=UTC) - here).total_seconds())
        yield await _writable(client, addresses.mongodb_database)
    except (PyMongoError, ValueError) as error:
        first_line = str(error).split("\n")[0].split(", Timeout:")[0]
        yield failed("MongoDB", first_line[:200], _START.format("EKIDEN_MONGODB_URL"))
    finally:
        if client is not None:
            await client.close()


def _database(hello: dict[str, Any], found: str) -> Finding:
    replica_set = hello.get("setName")
    if replica_set is None:
        return failed(
            "MongoDB", f"version {found}, not a replica set", "Start it with --replSet; one member is enough."
        )
    if _number(found) < _OLDEST_MONGODB:
        return failed("MongoDB", f"version {found}", "Use MongoDB 5.0 or newer.")
    if not hello.get("isWritablePrimary"):
        return failed(
            "MongoDB",
            f"version {found}, {replica_set} has no primary here",
            "Wait for an election, or look at rs.status().",
        )
    return ok("MongoDB", f"version {found}, replica set {replica_set}")


async def _writable(client: AsyncMongoClient[dict[str, Any]], name: str) -> Finding:
    """Write, journaled, as sessions are, into a collection that is dropped again."""
    collection = client[name]["doctor"]
    try:
        await collection.insert_one({"at": datetime.now(UTC)})
        await collection.drop()
    except PyMongoError as error:
        return failed("Writes", f"{name}: {str(error)[:200]}", "Look at the user's rights and the space on the disk.")
    return ok("Writes", f"the database {name} can be written")


def _clock(difference: float) -> Finding:
    found = f"the database's clock differs from this one by {abs(difference):.1f} s"
    if abs(difference) > _CLOCK_SECONDS:
        return warning(
            "Clocks", found, "Let both machines keep time with NTP. Leases do not depend on it, logs and webhooks do."
        )
    return ok("Clocks", found)


def _server_version(connection: object) -> str:
    """The broker's own words at the handshake."""
    transport = getattr(getattr(connection, "transport", None), "connection", None)
    told = cast("dict[str, Any]", getattr(transport, "server_properties", None) or {})
    found = told.get("version", "unknown")
    return found.decode() if isinstance(found, bytes) else str(found)


def _number(text: str) -> tuple[int, ...]:
    """The first two numbers of a version; one that cannot be read counts as new enough."""
    numbers = [int(part) for part in text.split(".")[:2] if part.isdecimal()]
    return tuple(numbers) if len(numbers) == 2 else (999, 0)
