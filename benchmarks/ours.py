"""Ekiden as a contestant: the native stack as it ships, but for workers whose provider answers at once."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from pymongo import AsyncMongoClient

from benchmarks.capacity import OURS, SESSIONS
from benchmarks.client import Client
from benchmarks.contestants import Ran, run_all
from ekiden.broker.topology import COMMANDS, EVENTS
from ekiden.domain.ids import TaskName
from ekiden.domain.provider import Provider
from ekiden.messages.envelope import SessionMoved, SharedMessage
from ekiden_native import Stack
from ekiden_native.ports import own_ports
from ekiden_native.program import DEFAULT_COUNTS, PROGRAMS, Program

WORKFLOW = "thirteen"
WORKERS = ("gpt-worker", "perplexity-worker")
INSTANT = str(Path(__file__).with_name("instant.py"))
ORDERING_AT_ONCE = 32
BURSTS, BURST = 3, 100
QUIET_SECONDS = 2.0
"""Without the end of any session for so long the database is asked: an event is transient and may be lost."""
UP_WITHIN_SECONDS = 180.0
Document = dict[str, Any]


@asynccontextmanager
async def ekiden(folder: Path, services: Mapping[str, int] = DEFAULT_COUNTS) -> AsyncGenerator["Ekiden"]:
    """A stack of its own below a folder, ready to run sessions; gone with its data afterwards."""
    instant = {name: Program((sys.executable, "-P", INSTANT, name)) for name in WORKERS}
    env = {
        **own_ports(),
        "EKIDEN_WORKFLOWS_DIR": str(Path(__file__).parent / "workflows"),
        "EKIDEN_SEARCH_CACHE_SECONDS": "0",
        "EKIDEN_LOG_LEVEL": "warning",
    }
    stack = Stack(folder, services=services, env=env, programs={**PROGRAMS, **instant})
    ours = Ekiden(stack)
    try:
        await asyncio.to_thread(stack.up, UP_WITHIN_SECONDS)
        await ours.open()
        yield ours
    finally:
        await ours.close()
        await asyncio.to_thread(stack.down, wipe=True)


class Ekiden:
    """Sessions come over HTTP; their ends are heard of as every gateway hears of them."""

    name = "ekiden"

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.versions = dict[str, str]()
        self._ended: dict[str, asyncio.Future[None]] = {}
        self._told: dict[str, float] = {}
        self._last_end = 0.0
        self._close = list[Any]()
        self._ordering = asyncio.Semaphore(ORDERING_AT_ONCE)

    async def open(self) -> None:
        self.api = Client(self.stack.env["EKIDEN_GATEWAY_URL"])
        mongo: AsyncMongoClient[Document] = AsyncMongoClient(self.stack.env["EKIDEN_MONGODB_URL"], tz_aware=True)
        self.database = mongo["ekiden"]
        self._broker = await aio_pika.connect(self.stack.env["EKIDEN_AMQP_URL"])
        self._close = [self.api.close, self._broker.close, mongo.close]
        transport = self._broker.transport
        assert transport is not None  # it is connected
        self.versions = {
            "RabbitMQ": str(transport.connection.server_properties["version"]),
            "MongoDB": str((await self.database.command("buildInfo"))["version"]),
        }
        channel = await self._broker.channel()
        tap = await channel.declare_queue(exclusive=True)
        await tap.bind(EVENTS, "session.completed")
        await tap.consume(self._note_end, no_ack=True)
        self._looking = asyncio.create_task(self._look_when_quiet())

    def pids(self) -> dict[str, int]:
        return {f"{row['service']}-{row['n']}": row["pid"] for row in self.stack.ps() if row["service"] in OURS}

    def servers(self) -> dict[str, int]:
        return {name: self.stack.pid(name) for name in ("rabbitmq", "mongod")}

    async def run(self, sessions: int, in_flight: int) -> Ran:
        stamp = time.monotonic_ns()

        async def one(n: int) -> None:
            await self.until_ended(await self.order(f"{stamp} {n}"))

        return await run_all(one, sessions, in_flight)

    async def order(self, theme: str) -> str:
        """Create and start a session; its id."""
        body = {"theme": theme, "workflow": WORKFLOW, "language": "en", "start": True}
        async with self._ordering:
            session_id = str((await self.api.post(f"{SESSIONS}/create", body))["sessionId"])
        self._end_of(session_id)
        return session_id

    async def until_ended(self, session_id: str) -> None:
        """Raises RuntimeError when it ended otherwise than completed."""
        await self._end_of(session_id)
        del self._ended[session_id]

    async def accepted_per_second(self) -> float:
        """Create and start bursts of sessions over HTTP, while the services run what was started; the median burst."""
        found: list[float] = []
        for burst in range(BURSTS):
            stamp, began = time.monotonic_ns(), time.perf_counter()
            names = await asyncio.gather(*(self.order(f"{stamp} {burst} {n}") for n in range(BURST)))
            found.append(BURST / (time.perf_counter() - began))
            await asyncio.gather(*map(self.until_ended, names))
        return median(found)

    async def handoffs(self, sessions: int) -> list[float]:
        """Run sessions one by one; milliseconds from each saved result to the next command at the broker.

        The database's clock is this machine's, cut to milliseconds: what is found is too much, by up to one.
        """
        channel = await self._broker.channel()
        tap = await channel.declare_queue(exclusive=True)
        for provider in Provider:
            await tap.bind(COMMANDS, provider.value)
        await tap.consume(self._note_command, no_ack=True)
        found: list[float] = []
        for n in range(sessions):
            session_id = await self.order(f"hand-off {time.monotonic_ns()} {n}")
            await self.until_ended(session_id)
            found += self._between(await self.database["tasks"].find({"sessionId": session_id}).to_list())
        await channel.close()
        return found

    def _between(self, tasks: list[Document]) -> list[float]:
        steps: dict[str, list[Document]] = {}
        for task in sorted(tasks, key=lambda task: task["createdAt"]):
            steps.setdefault(TaskName.parse(task["_id"]).position.key, []).append(task)
        return [
            1000 * (min(self._told[task["_id"]] for task in after) - max(t["finishedAt"].timestamp() for t in before))
            for before, after in pairwise(steps.values())
        ]

    async def close(self) -> None:
        if self._close:
            self._looking.cancel()
        for close in self._close:
            await close()

    async def _look_when_quiet(self) -> None:
        """Ask the database for ends that nobody told us of."""
        while True:
            await asyncio.sleep(QUIET_SECONDS)
            waiting = [name for name, end in self._ended.items() if not end.done()]
            if waiting and time.monotonic() - self._last_end > QUIET_SECONDS:
                query = {"_id": {"$in": waiting}, "status": {"$in": ["COMPLETED", "FAILED", "WAITING"]}}
                async for session in self.database["sessions"].find(query, {"status": 1}):
                    self._end(session["_id"], session["status"])

    async def _note_end(self, message: AbstractIncomingMessage) -> None:
        for session in SessionMoved.model_validate_json(message.body).sessions:
            self._end(session.session_id, "COMPLETED")

    def _end(self, session_id: str, status: str) -> None:
        self._last_end, end = time.monotonic(), self._end_of(session_id)
        if end.done():
            return
        if status == "COMPLETED":
            end.set_result(None)
        else:
            end.set_exception(RuntimeError(f"{session_id} is {status}"))

    def _end_of(self, session_id: str) -> asyncio.Future[None]:
        """The event of its end may come before the answer to its order."""
        return self._ended.setdefault(session_id, asyncio.get_running_loop().create_future())

    async def _note_command(self, message: AbstractIncomingMessage) -> None:
        for task in SharedMessage.model_validate_json(message.body).tasks:
            self._told.setdefault(task.task_id, time.time())
