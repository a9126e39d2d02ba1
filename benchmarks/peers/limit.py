"""The limit: what broker and database alone allow, from as many processes as Ekiden has.

For each step two messages (published with a confirm, consumed, acknowledged; quorum queues), three journaled majority
writes and two plain ones, and nothing else. Steps of a session go one after the other, but for three of thirteen.
"""

import asyncio
import importlib.metadata
import json
import os
import sys
import time
from typing import Any

import aio_pika
from pymongo import AsyncMongoClient, WriteConcern
from speak import GPT_AFTER, GPT_BEFORE, SEARCHES, run_all, serve

PROCESSES = 4
BODY = json.dumps({"schemaVersion": 1, "taskId": "x" * 50, "sessionId": "y" * 36, "at": "z" * 27}).encode()
Document = dict[str, Any]


class Lane:
    """One process's share: a queue of its own and a collection that all share."""

    def __init__(self, n: int) -> None:
        self.name = f"bench.limit.{n}"
        self._arrived: dict[str, asyncio.Future[None]] = {}

    async def open(self) -> None:
        mongo: AsyncMongoClient[Document] = AsyncMongoClient(os.environ["BENCH_MONGODB_URL"])
        rows = mongo["bench_limit"]["rows"]
        self._journaled = rows.with_options(write_concern=WriteConcern("majority", j=True))
        self._quick = rows.with_options(write_concern=WriteConcern(1))
        self._connection = await aio_pika.connect(os.environ["BENCH_AMQP_URL"])
        self._publishing = await self._connection.channel(publisher_confirms=True)
        consuming = await self._connection.channel()
        await consuming.set_qos(prefetch_count=64)
        queue = await consuming.declare_queue(self.name, durable=True, arguments={"x-queue-type": "quorum"})
        await queue.consume(self._take)

    async def _take(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        await message.ack()
        if waiting := self._arrived.pop(message.message_id or "", None):
            waiting.set_result(None)

    async def _message(self, name: str) -> None:
        self._arrived[name] = arrived = asyncio.get_running_loop().create_future()
        sent = aio_pika.Message(BODY, message_id=name, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await self._publishing.default_exchange.publish(sent, self.name)
        await arrived

    async def step(self, name: str) -> None:
        row = {"_id": name}
        await self._quick.update_one(row, {"$set": {"status": "QUEUED"}}, upsert=True)
        await self._message(f"{name}.command")
        await self._journaled.update_one(row, {"$set": {"status": "PROCESSING"}})
        await self._journaled.update_one(row, {"$set": {"status": "COMPLETED", "answer": "a" * 400}})
        await self._message(f"{name}.event")
        await self._journaled.update_one(row, {"$set": {"applied": True}})
        await self._quick.update_one(row, {"$set": {"told": True}})

    async def session(self, n: int) -> None:
        name = f"{self.name}.{time.monotonic_ns()}.{n}"
        for step in range(GPT_BEFORE):
            await self.step(f"{name}.{step}")
        await asyncio.gather(*(self.step(f"{name}.s{search}") for search in range(SEARCHES)))
        for step in range(GPT_AFTER):
            await self.step(f"{name}.a{step}")


async def child(n: int) -> None:
    lane = Lane(n)
    await lane.open()

    async def run(sessions: int, in_flight: int) -> list[float]:
        return await run_all(lane.session, sessions, in_flight)

    await serve(run, {f"process {n}": os.getpid()}, {})


async def parent() -> None:
    children = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, str(n)), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        for n in range(PROCESSES)
    ]

    async def heard(child: asyncio.subprocess.Process) -> Document:
        assert child.stdout is not None
        return json.loads(await child.stdout.readline())

    async def told(child: asyncio.subprocess.Process, sessions: int, in_flight: int) -> list[float]:
        assert child.stdin is not None
        child.stdin.write(json.dumps({"sessions": sessions, "inFlight": in_flight}).encode() + b"\n")
        return (await heard(child))["latencies"]

    async def run(sessions: int, in_flight: int) -> list[float]:
        lanes = children[: min(PROCESSES, in_flight)]
        shares = zip(_shares(sessions, len(lanes)), _shares(in_flight, len(lanes)), strict=True)
        found = await asyncio.gather(*(told(lane, *share) for lane, share in zip(lanes, shares, strict=True)))
        return [latency for each in found for latency in each]

    versions = {name: importlib.metadata.version(name) for name in ("aio-pika", "pymongo")}
    ready = [await heard(each) for each in children]
    await serve(run, {name: pid for each in ready for name, pid in each["pids"].items()}, versions)
    for each in children:
        each.terminate()
    await asyncio.gather(*(each.wait() for each in children))


def _shares(total: int, among: int) -> list[int]:
    return [total // among + (n < total % among) for n in range(among)]


if __name__ == "__main__":
    asyncio.run(child(int(sys.argv[1])) if len(sys.argv) > 1 else parent())
